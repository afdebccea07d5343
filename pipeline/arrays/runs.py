"""Runs: the unbroken pieces of the rows of a mask, and the sets of touching runs."""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from pipeline.geometry import Box

__all__ = ["NONE", "Ints", "Runs", "joined", "overlapping", "runs_of", "runs_of_pixels"]

Ints: TypeAlias = NDArray[np.int64]
NONE = np.zeros(0, dtype=np.int64)
"""No run."""


@dataclass(frozen=True, slots=True, eq=False)
class Runs:
    """Runs of a strip in raster order, as positions in rows that are ``stride`` apart."""

    start: Ints
    end: Ints
    stride: int

    def joined_to(self, lower: "Runs", *, reach: int) -> tuple[Ints, Ints]:
        """Touching pairs of a run here and a run of ``lower`` one row below; with ``reach`` 1 diagonal contact counts."""
        first = np.searchsorted(lower.end, self.start + self.stride - reach, side="right")
        stop = np.searchsorted(lower.start, self.end + self.stride + reach, side="left")
        count = np.maximum(stop - first, 0)
        upper = np.repeat(np.arange(len(count)), count)
        before = np.cumsum(count) - count
        return upper, np.arange(len(upper)) - np.repeat(before - first, count)


def runs_of(mask: NDArray[np.bool_]) -> Runs:
    """Runs of a mask ``(y, x)``, with a row stride one larger than the width of the mask."""
    # A column of background after each row: a run never reaches the next row, not even diagonally.
    height, width = mask.shape
    stride = width + 1
    flat = np.zeros(height * stride + 1, dtype=bool)
    flat[1:].reshape(height, stride)[:, :width] = mask
    edges = np.flatnonzero(flat[1:] != flat[:-1])
    return Runs(edges[0::2], edges[1::2], stride)


def joined(size: int, first: Ints, second: Ints) -> Ints:
    """Set number of each of ``size`` nodes after joining pairs; sets are numbered in the order of their lowest nodes."""
    if not size:
        return NONE
    graph = coo_array((np.ones(len(first), dtype=bool), (first, second)), shape=(size, size))
    count, number = connected_components(graph, directed=False)
    lowest, rank = np.empty((2, count), dtype=np.int64)
    lowest[number[::-1]] = np.arange(size)[::-1]  # The last assignment stays.
    rank[np.argsort(lowest)] = np.arange(count)
    return rank[number]


def runs_of_pixels(flat: Ints, *, box: Box, stride: int) -> tuple[Runs, Ints]:
    """Runs of some pixels of a block, at their positions in the image, and the index of the first pixel of each.

    Parameters
    ----------
    flat
        Positions of the pixels in the block, row-major, ascending.
    box
        The block.
    stride
        Distance of two rows in the positions of the runs: more than the image is wide.
    """
    if not len(flat):
        return Runs(NONE, NONE, stride), NONE
    row, column = np.divmod(flat, box.width)
    begin = np.flatnonzero(np.concatenate([[True], (np.diff(flat) != 1) | (column[1:] == 0)]))
    start = (row[begin] + box.y0) * stride + column[begin] + box.x0
    length = np.diff(np.concatenate([begin, [len(flat)]]))
    return Runs(start, start + length, stride), begin


def overlapping(first: Runs, second: Runs) -> tuple[Ints, Ints]:
    """Pairs of runs, one of each set, with a common pixel."""
    return first.joined_to(Runs(second.start + first.stride, second.end + first.stride, first.stride), reach=0)
