"""Shapes and values of regions, from sums over their runs: box, elongation, contrast, probabilities.

Everything is a sum or a maximum of integers, so neither the size of an image nor that of its blocks changes a number.
Probabilities are summed in units of 2⁻²⁴, of which every float16 is a multiple. Second moments may overflow 64 bits;
central moments do not, and are recovered from the remainders.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.arrays.contrast import Ring
from pipeline.arrays.runs import Ints, Runs, runs_of_pixels
from pipeline.geometry import Box

__all__ = ["LARGEST", "SUMS", "Shapes", "elongations", "moments", "shape_pieces", "shapes_of"]

_UNIT = 2.0**24
_MOMENTS = 6
_VALUES = 4
SUMS = _MOMENTS + _VALUES
"""Rows of sums: pixels, y, x, y², x², y x; units of probability, grey levels, grey levels of rings, pixels of rings."""
LARGEST = 5
"""Rows of maxima: −top, −left, bottom, right, units of probability."""


@dataclass(frozen=True, slots=True, eq=False)
class Shapes:
    """Shapes and values of regions, one entry per region in each array, in raster order of first pixels."""

    centre: NDArray[np.float64]
    """Mean row and column ``(region, 2)``."""
    box: Ints
    """Bounding box, half-open: y0, x0, y1, x1 ``(region, 4)``."""
    elongation: NDArray[np.float64]
    """Major over minor axis of the ellipse of equal second moments, from 1; infinite for a line, 1 for a single pixel."""
    contrast: NDArray[np.float64]
    """Mean grey level inside minus that of the ring around; NaN without a ring or an image."""
    mean_probability: NDArray[np.float64]
    largest_probability: NDArray[np.float64]


def moments(runs: Runs) -> Ints:
    """Moments of runs ``(6, run)``: pixels, and sums of y, x, y², x², y x; the squares modulo 2⁶⁴."""
    row, start = np.divmod(runs.start, runs.stride)
    length = runs.end - runs.start
    end = start + length
    columns = (start + end - 1) * length // 2
    squares = _squares_below(end) - _squares_below(start)
    return np.stack([length, row * length, columns, row * row * length, squares, row * columns])


def _squares_below(number: Ints) -> Ints:
    return (number - 1) * number * (2 * number - 1) // 6


def shape_pieces(
    box: Box,
    flat: Ints,
    probability: NDArray[np.floating],
    counted: list[NDArray[np.bool_]],
    *,
    stride: int,
    grey: NDArray[np.uint8] | None = None,
    ring: Ring | None = None,
) -> tuple[Runs, Ints]:
    """Runs of some pixels of a block, each with ``SUMS`` sums, the sums of ``counted``, and ``LARGEST`` maxima.

    Parameters
    ----------
    box
        The block.
    flat
        Positions of the pixels in the block, row-major, ascending.
    probability
        Of each of these pixels.
    counted
        Further flags of each of these pixels, which are counted.
    stride
        Distance of two rows in the positions of runs: more than the image is wide.
    grey, ring
        Grey levels of the block, and the surroundings of each of its pixels; without them contrast is NaN.
    """
    runs, begin = runs_of_pixels(flat, box=box, stride=stride)
    if not len(begin):
        return runs, np.zeros((SUMS + len(counted) + LARGEST, 0), np.int64)
    units = np.rint(probability.astype(np.float64) * _UNIT).astype(np.int64)
    none = np.zeros(len(flat), np.int64)
    seen: list[NDArray[Any]] = [none] * 3
    if grey is not None and ring is not None:
        seen = [each.ravel()[flat] for each in (grey, ring.light, ring.pixels)]
    values: list[NDArray[Any]] = [units, *seen, *counted]
    sums = [np.add.reduceat(each.astype(np.int64), begin) for each in values]
    row, start = np.divmod(runs.start, stride)
    corners = -row, -start, row + 1, start + runs.end - runs.start
    return runs, np.concatenate([moments(runs), sums, np.stack([*corners, np.maximum.reduceat(units, begin)])])


def shapes_of(sums: Ints) -> Shapes:
    """Shapes of regions, from the rows of ``shape_pieces`` merged for each ``(row, region)``."""
    area = sums[0]
    probability, light, around, ring = sums[_MOMENTS:SUMS]
    largest = sums[-LARGEST:]
    contrast = light / area - np.divide(around, ring, out=np.full(len(area), math.nan), where=ring > 0)
    return Shapes(
        np.stack([sums[1] / area, sums[2] / area], axis=1),
        np.stack([-largest[0], -largest[1], largest[2], largest[3]], axis=1),
        elongations(sums[:_MOMENTS]),
        contrast,
        probability / area / _UNIT,
        largest[-1] / _UNIT,
    )


def elongations(found: Ints) -> NDArray[np.float64]:
    """Elongation of regions from their ``moments`` ``(6, region)``, exact except for the final square root."""
    return np.array([_elongation(*map(int, each)) for each in found.T], np.float64)


def _elongation(area: int, y: int, x: int, yy: int, xx: int, yx: int) -> float:
    down, across, mixed = (
        area * _unwrapped(wrapped, product, area) - product
        for wrapped, product in ((yy, y * y), (xx, x * x), (yx, y * x))
    )
    trace, determinant = down + across, down * across - mixed * mixed
    if not determinant:
        return math.inf if trace else 1.0
    major = (trace + math.sqrt(trace * trace - 4 * determinant)) / 2
    return max(major / math.sqrt(determinant), 1.0)


def _unwrapped(wrapped: int, product: int, area: int) -> int:
    """Sum known modulo 2⁶⁴ that lies within 2⁶³ of ``product / area``."""
    turns = (product - wrapped * area + area * 2**63) // (area * 2**64)
    return wrapped + turns * 2**64
