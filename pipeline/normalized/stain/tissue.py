"""Tissue mask of a slide, found in a thumbnail: without glass, pen marks, black borders and shadows; and its holes."""

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.filters import threshold_otsu

from pipeline.arrays.optical_density import background_intensity, optical_density
from pipeline.normalized.roi import median_smoothed, opened

__all__ = ["fill_holes", "foreign_mask", "tissue_mask"]

# Tissue, in optical density (natural logarithm), highest or spread over the channels.
_LEAST_DENSITY, _MOST_DENSITY = 0.06, 0.15
_LEAST_SPREAD = 0.03
_BLACK_LEVEL = 44
_INK_SPREAD, _INK_RATIO = 0.45, 1.12
_SPECK_SHARE, _HOLE_SHARE = 2e-4, 1e-3


def tissue_mask(thumbnail: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Tissue mask: stained tissue against glass, pen marks and black borders.

    A pixel is tissue if the highest optical density of its channels exceeds Otsu's threshold, clamped to 0.06…0.15, and
    its channels differ by more than 0.03, which excludes grey shadows and dust. The background intensity comes from the
    thumbnail.

    Black and ink are removed, with a rim. Black has no channel above 44, as in ink and scan borders. Blue and green ink
    absorb more red than green, unlike the stains. Red ink cannot be distinguished from blood. Specks below 0.02 % of
    the image are removed, holes below 0.1 % filled.

    Parameters
    ----------
    thumbnail
        ``(y, x, 3)``, 2 µm to 50 µm a pixel.

    Returns
    -------
    NDArray
        ``(y, x)``; empty on a blank slide, nearly full in a crop of tissue.
    """
    smooth, density = _smooth_density(thumbnail)
    highest, spread = density.max(axis=0), np.ptp(density, axis=0)
    foreign = _foreign(smooth, density)
    tissue = (highest > _density_threshold(highest[~foreign])) & (spread > _LEAST_SPREAD) & ~foreign
    specks, holes = (int(np.ceil(share * tissue.size)) for share in (_SPECK_SHARE, _HOLE_SHARE))
    tissue = _without_small(tissue, least=specks)
    return ~_without_small(~tissue, least=holes)


def foreign_mask(thumbnail: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Foreign matter on a slide, ``(y, x)``: the black and the ink that `tissue_mask` removes, with a rim."""
    return _foreign(*_smooth_density(thumbnail))


def fill_holes(tissue: NDArray[np.bool_], *, foreign: NDArray[np.bool_], largest_share: float) -> NDArray[np.bool_]:
    """Tissue mask with its smaller holes filled: lumen and mucus are as pale as glass, and lesions are annotated across them.

    Parameters
    ----------
    tissue
        ``(y, x)``.
    foreign
        ``(y, x)``; a hole that is mostly ink or black stays one.
    largest_share
        Largest hole that is filled, as a share of the image. A gap cut by the image border is no hole.
    """
    count, labels, table, _ = cv2.connectedComponentsWithStats((~tissue).astype(np.uint8), connectivity=4)
    left, top, width, height, area = (np.asarray(table)[:, at] for at in range(5))
    inside = (left > 0) & (top > 0) & (left + width < tissue.shape[1]) & (top + height < tissue.shape[0])
    ink = np.bincount(labels[foreign], minlength=count)
    filled = inside & (area <= largest_share * tissue.size) & (2 * ink <= area)
    filled[0] = True  # The tissue itself.
    return np.asarray(filled[labels], np.bool_)


def _smooth_density(thumbnail: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Smoothed planes of a thumbnail and their optical densities, ``(3, y, x)`` each."""
    # Channels first: a reduction over three neighbours in memory takes ten times as long as one over three planes.
    smooth = np.stack([median_smoothed(thumbnail[:, :, channel]) for channel in range(3)])
    histogram = np.stack([np.bincount(plane.ravel(), minlength=256) for plane in smooth])
    density = optical_density(np.moveaxis(smooth, 0, 2), i0=background_intensity(histogram))
    return smooth, np.ascontiguousarray(np.moveaxis(density, 2, 0))


def _density_threshold(density: NDArray[np.float32]) -> float:
    if density.size == 0 or density.min() == density.max():
        return _LEAST_DENSITY
    return float(np.clip(threshold_otsu(density), _LEAST_DENSITY, _MOST_DENSITY))


def _foreign(rgb: NDArray[np.uint8], density: NDArray[np.float32]) -> NDArray[np.bool_]:
    ink = (np.ptp(density, axis=0) > _INK_SPREAD) & (density[0] > _INK_RATIO * density[1])
    foreign = (rgb.max(axis=0) < _BLACK_LEVEL) | ink
    # Isolated pixels are dark nuclei or noise; marks have some width, and their rim is mixed with glass.
    return ndimage.binary_dilation(opened(foreign, radius=2), iterations=3)


def _without_small(mask: NDArray[np.bool_], *, least: int) -> NDArray[np.bool_]:
    count, labels, table, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=4)
    keep = np.asarray(table)[:count, cv2.CC_STAT_AREA] >= least
    keep[0] = False
    return np.asarray(keep[labels], np.bool_)
