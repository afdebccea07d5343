"""Connected components of a mask, with sums over their pixels, from runs that arrive strip by strip from the top.

Any value of a pixel can be summed: 1 for the area, its row for the centre, membership in another mask for an overlap.
Maxima are supported too. Only sums per component and the last row of runs are kept. Sums are integers, so the height of
a strip changes nothing. Components are numbered in raster order of their first pixels.
"""

import numpy as np
from numpy.typing import NDArray

from pipeline.arrays.runs import NONE, Ints, Runs, joined, runs_of_pixels
from pipeline.geometry import Box

__all__ = ["ComponentSums", "Pieces", "pieces_of"]

Pieces = tuple[Runs, Ints]
"""Runs in raster order, and sums over the pixels of each ``(sum, run)``."""


def pieces_of(box: Box, flat: Ints, values: list[NDArray[np.generic]], *, stride: int) -> Pieces:
    """Runs of some pixels of a block, and sums over them.

    Parameters
    ----------
    box
        The block.
    flat
        Positions of the pixels in the block, row-major, ascending.
    values
        For each sum one value per pixel.
    stride
        Distance of two rows in the positions of runs: more than the image is wide.
    """
    runs, begin = runs_of_pixels(flat, box=box, stride=stride)
    if not len(begin):
        return runs, np.zeros((len(values), 0), np.int64)
    return runs, np.stack([np.add.reduceat(each.astype(np.int64), begin) for each in values])


class ComponentSums:
    """Components so far, with sums over their pixels.

    Parameters
    ----------
    sums
        Number of sums.
    stride
        Distance of two rows in the positions of runs.
    maxima
        How many of the last sums are maxima.
    reach
        1 joins diagonal neighbours, as for regions; 0 does not, as for the background between them.
    """

    def __init__(self, sums: int, *, stride: int, maxima: int = 0, reach: int = 1) -> None:
        self._stride, self._maxima, self._reach = stride, maxima, reach
        self._sums: list[Ints] = [np.zeros((sums, 0), np.int64)]
        self._pairs: list[Ints] = [np.zeros((2, 0), np.int64)]
        self._count = 0
        self._above, self._above_number = Runs(NONE, NONE, stride), NONE

    def add(self, blocks: list[Pieces], *, bottom: int) -> Pieces:
        """Addition of a strip, given as the pieces of its blocks, down to the row before ``bottom``.

        Returns
        -------
        tuple
            Its runs in raster order, and their provisional numbers ``(run,)``.
        """
        start = np.concatenate([runs.start for runs, _ in blocks])
        order = np.argsort(start, kind="stable")
        runs = Runs(start[order], np.concatenate([runs.end for runs, _ in blocks])[order], self._stride)
        local = _labels(runs, reach=self._reach)
        number = local + self._count
        sums = np.concatenate([sums for _, sums in blocks], axis=1)[:, order]
        self._sums.append(_grouped(sums, local, maxima=self._maxima))
        upper, lower = self._above.joined_to(runs, reach=self._reach)
        self._pairs.append(np.stack([self._above_number[upper], number[lower]]))
        self._count += self._sums[-1].shape[1]
        last = np.searchsorted(runs.start, (bottom - 1) * self._stride)
        self._above = Runs(runs.start[last:], runs.end[last:], self._stride)
        self._above_number = number[last:]
        return runs, number

    def result(self) -> tuple[Ints, Ints]:
        """Sums of each component ``(sum, component)``, and the component of each provisional number."""
        component = joined(self._count, *np.concatenate(self._pairs, axis=1))
        return _grouped(np.concatenate(self._sums, axis=1), component, maxima=self._maxima), component


def _labels(runs: Runs, *, reach: int) -> Ints:
    upper, lower = runs.joined_to(runs, reach=reach)
    beside = np.flatnonzero(runs.end[:-1] == runs.start[1:])  # Cut by the border of two blocks.
    return joined(len(runs.start), np.concatenate([upper, beside]), np.concatenate([lower, beside + 1]))


def _grouped(sums: Ints, label: Ints, *, maxima: int) -> Ints:
    total = np.zeros((len(sums), int(label.max(initial=-1)) + 1), np.int64)
    added = len(sums) - maxima
    total[added:] = np.iinfo(np.int64).min
    for at, (row, values) in enumerate(zip(total, sums, strict=True)):
        (np.add if at < added else np.maximum).at(row, label, values)
    return total
