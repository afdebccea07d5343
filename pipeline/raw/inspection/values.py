"""Values of truth files: those of label images as stored; those of noisy, lossy and coloured masks as the reader of masks sees them."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.errors import ImageRejected
from pipeline.raw.formats.reader import file_size, open_values
from pipeline.raw.truth_values import ValueCounts, count_values, mask_cut

__all__ = ["LARGEST", "MOST_VALUES", "TWO_VALUED", "Held", "file_values", "held_values", "two_values"]

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


def held_values(found: Mapping[str, Mapping[int, int]]) -> tuple[Held, ...]:
    """Values of files, ascending, from path → value → pixels."""
    values = sorted({value for each in found.values() for value in each})
    return tuple(
        Held(
            value,
            sum(each.get(value, 0) for each in found.values()),
            tuple(sorted(path for path, each in found.items() if value in each)),
        )
        for value in values
    )


def file_values(path: Path) -> dict[int, int]:
    """Value → pixels of a truth file; empty for one that is too large to be decoded.

    Raises
    ------
    ImageRejected
        The file can be read neither as a label image nor as a mask. A lossy file or one in colour is a mask or nothing.
    """
    height, width = file_size(path)
    if height * width > LARGEST:
        return {}
    try:
        with open_values(path, labels=True) as source:
            if source.lossy:
                return _mask_values(path)
            return _stored(count_values(source, path=path))
    except ImageRejected:
        return _mask_values(path)


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
