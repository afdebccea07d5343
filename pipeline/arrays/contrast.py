"""Contrast of regions against their surroundings.

A ring holds the pixels outside of all regions, inside the roi and not ignored, that lie within ``RING`` rows and
columns of a pixel of the region. A ring pixel counts once for each region pixel that it is near, so the nearest weigh
most. So every sum runs over pixels of the region, and nothing about the region as a whole is needed.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.geometry import Box

__all__ = ["RING", "Light", "Ring", "luminance", "ring_around"]

RING = 8
"""Width of a ring in pixels of the grid."""


@dataclass(frozen=True, slots=True, eq=False)
class Ring:
    """Surroundings of each pixel of a block ``(y, x)``."""

    light: NDArray[np.int32]
    """Sum of the grey levels of the ring pixels near it."""
    pixels: NDArray[np.int32]
    """Number of them."""


@dataclass(frozen=True, slots=True, eq=False)
class Light:
    """Grey levels of a block, and the rings around regions of the truth and of the prediction."""

    grey: NDArray[np.uint8]
    truth: Ring
    mask: Ring


def luminance(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Luminance ``(y, x)`` of an RGB image ``(3, y, x)``: .299, .587 and .114 of red, green, blue, rounded."""
    return np.asarray(cv2.cvtColor(np.ascontiguousarray(np.moveaxis(picture, 0, -1)), cv2.COLOR_RGB2GRAY), np.uint8)


def ring_around(grey: NDArray[np.uint8], outside: NDArray[np.bool_], inner: Box) -> Ring:
    """Ring sums of the pixels of a block that is given with ``RING`` pixels around it, as far as the image goes.

    Parameters
    ----------
    grey
        Grey levels of the block and its surroundings.
    outside
        Pixels that belong to rings, of the same shape.
    inner
        Position of the block in them.
    """
    near = outside.astype(np.uint8)
    return Ring(*(_near_sums(each)[inner.slices] for each in (grey * near, near)))


def _near_sums(values: NDArray[np.uint8]) -> NDArray[np.int32]:
    size = (2 * RING + 1, 2 * RING + 1)
    found = cv2.boxFilter(values, cv2.CV_32S, size, normalize=False, borderType=cv2.BORDER_CONSTANT)
    return np.asarray(found, np.int32)
