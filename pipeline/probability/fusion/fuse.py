"""Fusion of overlapping windows: sums in float32, one division at the end.

The summed values are probabilities or, if configured, logits (``logits``).

``none`` and ``mean`` add values and divide by the number of windows. ``gaussian`` weights values by their distance to
the centre of the window and divides by the sum of the weights. ``max`` keeps the largest value of each class without
division, so classes need not sum to one. A pixel that no window reached is 0.
"""

from typing import TypeAlias

import numpy as np
from numba import njit
from numpy.typing import NDArray

from pipeline.geometry import Box
from pipeline.probability.fusion.finish import Fused, reciprocals
from pipeline.probability.fusion.logits import Activation, activated
from pipeline.probability.fusion.memory_pool import MemoryPool
from pipeline.probability.fusion.weights import gaussian_weights, weight_sum
from pipeline.probability.plan import WindowPlan

__all__ = ["MOST", "accumulate", "add_halo", "are_probabilities", "empty_sums", "fused", "initial_sum"]

Floats: TypeAlias = NDArray[np.float32]

MOST = np.float32(1.001)
"""Probabilities may exceed 1 by rounding, never by this much."""


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _add(sums: Floats, tile: Floats, height: int, width: int, y: int, x: int) -> None:
    # Rows are sliced first, because possibly negative indices prevent vectorisation.
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
def _largest_bits(bits: NDArray[np.uint32]) -> np.uint32:
    largest = np.uint32(0)
    for at in range(bits.size):
        largest = max(largest, bits[at])
    return largest


def are_probabilities(values: Floats) -> bool:
    """Check of probabilities: whether all values of a contiguous array are in 0…1, up to rounding."""
    # Bits of non-negative floats sort like the floats; negative ones, infinity and NaN have larger bits.
    return bool(_largest_bits(values.reshape(-1).view(np.uint32)) <= MOST.view(np.uint32))


def initial_sum(fusion: str, activation: Activation) -> float:
    """Initial value of a sum: 0, or a value below every logit where the largest is kept."""
    return -np.inf if fusion == "max" and activation != "none" else 0.0


def empty_sums(
    fusion: str, shape: tuple[int, int, int], *, activation: Activation = "none", pool: MemoryPool | None = None
) -> Floats:
    """Sums ``(map, y, x)`` that hold no window yet."""
    sums = (pool or MemoryPool()).take(shape)
    sums.fill(initial_sum(fusion, activation))
    return sums


def accumulate(fusion: str, sums: Floats, tile: Floats, *, y: int, x: int, owned: tuple[int, int]) -> None:
    """Addition of one window to the sums of a block, in place; pixels beyond the sums are left out.

    Parameters
    ----------
    fusion
        ``none``, ``mean``, ``max`` or ``gaussian``.
    sums
        ``(class, y, x)``, changed.
    tile
        ``(class, window, window)`` probabilities.
    y, x
        Position of the window's first pixel in the sums.
    owned
        For ``none``: rows and columns of the window that are used.
    """
    if fusion == "gaussian":
        _add_weighted(sums, tile, gaussian_weights(tile.shape[-1]), y, x)
    elif fusion == "max":
        _raise(sums, tile, y, x)
    else:
        _add(sums, tile, *(owned if fusion == "none" else tile.shape[1:]), y, x)


def add_halo(fusion: str, sums: Floats, halo: Floats) -> None:
    """Addition of the halo ``(map, y, x)`` of an earlier block to the sums of a block, in place, from its first pixel."""
    if fusion == "max":
        _raise(sums, halo, 0, 0)
    else:
        _add(sums, halo, *halo.shape[1:], 0, 0)


def fused(
    fusion: str,
    sums: Floats,
    *,
    plan: WindowPlan,
    evaluated: NDArray[np.bool_],
    box: Box,
    activation: Activation = "none",
) -> Fused:
    """Map of a box with the same first pixel as the sums of all its windows; sums beyond the box are ignored."""
    weights = None if fusion == "max" else weight_sum(fusion, plan, evaluated=evaluated, box=box)
    factors = None if weights is None else reciprocals(weights)
    if activation != "none":
        return activated(sums[:, : box.height, : box.width], factors=factors, activation=activation)
    return Fused(sums, factors, (box.height, box.width))
