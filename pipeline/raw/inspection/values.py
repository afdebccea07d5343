"""Values of truth files: those of label images as stored; those of noisy, lossy and coloured masks as the reader of masks sees them."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.errors import ImageRejected
from pipeline.raw.formats.reader import file_size, open_values
from pipeline.raw.formats.source import unusable
from pipeline.raw.truth_values import ValueCounts, count_values, mask_cut

__all__ = [
    "LARGEST",
    "MOST_VALUES",
    "TWO_VALUED",
    "FileValues",
    "Held",
    "LookedAt",
    "file_values",
    "in_one_line",
    "looked_at",
    "two_values",
]

LARGEST = 2**27
"""Most pixels of a file without a pyramid that is decoded; a larger one counts as a slide."""
MOST_VALUES = 32
"""Most values of a label image; a mask may have more by the noise of JPEG if two of them hold nearly all pixels."""
TWO_VALUED = 0.9
NOISE, BYTE = 16, 255
DENSE, MOST_NUMBERS = 0.5, 2**12
"""Least share of the numbers up to the last that occur, and most numbers, where values number objects."""


@dataclass(frozen=True, slots=True)
class Held:
    """Value of truth files, with what holds it."""

    value: int
    pixels: int
    paths: tuple[str, ...]
    """Files with such pixels, in text order."""


@dataclass(frozen=True, slots=True)
class LookedAt:
    """Truth files whose values were counted."""

    held: tuple[Held, ...] = ()
    """Their values, ascending."""
    files: int = 0
    empty: int = 0
    """Files that are 0 everywhere."""
    no_labels: str = ""
    """Reason why the first cannot be a label image; empty where all can."""

    def __add__(self, other: "LookedAt") -> "LookedAt":
        """Files of both."""
        values = sorted({each.value for each in (*self.held, *other.held)})
        parts = [[each for each in (*self.held, *other.held) if each.value == value] for value in values]
        held = tuple(
            Held(
                part[0].value,
                sum(each.pixels for each in part),
                tuple(sorted({p for each in part for p in each.paths})),
            )
            for part in parts
        )
        return LookedAt(held, self.files + other.files, self.empty + other.empty, self.no_labels or other.no_labels)


def looked_at(found: Mapping[str, Mapping[int, int]], *, no_labels: str = "") -> LookedAt:
    """Files from path → value → pixels."""
    values = sorted({value for each in found.values() for value in each})
    held = tuple(
        Held(
            value,
            sum(each.get(value, 0) for each in found.values()),
            tuple(sorted(path for path, each in found.items() if value in each)),
        )
        for value in values
    )
    return LookedAt(held, len(found), sum(set(each) == {0} for each in found.values()), no_labels)


@dataclass(frozen=True, slots=True)
class FileValues:
    """Values of a truth file."""

    pixels: Mapping[int, int]
    """Value → pixels; empty for a file that is too large to be decoded."""
    no_labels: str = ""
    """Reason why it is a mask and no label image, in one line; empty where it may be either."""


def file_values(path: Path) -> FileValues:
    """Values of a truth file.

    Raises
    ------
    ImageRejected
        The file can be read neither as a label image nor as a mask. A lossy file or one in colour is a mask or nothing.
    """
    height, width = file_size(path)
    if height * width > LARGEST:
        return FileValues({})
    try:
        with open_values(path, labels=True) as source:
            if source.lossy:
                raise unusable(
                    path,
                    "a lossy file, which is no label image",
                    expected="PNG or TIFF: lossy compression changes numbers of classes",
                    remedy="Export it anew as PNG or TIFF.",
                )
            return FileValues(_stored(count_values(source, path=path)))
    except ImageRejected as problem:
        return FileValues(_mask_values(path), in_one_line(problem))


def in_one_line(problem: ImageRejected) -> str:
    """Message in one line, without its place, which is said beside it, and without a full stop."""
    what, *rows = str(problem).splitlines()
    said = [" ".join(row.split()) for row in rows if not row.lstrip().startswith("where:")]
    return "; ".join([what.rstrip("."), *said]).rstrip(".")


def _mask_values(path: Path) -> dict[int, int]:
    """Value → pixels of a mask: 0, and the value that is set most."""
    with open_values(path) as source:
        counts = count_values(source, path=path)
        cut = mask_cut(source, counts, path=path)
    above = counts.values > cut
    found = {0: int(counts.pixels[~above].sum()), BYTE: int(counts.pixels[above].sum())}
    return {value: pixels for value, pixels in found.items() if pixels}


def _stored(counts: ValueCounts) -> dict[int, int]:
    """Value → pixels of a lossless file; 0 and 255 for the noise that a lossy copy left in it."""
    found = {int(value): int(pixels) for value, pixels in zip(counts.values, counts.pixels, strict=True)}
    top = max(found, default=0)
    if sum(value > 0 for value in found) > DENSE * top and len(found) <= MOST_NUMBERS:
        return found  # Numbers from 1 on, as noise does not have them.
    low, high = counts.values <= NOISE, counts.values >= top - NOISE
    mostly = counts.pixels[low | high].sum() >= TWO_VALUED * counts.pixels.sum()
    noisy = top > 2 * NOISE and min(np.count_nonzero(low), np.count_nonzero(high)) > 1 and mostly
    return two_values(found) if noisy or len(found) > MOST_VALUES else found


def two_values(found: Mapping[int, int]) -> dict[int, int]:
    """Value → pixels of a mask whose values around 0 and the maximum come from JPEG."""
    middle = sum(pixels for value, pixels in found.items() if 2 * value > max(found))
    return {0: sum(found.values()) - middle, BYTE: middle}
