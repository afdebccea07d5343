"""Which part of an image counts? The field of view of a fundus photograph, the tissue of a histological slide.

Both are found on a thumbnail (`thumbnail_rows`, about 500 to 1000 pixels wide) and brought to full size block by block
(`upsample_mask`), so that every block agrees with the whole image.
"""

import cv2
import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy import ndimage
from skimage.filters import threshold_otsu

from pipeline.errors import GeometryError, explain
from pipeline.geometry import Box
from pipeline.optical_density import background_intensity, optical_density

__all__ = ["field_of_view", "fov_diameter", "thumbnail_factor", "thumbnail_rows", "tissue_mask", "upsample_mask"]

# Field of view, in grey levels of the brightest channel.
_BLACK_IMAGE = 16
_DARK_BORDER = 32
_DARK_SHARE = 0.35
_RISE = 0.12
_LEAST_RISE = 8

# Tissue, in optical density (natural logarithm), highest or spread over the channels.
_LEAST_DENSITY, _MOST_DENSITY = 0.06, 0.15
_LEAST_SPREAD = 0.03
_BLACK_LEVEL = 44
_INK_SPREAD, _INK_RATIO = 0.45, 1.12
_SPECK_SHARE, _HOLE_SHARE = 2e-4, 1e-3


def field_of_view(thumbnail: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """The lit disc of a fundus photograph.

    The darkest corner of the brightest channel is the border level. Where it is above 32, or above 35 % of the centre,
    there is no border and every pixel is inside. Otherwise a pixel is inside that rises above the border level by 12 %
    of the way to the centre, at least by 8; of these the largest component after an opening, as its convex hull (a disc
    that is cut by the image border is convex, and shadows at its rim are taken in).

    Parameters
    ----------
    thumbnail
        ``(y, x, 3)``.

    Returns
    -------
    NDArray
        ``(y, x)``; nothing is inside in an image without light (99th percentile below 16).
    """
    brightest = _median(thumbnail.max(axis=2))
    height, width = brightest.shape
    if np.percentile(brightest, 99) < _BLACK_IMAGE:
        return np.zeros((height, width), np.bool_)
    border = _darkest_corner(brightest)
    centre = float(np.median(brightest[height // 4 : -(-3 * height // 4), width // 4 : -(-3 * width // 4)]))
    if border > _DARK_BORDER or border > _DARK_SHARE * centre:
        return np.ones((height, width), np.bool_)
    lit = brightest > border + max(_LEAST_RISE, _RISE * (centre - border))
    return _hull(_largest_component(_opened(lit, radius=round(0.03 * max(height, width)))))


def fov_diameter(mask: NDArray[np.bool_]) -> float:
    """How many pixels the field of view is across, also where the image border cuts it.

    Parameters
    ----------
    mask
        ``(y, x)``, the field of view.

    Returns
    -------
    float
        The diameter of the circle through the part of the outline that the image border does not cut (least squares,
        points that lie off by more than 2 % of the radius left out). Where there is no such circle, the longer
        side of the bounding box; 0 for an empty mask.
    """
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if rows.size == 0:
        return 0.0
    extent = float(max(rows[-1] - rows[0], columns[-1] - columns[0]) + 1)
    outline = mask & ~ndimage.binary_erosion(mask, border_value=1)
    y, x = np.nonzero(outline)
    # The outline runs through pixel centres, half a pixel inside the edge on each side.
    diameter = 2 * _circle_radius(y.astype(np.float64), x.astype(np.float64)) + 1
    return diameter if extent - 2 <= diameter <= 1.5 * extent else extent


def tissue_mask(thumbnail: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Stained tissue against glass, pen marks and black borders.

    A pixel is tissue where the highest optical density of its channels (background intensity from the thumbnail)
    exceeds a threshold, Otsu's between 0.06 and 0.15, and where its channels differ by more than 0.03, which those of
    grey shadows and dust do not. Taken out, with a rim: black (no channel above 44, as in ink and scan borders), and
    strong blue and green, as of ink, which absorb more red than green, as the stains do not. Red ink is not told from
    blood. Specks below 0.02 % of the image are removed, holes below 0.1 % filled.

    Parameters
    ----------
    thumbnail
        ``(y, x, 3)``, 2 µm to 50 µm a pixel.

    Returns
    -------
    NDArray
        ``(y, x)``; nothing on a blank slide, nearly everything in a crop of tissue.
    """
    smooth = np.stack([_median(thumbnail[:, :, channel]) for channel in range(3)], axis=2)
    histogram = np.stack([np.bincount(smooth[:, :, channel].ravel(), minlength=256) for channel in range(3)])
    density = optical_density(smooth, i0=background_intensity(histogram))
    foreign = _foreign(smooth, density)
    highest, spread = density.max(axis=2), np.ptp(density, axis=2)
    tissue = (highest > _density_threshold(highest[~foreign])) & (spread > _LEAST_SPREAD) & ~foreign
    specks, holes = (int(np.ceil(share * tissue.size)) for share in (_SPECK_SHARE, _HOLE_SHARE))
    tissue = _without_small(tissue, least=specks)
    return ~_without_small(~tissue, least=holes)


def upsample_mask(
    mask: NDArray[np.bool_], *, box: Box, height: int, width: int, factor: int | None = None
) -> NDArray[np.bool_]:
    """The part ``box`` of the mask at full size: each pixel takes the cell of the thumbnail that holds its centre.

    Parameters
    ----------
    mask
        ``(y, x)`` on the thumbnail.
    box
        The part wanted, in pixels of the full size.
    height, width
        The full size.
    factor
        Side of a thumbnail cell in pixels where the thumbnail was made by `thumbnail_rows`, whose last cells may be
        cut; where not given, the thumbnail is the whole image rescaled.

    Returns
    -------
    NDArray
        ``(box.height, box.width)``; each pixel depends on its place in the image only.

    Raises
    ------
    GeometryError
        Where the box leaves the image, or the thumbnail is not of that factor.
    """
    expected = mask.shape if factor is None else (-(-height // factor), -(-width // factor))
    if not Box.of_shape(height, width).contains(box) or mask.shape != expected or mask.size == 0:
        raise GeometryError(
            explain("The mask cannot be brought to full size.", where="normalized.roi.upsample_mask",
                    found=f"mask {mask.shape}, {box}", expected=f"mask {expected}, box inside {height}×{width}",
                    remedy="Give the mask of this image's thumbnail.")
        )  # fmt: skip
    rows = _cells(box.y0, box.y1, length=height, cells=mask.shape[0], factor=factor)
    columns = _cells(box.x0, box.x1, length=width, cells=mask.shape[1], factor=factor)
    return np.ascontiguousarray(mask[rows][:, columns])


def thumbnail_factor(height: int, width: int, side: int) -> int:
    """The smallest side of square cells, in pixels, with which the longer axis has at most ``side`` of them."""
    return -(-max(height, width) // side)


def thumbnail_rows(block: NDArray[np.uint8], *, box: Box, factor: int) -> NDArray[np.uint8]:
    """The rows of a thumbnail that a strip of the image fills: means over cells of ``factor`` × ``factor`` pixels.

    Parameters
    ----------
    block
        ``(y, x, channel)``, the pixels of ``box``.
    box
        Where the block lies; it starts at multiples of ``factor`` and ends at one or at the image border, where the
        last cells are means over the pixels there are.
    factor
        Side of a cell in pixels, at least 1.

    Returns
    -------
    NDArray
        ``(ceil(y / factor), ceil(x / factor), channel)``, rounded half up in whole numbers.

    Raises
    ------
    GeometryError
        Where the box does not start at a cell, or the block is not of its size.
    """
    if factor < 1 or box.y0 % factor or box.x0 % factor or block.shape[:2] != (box.height, box.width):
        raise GeometryError(
            explain("A strip does not fit the cells of the thumbnail.", where="normalized.roi.thumbnail_rows",
                    found=f"block {block.shape[:2]}, {box}, factor {factor}",
                    expected="a block of the size of its box that starts at multiples of the factor",
                    remedy="Read strips whose rows are a multiple of the factor.")
        )  # fmt: skip
    cells = np.empty((-(-box.height // factor), -(-box.width // factor), block.shape[2]), np.uint8)
    _cell_means(np.ascontiguousarray(block), factor, cells)
    return cells


def _median(channel: NDArray[np.uint8]) -> NDArray[np.uint8]:
    # Against noise and JPEG ringing; an image of less than the window is left as it is.
    if min(channel.shape) < 5:
        return channel
    return np.asarray(cv2.medianBlur(np.ascontiguousarray(channel), 5), np.uint8)


def _darkest_corner(grey: NDArray[np.uint8]) -> float:
    side = max(1, round(0.03 * max(grey.shape)))
    rows, columns = (slice(None, side), slice(-side, None)), (slice(None, side), slice(-side, None))
    return min(float(np.median(grey[row, column])) for row in rows for column in columns)


def _opened(mask: NDArray[np.bool_], *, radius: int) -> NDArray[np.bool_]:
    if radius < 1:
        return mask
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    # What the image border cuts goes on beyond it.
    padded = np.pad(mask.astype(np.uint8), 2 * radius, mode="edge")
    opened = cv2.morphologyEx(padded, cv2.MORPH_OPEN, disc)
    return np.asarray(opened[2 * radius : -2 * radius, 2 * radius : -2 * radius], np.bool_)


def _largest_component(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    _, labels, table, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    areas = np.asarray(table)[1:, cv2.CC_STAT_AREA]
    return np.asarray(labels == 1 + areas.argmax() if areas.size else np.zeros_like(mask), np.bool_)


def _hull(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    if not mask.any():
        return mask
    hull = cv2.convexHull(np.argwhere(mask)[:, ::-1].astype(np.int32))
    filled = cv2.fillConvexPoly(np.zeros(mask.shape, np.uint8), hull, 1)
    return np.asarray(filled, np.bool_)


def _circle_radius(y: NDArray[np.float64], x: NDArray[np.float64]) -> float:
    # Algebraic least squares (Kasa): x² + y² = 2ax + 2by + c is linear in centre (a, b) and c.
    keep = np.ones(y.size, np.bool_)
    radius = 0.0
    for _ in range(4):
        if np.count_nonzero(keep) < 8:
            return 0.0
        system = np.stack([2 * x[keep], 2 * y[keep], np.ones(np.count_nonzero(keep))], axis=1)
        (a, b, c), *_ = np.linalg.lstsq(system, x[keep] ** 2 + y[keep] ** 2, rcond=None)
        radius = float(np.sqrt(max(c + a * a + b * b, 0.0)))
        keep = np.abs(np.hypot(x - a, y - b) - radius) <= max(0.02 * radius, 1.0)
    return radius


def _density_threshold(density: NDArray[np.float32]) -> float:
    if density.size == 0 or density.min() == density.max():
        return _LEAST_DENSITY
    return float(np.clip(threshold_otsu(density), _LEAST_DENSITY, _MOST_DENSITY))


def _foreign(rgb: NDArray[np.uint8], density: NDArray[np.float32]) -> NDArray[np.bool_]:
    ink = (np.ptp(density, axis=2) > _INK_SPREAD) & (density[:, :, 0] > _INK_RATIO * density[:, :, 1])
    foreign = (rgb.max(axis=2) < _BLACK_LEVEL) | ink
    # Isolated pixels are dark nuclei or noise; marks have some width, and their rim is a mixture with the glass.
    return ndimage.binary_dilation(_opened(foreign, radius=2), iterations=3)


def _without_small(mask: NDArray[np.bool_], *, least: int) -> NDArray[np.bool_]:
    count, labels, table, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=4)
    keep = np.asarray(table)[:count, cv2.CC_STAT_AREA] >= least
    keep[0] = False
    return np.asarray(keep[labels], np.bool_)


def _cells(first: int, end: int, *, length: int, cells: int, factor: int | None) -> NDArray[np.int64]:
    places = np.arange(first, end, dtype=np.int64)
    return places // factor if factor is not None else (2 * places + 1) * cells // (2 * length)


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _cell_means(block: NDArray[np.uint8], factor: int, cells: NDArray[np.uint8]) -> None:
    height, width, channels = block.shape
    sums = np.empty((cells.shape[1], channels), np.int64)
    for i in range(cells.shape[0]):
        sums[:] = 0
        rows = min(factor, height - i * factor)
        for y in range(i * factor, i * factor + rows):
            for x in range(width):
                for channel in range(channels):
                    sums[x // factor, channel] += block[y, x, channel]
        for j in range(cells.shape[1]):
            pixels = rows * min(factor, width - j * factor)
            for channel in range(channels):
                cells[i, j, channel] = (2 * sums[j, channel] + pixels) // (2 * pixels)
