"""Activation of fused logits: softmax or sigmoid after the fusion of the windows.

For a network of one class per pixel the logarithms of its probabilities are fused, background included. Then ``max`` is
that of the probabilities themselves, and a softmax of the weighted mean equals the softmax of the weighted mean of the
logits, because both differ by a term common to all classes. Independent classes are fused as logits.
"""

from typing import Literal, TypeAlias

import numpy as np
from numba import njit
from numpy.typing import NDArray

from pipeline.probability.fusion.finish import Fused

__all__ = ["Activation", "activated", "activation_of"]

Floats: TypeAlias = NDArray[np.float32]
Activation: TypeAlias = Literal["none", "softmax", "sigmoid"]
"""Activation that turns fused values into probabilities; none where probabilities were fused."""


def activation_of(task: str, *, fuse: str) -> Activation:
    """Activation of the fused values of a task, where ``probabilities`` or ``logits`` are fused."""
    if fuse == "probabilities":
        return "none"
    return "softmax" if task == "multiclass" else "sigmoid"


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _softmax(values: Floats) -> None:
    for y in range(values.shape[1]):
        for x in range(values.shape[2]):
            largest = values[:, y, x].max()
            total = np.float32(0)
            for c in range(values.shape[0]):
                values[c, y, x] = np.exp(values[c, y, x] - largest)
                total += values[c, y, x]
            for c in range(values.shape[0]):
                values[c, y, x] /= total


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _sigmoid(values: Floats) -> None:
    flat = values.reshape(-1)
    for at in range(flat.size):
        flat[at] = np.float32(1) / (np.float32(1) + np.exp(-flat[at]))


def activated(sums: Floats, *, factors: Floats | None, activation: Activation) -> Fused:
    """Map of a block from sums of logits.

    Parameters
    ----------
    sums
        ``(map, y, x)``; with ``softmax`` the first is background.
    factors
        ``(y, x)`` factors of the sums, 0 without any window; None for the largest value, where −infinity means no
        window.
    activation
        ``softmax`` or ``sigmoid``.
    """
    values = np.ascontiguousarray(sums)
    if values is sums:
        values = sums.copy()
    if factors is not None:
        values *= factors
    if activation == "sigmoid":
        _sigmoid(values)
    elif factors is None:
        np.exp(values, out=values)  # Logarithms of probabilities: the largest of each class, not renormalised.
    else:
        _softmax(values)
    if factors is not None:
        values[:, factors == 0] = 0
    return Fused(values[1:] if activation == "softmax" else values, None)
