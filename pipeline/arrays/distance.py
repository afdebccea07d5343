"""Signed distance to the border of a mask, plane by plane."""

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["signed_distances"]


def signed_distances(planes: NDArray[np.bool_], exists: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Signed distance to the border of the truth in each plane, pixels, float32.

    Parameters
    ----------
    planes
        ``(n, classes, h, w)``, the truth.
    exists
        The same shape: existing pixels. Others are neither truth nor background, so padding makes no border.

    Returns
    -------
    NDArray
        Outside, the distance to the nearest truth pixel; inside, 1 minus the distance to the nearest background pixel;
        0 in a plane without truth or without background.
    """
    result = np.zeros(planes.shape, np.float32)
    for at in np.ndindex(*planes.shape[:2]):
        background = exists[at] & ~planes[at]
        if planes[at].any() and background.any():
            outer, inner = (
                cv2.distanceTransform(np.uint8(1) - mask.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
                for mask in (planes[at], background)
            )
            result[at] = np.where(planes[at], 1 - inner, outer)
    return result
