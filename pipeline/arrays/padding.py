"""Padding of images and targets below and to the right, the same in training and inference."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["pad_constant", "pad_image"]


def pad_image(image: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """Mirror padding of an image ``(c, y, x)`` up to ``side``, which keeps its statistics."""
    missing = _missing(image, side)
    return np.pad(image, [(0, 0), *missing], mode="reflect") if any(after for _, after in missing) else image


def pad_constant(array: NDArray[np.uint8], side: int, *, value: int) -> NDArray[np.uint8]:
    """Constant padding of an array ``(…, y, x)`` up to ``side``."""
    leading = [(0, 0)] * (array.ndim - 2)
    return np.pad(array, [*leading, *_missing(array, side)], constant_values=value)


def _missing(array: NDArray[Any], side: int) -> list[tuple[int, int]]:
    return [(0, max(side - length, 0)) for length in array.shape[-2:]]
