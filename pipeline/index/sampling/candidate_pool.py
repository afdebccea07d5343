"""Candidate pool: boxes of one image in the order of weighted sampling without replacement, kept apart.

Every box has a weight and an exponentially distributed random number from the stream of its image. Its key is that
number divided by its weight, and boxes are drawn in ascending order of keys (Efraimidis and Spirakis 2006). So a larger
quota keeps the former draws, keys of several images can be merged, and images are independent.
"""

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from pipeline.index.box_sums import Boxes

__all__ = ["EMPTY", "CandidatePool", "apart", "draw_keys", "in_order", "joined"]

Floats = NDArray[np.float64]
MOST_CELLS = 2048
"""Cells along a side of an image in which neighbours are looked for."""


@dataclass(frozen=True, slots=True, eq=False)
class CandidatePool:
    """Candidate pool: boxes of one image in the order in which they are drawn."""

    key: Floats
    """Ascending."""
    boxes: Boxes
    """``(n, 4)``."""
    weight: Floats
    """Weight of each, in [0, 1]."""

    def __len__(self) -> int:
        return len(self.key)

    def select(self, which: NDArray[np.bool_] | slice) -> "CandidatePool":
        """Pool of the marked boxes only."""
        return CandidatePool(self.key[which], self.boxes[which], self.weight[which])


EMPTY = CandidatePool(np.zeros(0), np.zeros((0, 4), dtype=np.int64), np.zeros(0))
"""Nothing to draw."""


def draw_keys(exponential: Floats, value: Floats, *, power: float) -> Floats:
    """Keys of weighted sampling without replacement, as logarithms, for weights ``value ** power``; 0 is drawn last.

    Parameters
    ----------
    exponential
        Numbers from an exponential distribution, ``(n,)``.
    value
        Quantity that is preferred, at least 0.
    power
        0 for no preference.
    """
    # With logarithms no power can overflow or lose the order of small weights.
    with np.errstate(divide="ignore"):
        preference = power * np.log(value) if power else np.zeros(len(value))
        return np.asarray(np.log(exponential) - preference)


def in_order(pool: CandidatePool) -> CandidatePool:
    """Pool sorted by key; equal keys keep their order."""
    order = np.argsort(pool.key, kind="stable")
    return CandidatePool(pool.key[order], pool.boxes[order], pool.weight[order])


def joined(first: CandidatePool, second: CandidatePool) -> CandidatePool:
    """Pool of both, one after the other."""
    return CandidatePool(
        np.concatenate([first.key, second.key]),
        np.concatenate([first.boxes, second.boxes]),
        np.concatenate([first.weight, second.weight]),
    )


def apart(boxes: Boxes, *, distance: int, most: int) -> NDArray[np.bool_]:
    """Thinning to a minimum distance: a box is dropped if it is too near to an earlier one that stays.

    Parameters
    ----------
    boxes
        Boxes of one size in the order in which they are drawn, ``(n, 4)``.
    distance
        Least distance in pixels between two centres; 0 keeps all.
    most
        Most boxes that stay.

    Returns
    -------
    NDArray
        ``(n,)``; the result for the first boxes does not depend on later ones.
    """
    if distance == 0:
        return np.arange(len(boxes)) < most
    if not len(boxes):
        return np.zeros(0, dtype=np.bool_)
    y, x = np.ascontiguousarray(boxes[:, 0]), np.ascontiguousarray(boxes[:, 1])
    return np.asarray(_apart(y, x, distance, most))


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _apart(y: NDArray[np.int64], x: NDArray[np.int64], distance: int, most: int) -> NDArray[np.bool_]:
    # Cells are at least as wide as the distance, so boxes that are too near lie in the same or a neighbouring cell. For
    # small distances wider cells limit their number, so memory does not grow with the area of a slide.
    cell_side = max(distance, max(y.max(), x.max()) // MOST_CELLS + 1)
    rows, columns = y.max() // cell_side + 3, x.max() // cell_side + 3
    last = np.full((rows, columns), -1, dtype=np.int64)
    before = np.full(len(y), -1, dtype=np.int64)
    stays = np.zeros(len(y), dtype=np.bool_)
    count = 0
    for at in range(len(y)):
        if count >= most:
            break
        row, column = y[at] // cell_side + 1, x[at] // cell_side + 1
        near = False
        for cell in range(9):
            other = last[row + cell // 3 - 1, column + cell % 3 - 1]
            while other >= 0 and not near:
                dy, dx = y[at] - y[other], x[at] - x[other]
                near = dy * dy + dx * dx < distance * distance
                other = before[other]
        if not near:
            stays[at] = True
            before[at] = last[row, column]
            last[row, column] = at
            count += 1
    return stays
