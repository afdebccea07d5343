"""Holes of regions in a mask that arrives in strips: 4-connected background enclosed by an 8-connected region.

The pixel above a hole's first pixel in raster order belongs to the region around it, even where other regions lie in
the hole. So runs alone are enough to distinguish a hole from open background and to assign it to its region.
"""

import numpy as np
from numpy.typing import NDArray

from pipeline.arrays.component_sums import ComponentSums
from pipeline.arrays.raster import Raster
from pipeline.arrays.runs import NONE, Ints, Runs, runs_of_pixels
from pipeline.geometry import Box, strips

__all__ = ["HoleFinder", "hole_sums"]


class HoleFinder:
    """Holes found so far, from full-width strips from the top.

    Parameters
    ----------
    width
        Columns of the image. Rows of runs are one column further apart.
    """

    def __init__(self, width: int) -> None:
        self._width, self._stride = width, width + 1
        self._background = ComponentSums(2, stride=self._stride, reach=0)
        self._firsts: list[Ints] = [np.zeros((3, 0), np.int64)]
        self._above, self._above_number = Runs(NONE, NONE, self._stride), NONE
        self._last = NONE

    def add(self, runs: Runs, number: Ints, *, top: int, bottom: int) -> None:
        """Addition of a strip of rows, ``top`` to ``bottom`` - 1: its runs in raster order, and their regions."""
        gaps = self._gaps(runs, top=top, bottom=bottom)
        row, start = np.divmod(gaps.start, self._stride)
        length = gaps.end - gaps.start
        edge = (row == 0) | (start == 0) | (start + length == self._width)
        _, own = self._background.add([(gaps, np.stack([length, edge.astype(np.int64)]))], bottom=bottom)
        above = self._region_at(gaps.start - self._stride, runs, number)
        found, first = np.unique(own, return_index=True)
        self._firsts.append(np.stack([found, gaps.start[first], above[first]]))
        self._last = own[row == bottom - 1]
        last = np.searchsorted(runs.start, (bottom - 1) * self._stride)
        self._above = Runs(runs.start[last:], runs.end[last:], self._stride)
        self._above_number = number[last:]

    def _gaps(self, runs: Runs, *, top: int, bottom: int) -> Runs:
        """Runs of the background: gaps between runs, and between runs and the sides."""
        sides = np.arange(top, bottom, dtype=np.int64) * self._stride + self._width
        start, end = np.concatenate([runs.start, sides]), np.concatenate([runs.end, sides + 1])
        order = np.argsort(start, kind="stable")
        begin = np.concatenate([[top * self._stride], end[order][:-1]])
        open_ = begin < start[order]
        return Runs(begin[open_], start[order][open_], self._stride)

    def _region_at(self, position: Ints, runs: Runs, number: Ints) -> Ints:
        """Region at each position in this strip or the last row before it; −1 where there is none."""
        start = np.concatenate([self._above.start, runs.start])
        if not len(start):
            return np.full(len(position), -1, np.int64)
        end, numbers = np.concatenate([self._above.end, runs.end]), np.concatenate([self._above_number, number])
        at = np.searchsorted(start, position, side="right") - 1
        return np.where((at >= 0) & (end[at] > position), numbers[at], -1)

    def result(self, region_of: Ints, *, regions: int) -> tuple[Ints, Ints]:
        """Number of holes of each region, and their pixels, each ``(region,)``; ``region_of`` maps numbers to regions."""
        sums, hole_of = self._background.result()
        if not sums.shape[1]:
            return np.zeros(regions, np.int64), np.zeros(regions, np.int64)
        area, edge = sums
        edge[hole_of[self._last]] = 1
        number, position, above = np.concatenate(self._firsts, axis=1)
        order = np.argsort(position, kind="stable")
        _, first = np.unique(hole_of[number[order]], return_index=True)
        closed = edge == 0
        around = region_of[above[order][first][closed]]
        pixels = np.zeros(regions, np.int64)
        np.add.at(pixels, around, area[closed])
        return np.bincount(around, minlength=regions).astype(np.int64), pixels


def hole_sums(mask: Raster[np.generic], *, rows: int = 1024) -> tuple[Ints, Ints]:
    """Number of holes of each region of a mask, and their pixels, in raster order of the regions' first pixels.

    Parameters
    ----------
    mask
        Read once in full-width strips; every non-zero value is inside.
    rows
        Rows of a strip; they do not change the result.
    """
    regions, finder = ComponentSums(1, stride=mask.width + 1), HoleFinder(mask.width)
    for box in strips(*mask.shape, rows):
        pieces = _runs(mask.read(box) != 0, box)
        runs, number = regions.add([(pieces, np.ones((1, len(pieces.start)), np.int64))], bottom=box.y1)
        finder.add(runs, number, top=box.y0, bottom=box.y1)
    sums, region_of = regions.result()
    return finder.result(region_of, regions=sums.shape[1])


def _runs(mask: NDArray[np.bool_], box: Box) -> Runs:
    return runs_of_pixels(np.flatnonzero(mask), box=box, stride=box.width + 1)[0]
