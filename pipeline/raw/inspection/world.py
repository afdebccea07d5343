"""Modality of images, fundus or H&E, from a few of them; none if they look like neither, so that the user is asked."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from pipeline.arrays.optical_density import NO_BACKGROUND, optical_density
from pipeline.raw.inspection.contents import of_readable, small_picture, spread

__all__ = ["World", "world_of"]

World: TypeAlias = Literal["fundus", "histology"]
LOOKED_AT = 5
DARK = 30
CORNER = 0.04
"""Side of the examined corners, as a share of the sides of an image."""
REDDISH = 1.2
"""Ratio of red to blue light from which the inside of an image may be a retina."""
DENSITY, LEAST_TISSUE = 0.15, 0.002
"""Least optical density (vector length) of anything but glass, and its least share of an image."""
PINK_OR_PURPLE = 0.5
"""Least share of pink or purple in that for H&E: real images have 0.92 and more, others tested at most 0.26."""
GREEN_TO_RED, GREEN_TO_BLUE = 0.9, 1.1
"""Least ratio of the density of green to that of red and blue in pink and purple: both stains absorb green most, or
nearly."""
LOOKS = {
    "fundus": "a lit red disc with dark corners",
    "histology": "pink and purple as H&E is",
    "": "neither a lit red disc with dark corners (fundus) nor pink and purple (H&E)",
}


def world_of(root: Path, files: Sequence[str], *, slides: bool) -> tuple[World | None, str]:
    """Modality of most of a few images, None if unclear, and the evidence.

    Parameters
    ----------
    root
        Folder that the files are relative to.
    files
        Images in text order.
    slides
        Whether they are slides, which count as H&E if none can be read.
    """
    seen, _ = of_readable(lambda path: _looks_like(small_picture(path)), root, spread(files, LOOKED_AT))
    if not seen:
        return ("histology", "slides") if slides else (None, "no picture could be looked at")
    counts = Counter("" if each is None else each for each in seen.values())
    most, count = counts.most_common(1)[0]
    told: World | None = "fundus" if most == "fundus" else "histology" if most == "histology" else None
    told = told if 2 * count > len(seen) else None
    shown = [(most, count)] if told or len(counts) == 1 else counts.most_common()
    said = "; ".join(
        f"{number} of {len(seen)} pictures looked at {_is(number)} {LOOKS[name]}" for name, number in shown
    )
    return told, said


def _is(number: int) -> str:
    return "is" if number == 1 else "are"


def _looks_like(pixels: NDArray[np.uint8]) -> World | None:
    """Modality of one image ``(y, x, 3)``; None for neither."""
    if _is_lit_disc(pixels):
        return "fundus"
    return "histology" if _is_pink_and_purple(pixels) else None


def _is_lit_disc(pixels: NDArray[np.uint8]) -> bool:
    height, width = pixels.shape[:2]
    y, x = max(1, round(CORNER * height)), max(1, round(CORNER * width))
    corners = [pixels[:y, :x], pixels[:y, -x:], pixels[-y:, :x], pixels[-y:, -x:]]
    inside = pixels[height // 4 : 3 * height // 4, width // 4 : 3 * width // 4].reshape(-1, 3).mean(axis=0)
    dark = sum(float(each.mean()) < DARK for each in corners) >= 3
    return dark and float(inside.mean()) > DARK and float(inside[0]) > REDDISH * float(inside[2])


def _is_pink_and_purple(pixels: NDArray[np.uint8]) -> bool:
    density = optical_density(pixels.reshape(-1, 3), i0=NO_BACKGROUND)
    red, green, blue = density[np.linalg.norm(density, axis=1) > DENSITY].T
    if len(green) < max(1, LEAST_TISSUE * len(density)):
        return False
    stained = (green >= GREEN_TO_RED * red) & (green >= GREEN_TO_BLUE * blue)
    return float(stained.mean()) >= PINK_OR_PURPLE
