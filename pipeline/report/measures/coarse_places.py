"""Places of frequent mistakes in an image, found in a version of bounded size: vessels, blank and uneven areas, the rim.

All are estimates by a stated rule. The small image is a pyramid level, read whole, so findings do not depend on blocks
of the full size.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from pipeline.arrays.raster import Raster
from pipeline.geometry import Box, strips

__all__ = ["SIDE", "CoarsePlaces", "blank", "coarse_level", "every_nth", "rim_of", "unevenly_stained", "vessels"]

SIDE = 1100
"""Longer side of the picture at most."""
RIDGE_SCALES = (2.0, 3.5, 5.0)
"""Standard deviations of the ridge filter, in pixels of a field of view of ``RIDGE_FIELD`` pixels across."""
RIDGE_FIELD = 900
VESSEL_SHARE = 1 / 8
"""Share of the field of view that counts as vessels, a little more than in a photograph of the posterior pole."""
GROUND = 10
"""Divisor of the field of view that gives the side of a pixel's surroundings."""
LENGTH = 1 / 20
"""Least extent of connected ridges that count as a vessel, as a share of the field of view."""
ROUND = 0.5
"""Ratio of second to first curvature from which a dark spot is round and no vessel."""
RIM_SHARE = 0.02
"""Width of the rim of the roi, in parts of the longer side."""
BLANK_GREY = 235
"""Mean grey level from which a place is blank."""
BLANK_WINDOW, EVEN_WINDOW = 15, 63
UNEVEN = 1 / 3
"""Relative deviation of the local optical density of tissue from its median that counts as uneven."""


@dataclass(frozen=True, slots=True, eq=False)
class CoarsePlaces:
    """Places ``(h, w)`` of a picture whose cells are squares of ``factor`` pixels of the image."""

    factor: int
    masks: Mapping[str, NDArray[np.bool_]]

    def read(self, name: str, box: Box) -> NDArray[np.bool_]:
        """Place on the pixels of a box of the image."""
        mask = self.masks[name]
        rows = np.minimum(np.arange(box.y0, box.y1) // self.factor, mask.shape[0] - 1)
        columns = np.minimum(np.arange(box.x0, box.x1) // self.factor, mask.shape[1] - 1)
        return mask[np.ix_(rows, columns)]


def coarse_level(shapes: tuple[tuple[int, int], ...]) -> int:
    """Finest level whose longer side is at most ``SIDE``; the coarsest where none is.

    Examples
    --------
    >>> coarse_level(((2848, 4288), (1424, 2144), (712, 1072), (356, 536)))
    2
    """
    small = [level for level, shape in enumerate(shapes) if max(shape) <= SIDE]
    return min(small, default=len(shapes) - 1)


def every_nth(mask: Raster[np.generic], step: int) -> NDArray[np.bool_]:
    """Mask ``(y, x)`` at the first pixel of every cell of ``step`` pixels, read strip by strip."""
    rows = max(step, 1024 // step * step)
    return np.concatenate([mask.read(box)[::step, ::step] != 0 for box in strips(*mask.shape, rows)])


def _ridges(grey: NDArray[np.float64], sigma: float) -> NDArray[np.float64]:
    """Strength of dark ridges: the curvature across, if that along is less than ``ROUND`` of it; else 0."""
    yy, xx, xy = (ndimage.gaussian_filter(grey, sigma, order=order) for order in ((2, 0), (0, 2), (1, 1)))
    middle, spread = (yy + xx) / 2, np.sqrt(((yy - xx) / 2) ** 2 + xy**2)
    across, along = middle + spread, middle - spread
    return np.where((across > 0) & (np.abs(along) < ROUND * across), sigma**2 * across, 0.0)


def _eroded(mask: NDArray[np.bool_], radius: int) -> NDArray[np.bool_]:
    """Pixels of a mask further than ``radius`` from its outside; the border of the image does not count as outside."""
    distance = cv2.distanceTransform(np.pad(mask, 1, mode="edge").astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return np.asarray(distance[1:-1, 1:-1] > radius)


def _long(mask: NDArray[np.bool_], *, least: float) -> NDArray[np.bool_]:
    """8-connected components with a box of at least the given length."""
    _, labels, table, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    long = table[:, [cv2.CC_STAT_WIDTH, cv2.CC_STAT_HEIGHT]].max(axis=1) >= least
    long[0] = False  # The background.
    return np.asarray(long[labels])


def vessels(picture: NDArray[np.uint8], roi: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Vessels of a fundus photograph, as a ridge filter estimates them.

    They are the strongest ``VESSEL_SHARE`` of the field of view by dark ridges of the green channel, over three widths,
    if connected over ``LENGTH`` of the field. A ridge is curved across but not along, so round dark lesions do not
    count.

    Parameters
    ----------
    picture
        ``(3, h, w)`` red, green, blue.
    roi
        ``(h, w)``: the field of view.

    References
    ----------
    .. [1] A. F. Frangi et al., Multiscale vessel enhancement filtering, MICCAI 1998: curvatures of the smoothed image.
    """
    field = math.sqrt(4 * np.count_nonzero(roi) / math.pi)
    scales = [max(1.0, each * field / RIDGE_FIELD) for each in RIDGE_SCALES]
    inside = _eroded(roi, math.ceil(2 * scales[-1]))
    if not inside.any():
        return np.zeros_like(roi)
    green = picture[1].astype(np.float64)
    green[~roi] = np.median(green[roi])  # Otherwise the rim of the field would be the strongest ridge.
    # Areas brighter than their surroundings are cut off, so that two bright lesions have no dark ridge between them.
    green = np.minimum(green, ndimage.uniform_filter(green, max(3, round(field / GROUND)), mode="nearest"))
    strength = np.max([_ridges(green, each) for each in scales], axis=0)
    cut = np.quantile(strength[inside], 1 - VESSEL_SHARE)
    return _long(inside & (strength >= cut) & (strength > 0), least=field * LENGTH)


def rim_of(roi: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Rim of the roi: its pixels within ``RIM_SHARE`` of the longer side from its outside."""
    return roi & ~_eroded(roi, max(1, round(RIM_SHARE * max(roi.shape))))


def blank(picture: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Blank area of a slide: the mean grey level of ``BLANK_WINDOW`` pixels around is at least ``BLANK_GREY``."""
    grey = ndimage.uniform_filter(picture.mean(axis=0), BLANK_WINDOW, mode="nearest")
    return np.asarray(grey >= BLANK_GREY)


def unevenly_stained(picture: NDArray[np.uint8], tissue: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Unevenly stained tissue: its mean optical density around differs from the median of all tissue by ``UNEVEN`` of it."""
    density = -np.log(np.maximum(picture, 1).astype(np.float64) / 255).mean(axis=0)
    share = ndimage.uniform_filter(tissue.astype(np.float64), EVEN_WINDOW, mode="nearest")
    local = ndimage.uniform_filter(density * tissue, EVEN_WINDOW, mode="nearest") / np.maximum(share, 1e-9)
    if not tissue.any():
        return np.zeros_like(tissue)
    usual = float(np.median(density[tissue]))
    return np.asarray(tissue & (np.abs(local - usual) > UNEVEN * usual))
