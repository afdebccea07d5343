"""Resizing of patches that are read larger or smaller than the network takes them: images and masks to the same side.

If a patch shrinks, a new pixel is the mean over its area; if it grows, pixels are interpolated linearly.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["resized_image", "resized_masks"]


def resized_image(image: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """Image ``(c, y, x)``, square, with another side."""
    if image.shape[-1] == side:
        return image
    method = cv2.INTER_AREA if image.shape[-1] > side else cv2.INTER_LINEAR
    return np.stack([cv2.resize(np.ascontiguousarray(plane), (side, side), interpolation=method) for plane in image])


def resized_masks(planes: NDArray[np.uint8], side: int, *, any_part: bool = False) -> NDArray[np.uint8]:
    """Square masks ``(n, y, x)`` of 0 and more, with another side: 1 where half, or any part, of a new pixel is covered."""
    least = 1 if any_part else 128
    resized = np.zeros((len(planes), side, side), np.uint8)
    for at in np.flatnonzero(planes.any(axis=(1, 2))):  # Most classes are absent from a given patch.
        covered = (planes[at : at + 1] > 0).view(np.uint8) * np.uint8(255)
        resized[at] = resized_image(covered, side)[0] >= least
    return resized
