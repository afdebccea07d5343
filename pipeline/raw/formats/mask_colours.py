"""Colours of a mask file: only one beside black, because several mean several classes or a background that is not black."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.project import document
from pipeline.raw.formats.source import unusable

__all__ = ["OWN_DATA", "check_one_colour"]

NAMES = ("black", "red", "green", "yellow", "blue", "magenta", "cyan", "white or grey")
"""Names by the bits of the channels that are on: red 1, green 2, blue 4."""
OWN_DATA = f"{document('docs/own_data.md')}, section Classes in colours"
OTHER_SHARE = 0.01
"""Largest share of pixels of other colours, relative to set pixels, in a mask of one colour."""


def check_one_colour(
    colours: NDArray[Any], light: NDArray[Any], pixels: NDArray[np.integer[Any]], *, path: Path
) -> None:
    """Check that the set pixels of a lossless mask have one colour.

    Parameters
    ----------
    colours
        ``(..., 3)``, red, green and blue.
    light
        ``(...)``, their largest, or 0 where they are transparent. Rims darker than half of the brightest do not count.
    pixels
        ``(...)``, how many pixels have each colour.
    path
        Name of the file, for messages.

    Raises
    ------
    ImageRejected
        Several colours.
    """
    shown = np.where(pixels > 0, light, 0)
    counted = shown > shown.max(initial=0) // 2
    bright = colours[counted] > light[counted][:, None] // 2
    amounts = np.bincount(bright @ np.array([1, 2, 4]), weights=pixels[counted], minlength=len(NAMES))
    total = amounts.sum()
    if total - amounts.max() > OTHER_SHARE * total:
        found = ", ".join(
            f"{NAMES[at]} ({100 * amounts[at] / total:.3g} %)" for at in np.argsort(-amounts) if amounts[at]
        )
        raise unusable(
            path,
            f"a mask of several colours: {found} of what is not black",
            expected="one colour on black",
            remedy="Export one class alone, 255 on 0. Several classes in one file are a label image, with a number for each "
            f"colour: {OWN_DATA}.",
        )
