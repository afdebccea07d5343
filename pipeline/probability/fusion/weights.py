"""Gaussian or equal weights of the pixels of a window, and their sum over all windows.

The sum follows from the plan, so the blocks do not carry it.
"""

from functools import lru_cache
from typing import TypeAlias

import numpy as np
from numba import njit
from numpy.typing import NDArray

from pipeline.geometry import Box
from pipeline.probability.plan import WindowPlan

__all__ = ["gaussian_weights", "weight_sum"]

Floats: TypeAlias = NDArray[np.float32]

LEAST_WEIGHT = 1e-3
"""Floor of Gaussian weights, whose peak is 1."""


@lru_cache(maxsize=8)
def gaussian_weights(window: int) -> Floats:
    """Gaussian weights of the pixels of a window.

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
def _add_weights(total: Floats, weights: Floats, height: int, width: int, y: int, x: int) -> None:
    left, right = max(x, 0), min(x + width, total.shape[1])
    for row in range(max(y, 0), min(y + height, total.shape[0])):
        target, source = total[row, left:right], weights[row - y, left - x : right - x]
        for column in range(right - left):
            target[column] += source[column]


def weight_sum(fusion: str, plan: WindowPlan, *, evaluated: NDArray[np.bool_], box: Box) -> Floats:
    """Sum of the weights of all evaluated windows at each pixel of a box.

    Parameters
    ----------
    fusion
        ``none``, ``mean`` or ``gaussian``; ``max`` has no weights.
    plan
        The windows.
    evaluated
        One flag per window of ``plan.grid``.
    box
        Requested pixels.

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
