"""Stray values of masks: few pixels, or thin rims, of other values beside the one that holds the foreground.

A value is judged by how much it holds. Where one value holds nearly all pixels that are not 0, or the others are its rim,
the files are masks, and the other values are strays of resampling or of a program; several values that each hold a part
are a label image.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from pipeline.counts import first_names, number_of
from pipeline.errors import ImageRejected
from pipeline.geometry import Box
from pipeline.raw.formats.reader import open_values
from pipeline.raw.inspection.contents import Held, of_readable, spread
from pipeline.raw.truth_values import count_values, mask_cut

__all__ = ["Strays", "stray_values"]

NEARLY_ALL = 0.999
"""Least share of the pixels that are not 0 in one value, for the others to be strays wherever they lie."""
MOST, RIM = 0.5, 0.95
"""Least share of one value, and of the pixels of others that touch it, for the others to be its rim."""
LOOKED_AT = 12
"""Most files with such values that are examined."""


@dataclass(frozen=True, slots=True)
class Strays:
    """Other values beside the one of a mask."""

    main: int
    """Value that holds the foreground."""
    others: tuple[Held, ...]
    rim: bool
    """Whether they are its rim and not only few."""
    inside: tuple[bool, ...]
    """For each, whether most of its pixels are set where the files are read as masks."""
    refused: tuple[str, ...]
    """Files of those examined that are refused as masks because of them."""

    @property
    def are_cut(self) -> bool:
        """Test for files that can be read as masks, which are cut in the middle."""
        return not self.refused

    def said(self) -> str:
        """Words on the other values: the pixels and files of each, and what becomes of them in a mask."""
        said = [
            f"{each.value} in {number_of(each.pixels, 'pixel')} of {number_of(len(each.paths), 'file')}"
            + (f" (counts as {'set' if inside else 'not set'})" if self.are_cut else "")
            for each, inside in zip(self.others, self.inside, strict=True)
        ]
        return first_names(said)


@dataclass(frozen=True, slots=True)
class _Look:
    """Other values of one file."""

    pixels: tuple[int, ...]
    """Pixels of each."""
    touching: int
    """Pixels of all that touch the main value."""
    inside: tuple[int, ...] | None
    """Pixels of each that are set in the mask; None if the file is refused as a mask."""


def stray_values(root: Path, held: Sequence[Held]) -> Strays | None:
    """Stray values of truth files; None for one value, or for several that each hold a part of the foreground.

    Parameters
    ----------
    root
        Folder that the files are relative to.
    held
        Values of the files, with their pixels and files.
    """
    foreground = [each for each in held if each.value]
    if len(foreground) < 2:
        return None
    main = max(foreground, key=lambda each: each.pixels)
    others = tuple(each for each in foreground if each is not main)
    share = main.pixels / max(1, sum(each.pixels for each in foreground))
    if share <= MOST:
        return None
    files = sorted({path for each in others for path in spread(each.paths, LOOKED_AT)})
    looks, _ = of_readable(lambda path: _look(path, main.value, [each.value for each in others]), root, files)
    found = list(looks.values())
    rim = sum(each.touching for each in found) >= RIM * max(1, sum(sum(each.pixels) for each in found))
    refused = [path for path, each in looks.items() if each.inside is None]
    if share < NEARLY_ALL and (not rim or refused):
        return None
    inside = tuple(_mostly_set(found, at) for at in range(len(others)))
    return Strays(main.value, others, rim and share < NEARLY_ALL, inside, tuple(refused))


def _look(path: Path, main: int, others: Sequence[int]) -> _Look:
    with open_values(path, labels=True) as source:
        labels = source.read(Box.of_shape(*source.shape))
    near = cv2.dilate((labels == main).astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    pixels = tuple(int(np.count_nonzero(labels == value)) for value in others)
    touching = int(np.count_nonzero(np.isin(labels, list(others)) & near))
    try:
        with open_values(path) as source:
            cut = mask_cut(source, count_values(source, path=path), path=path)
            mask = source.read(Box.of_shape(*source.shape)) > cut
    except ImageRejected:
        return _Look(pixels, touching, None)
    return _Look(pixels, touching, tuple(int(np.count_nonzero(mask & (labels == value))) for value in others))


def _mostly_set(looks: Sequence[_Look], at: int) -> bool:
    read = [(each.pixels[at], each.inside[at]) for each in looks if each.inside is not None]
    return 2 * sum(inside for _, inside in read) > sum(pixels for pixels, _ in read)
