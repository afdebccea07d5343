"""Reference of a map at half its size, for the tests of stage probability."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["half_map"]


def half_map(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Mean of each 2 × 2 values ``(…, y, x)`` in float32, over those that exist where an axis is odd."""
    sides = values.shape[-2:]
    even = np.pad(values, [(0, 0)] * (values.ndim - 2) + [(0, side % 2) for side in sides], mode="edge")
    upper = even[..., ::2, ::2] + even[..., ::2, 1::2]
    lower = even[..., 1::2, ::2] + even[..., 1::2, 1::2]
    return np.asarray((upper + lower) * np.float32(0.25))
