"""How do overlapping windows become one map? Sums in float32, one division at the end.

What is added is probabilities, or, where so configured, logits (``logits``): read "values" below.

``none`` and ``mean`` add values and divide by how many windows were added; ``gaussian`` adds them weighted by
their distance to the centre of the window and divides by the sum of those weights; ``max`` keeps the largest value of
each class and divides by nothing, so that its classes need not sum to one. A pixel that no window reached is 0. The
sum of weights follows from the plan alone: it is computed, not carried along.
"""

from functools import lru_cache
from typing import TypeAlias

import numpy as np
from numba import njit
from numpy.typing import NDArray

from pipeline.geometry import Box
from pipeline.probability.fusion.buffers import Buffers
from pipeline.probability.fusion.finish import Fused, reciprocals
from pipeline.probability.fusion.logits import Activation, activated
from pipeline.probability.plan import WindowPlan

__all__ = [
    "MOST",
    "accumulate",
    "are_probabilities",
    "empty_sums",
    "first_sum",
    "fused",
    "gaussian_weights",
    "merge",
    "weight_sum",
]

Floats: TypeAlias = NDArray[np.float32]

LEAST_WEIGHT = 1e-3
MOST = np.float32(1.001)
"""Probabilities may exceed 1 by rounding, never by this much."""


@lru_cache(maxsize=8)
def gaussian_weights(window: int) -> Floats:
    """Weights of the pixels of a window.

    Parameters
    ----------
    window
        Side in pixels.

    Returns
    -------
    NDArray
        ``(window, window)``, read-only: the outer product of a Gaussian of unit peak with itself, with standard
        deviation ``window / 8`` and centre ``(window − 1) / 2``, but at least 0.001.
    """
    distance = (np.arange(window) - (window - 1) / 2) / (window / 8)
    profile = np.exp(-0.5 * distance**2)
    weights = np.maximum(np.outer(profile, profile), LEAST_WEIGHT).astype(np.float32)
    weights.setflags(write=False)
    return weights


@lru_cache(maxsize=8)
def _equal_weights(window: int) -> Floats:
    weights = np.ones((window, window), dtype=np.float32)
    weights.setflags(write=False)
    return weights


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _add(sums: Floats, tile: Floats, height: int, width: int, y: int, x: int) -> None:
    # Rows are cut out first: indices that may be negative keep a loop from being vectorised.
    rows, columns = min(height, sums.shape[1] - y), min(width, sums.shape[2] - x)
    for c in range(tile.shape[0]):
        for row in range(rows):
            target, source = sums[c, y + row, x : x + columns], tile[c, row, :columns]
            for column in range(columns):
                target[column] += source[column]


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _add_weighted(sums: Floats, tile: Floats, weights: Floats, y: int, x: int) -> None:
    rows, columns = min(tile.shape[1], sums.shape[1] - y), min(tile.shape[2], sums.shape[2] - x)
    for c in range(tile.shape[0]):
        for row in range(rows):
            target, source = sums[c, y + row, x : x + columns], tile[c, row, :columns]
            weight = weights[row, :columns]
            for column in range(columns):
                target[column] += weight[column] * source[column]


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _raise(sums: Floats, tile: Floats, y: int, x: int) -> None:
    rows, columns = min(tile.shape[1], sums.shape[1] - y), min(tile.shape[2], sums.shape[2] - x)
    for c in range(tile.shape[0]):
        for row in range(rows):
            target, source = sums[c, y + row, x : x + columns], tile[c, row, :columns]
            for column in range(columns):
                target[column] = max(target[column], source[column])


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _add_weights(total: Floats, weights: Floats, height: int, width: int, y: int, x: int) -> None:
    left, right = max(x, 0), min(x + width, total.shape[1])
    for row in range(max(y, 0), min(y + height, total.shape[0])):
        target, source = total[row, left:right], weights[row - y, left - x : right - x]
        for column in range(right - left):
            target[column] += source[column]


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _largest_bits(bits: NDArray[np.uint32]) -> np.uint32:
    largest = np.uint32(0)
    for at in range(bits.size):
        largest = max(largest, bits[at])
    return largest


def are_probabilities(values: Floats) -> bool:
    """Whether all values of a contiguous array are numbers from 0 to 1, up to rounding."""
    # Bits of non-negative floats order like the floats; negative ones, infinity and NaN have larger bits.
    return bool(_largest_bits(values.reshape(-1).view(np.uint32)) <= MOST.view(np.uint32))


def first_sum(fusion: str, activation: Activation) -> float:
    """What a sum is before any window: 0, or what is below every logit where the largest is kept."""
    return -np.inf if fusion == "max" and activation != "none" else 0.0


def empty_sums(
    fusion: str, shape: tuple[int, int, int], *, activation: Activation = "none", buffers: Buffers | None = None
) -> Floats:
    """Sums ``(map, y, x)`` that hold no window yet."""
    sums = (buffers or Buffers()).take(shape)
    sums.fill(first_sum(fusion, activation))
    return sums


def accumulate(fusion: str, sums: Floats, tile: Floats, *, y: int, x: int, owned: tuple[int, int]) -> None:
    """Add one window to the sums of a block, in place; what lies beyond the sums is left out.

    Parameters
    ----------
    fusion
        ``none``, ``mean``, ``max`` or ``gaussian``.
    sums
        ``(class, y, x)``, changed.
    tile
        ``(class, window, window)`` probabilities.
    y, x
        Where the window's first pixel goes in the sums.
    owned
        For ``none``: rows and columns of the window that count.
    """
    if fusion == "gaussian":
        _add_weighted(sums, tile, gaussian_weights(tile.shape[-1]), y, x)
    elif fusion == "max":
        _raise(sums, tile, y, x)
    else:
        _add(sums, tile, *(owned if fusion == "none" else tile.shape[1:]), y, x)


def merge(fusion: str, sums: Floats, overhang: Floats, *, y: int, x: int) -> None:
    """Join the overhang of a neighbour ``(class, y, x)`` to the sums of a block, in place, at ``y, x``."""
    if fusion == "max":
        _raise(sums, overhang, y, x)
    else:
        _add(sums, overhang, *overhang.shape[1:], y, x)


def weight_sum(fusion: str, plan: WindowPlan, *, evaluated: NDArray[np.bool_], box: Box) -> Floats:
    """The sum of the weights of all evaluated windows at each pixel of a box.

    Parameters
    ----------
    fusion
        ``none``, ``mean`` or ``gaussian``; for ``max`` there is none.
    plan
        The windows.
    evaluated
        One flag per window of ``plan.grid``.
    box
        Pixels wanted.

    Returns
    -------
    NDArray
        ``(height, width)`` of the box; 0 where no window was evaluated.
    """
    total = np.zeros((box.height, box.width), dtype=np.float32)
    weights = (gaussian_weights if fusion == "gaussian" else _equal_weights)(plan.window)
    for window in plan.touching(box):
        if evaluated[window.row, window.column]:
            rows, columns = plan.owned(window) if fusion == "none" else weights.shape
            _add_weights(total, weights, rows, columns, window.y - box.y0, window.x - box.x0)
    return total


def fused(
    fusion: str,
    sums: Floats,
    *,
    plan: WindowPlan,
    evaluated: NDArray[np.bool_],
    box: Box,
    activation: Activation = "none",
) -> Fused:
    """The map of a box, whose first pixel is that of the sums of all its windows; what the sums hold beyond is left."""
    weights = None if fusion == "max" else weight_sum(fusion, plan, evaluated=evaluated, box=box)
    factors = None if weights is None else reciprocals(weights)
    if activation != "none":
        return activated(sums[:, : box.height, : box.width], factors=factors, activation=activation)
    return Fused(sums, factors, (box.height, box.width))
