"""Steps between neighbouring pixels of a map, summed along every row and column line: its roughness across each.

Line ``y`` lies between the rows ``y − 1`` and ``y``, line ``x`` between columns. A step counts only if one of its two
pixels reaches a least probability, because the large empty parts are smooth in any map.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numba import njit
from numpy.typing import NDArray

from pipeline.arrays.raster import Raster
from pipeline.geometry import BLOCK, Box, aligned_boxes, starts_1d

__all__ = ["ACTIVE", "BESIDE", "Profile", "border_lines", "borders_of_map", "lines_beside", "step_profiles"]

Floats: TypeAlias = NDArray[np.float32]

ACTIVE = 0.05
"""Least probability of the larger of two neighbours for their step to count."""
BESIDE = (2, 4)
"""Distances in pixels of the lines on either side that a border is compared with: near, so that both cross the same
edges of the truth; even, because a network that doubles its resolution at the end has different steps at every other
line."""


@dataclass(frozen=True, slots=True, eq=False)
class Profile:
    """Steps across every line of one axis."""

    total: NDArray[np.float64]
    """``(class, length)``: sum of the absolute differences across a line; 0 at line 0, which is the border of the image."""
    pixels: NDArray[np.int64]
    """``(class, length)``: pairs of neighbours that counted."""


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _add_steps(
    values: Floats, dy: int, dx: int, total: NDArray[np.float64], pixels: NDArray[np.int64], least: np.float32
) -> None:
    for c in range(values.shape[0]):
        for y in range(dy, values.shape[1]):
            for x in range(dx, values.shape[2]):
                here, before = values[c, y, x], values[c, y - dy, x - dx]
                if max(here, before) >= least:
                    line = y - dy if dy else x - dx
                    total[c, line] += abs(here - before)
                    pixels[c, line] += 1


def step_profiles(maps: Raster[np.floating], *, classes: int, block: int = BLOCK) -> tuple[Profile, Profile]:
    """Steps across all lines between rows and between columns of a map of any size, read block by block.

    Parameters
    ----------
    maps
        Probabilities ``(class, y, x)``.
    classes
        Their number.
    block
        Side of the blocks; it changes no count, and sums only by rounding.

    Returns
    -------
    tuple
        Along y and along x.
    """
    found = tuple(Profile(np.zeros((classes, n)), np.zeros((classes, n), np.int64)) for n in maps.shape)
    for box in aligned_boxes(*maps.shape, block):
        for axis, profile in enumerate(found):
            dy, dx = (min(box.y0, 1), 0) if axis == 0 else (0, min(box.x0, 1))
            values = maps.read(Box(box.y0 - dy, box.x0 - dx, box.y1, box.x1)).astype(np.float32)
            # Without a pixel before the block its first line is the border of the image, and counting starts at the
            # second line.
            first = (box.y0, box.x0)[axis] or 1
            end = (box.y1, box.x1)[axis]
            part = slice(first, end)
            total, pixels = np.zeros((classes, end - first)), np.zeros((classes, end - first), np.int64)
            _add_steps(values, 1 - axis, axis, total, pixels, np.float32(ACTIVE))
            profile.total[:, part] += total
            profile.pixels[:, part] += pixels
    return found[0], found[1]


def border_lines(starts: Sequence[int], *, window: int, length: int, overlapping: bool) -> tuple[int, ...]:
    """Window borders along one axis: lines at which the set of contributing windows changes, in order.

    Parameters
    ----------
    starts
        First pixels of the windows.
    window
        Their side.
    length
        Pixels along the axis.
    overlapping
        Whether overlapping windows are fused; otherwise each window counts until the next one starts.
    """
    lines = {start for start in starts if start > 0}
    if overlapping:
        lines |= {start + window for start in starts if start + window < length}
    return tuple(sorted(lines))


def borders_of_map(
    shape: tuple[int, int], *, window: int, stride: int, overlapping: bool
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Window borders of a map ``(height, width)``: lines between rows, and lines between columns."""
    rows, columns = (
        border_lines(starts_1d(length, window, stride), window=window, length=length, overlapping=overlapping)
        for length in shape
    )
    return rows, columns


def lines_beside(lines: Sequence[int], *, length: int) -> tuple[int, ...]:
    """Lines near the given ones, on either side, that are neither among them nor adjacent to one."""
    near = {line + sign * distance for line in lines for distance in BESIDE for sign in (-1, 1)}
    at_border = {line + shift for line in lines for shift in (-1, 0, 1)}
    return tuple(sorted(line for line in near - at_border if 0 < line < length))
