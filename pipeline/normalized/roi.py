"""Field of view of a fundus photograph, its diameter, and the thumbnails in which regions of interest are found.

A region is found on a thumbnail about 500 to 1000 pixels wide (`thumbnail_rows`). `pipeline.normalized.region` brings
it to full size block by block, so that every block agrees with the whole image.
"""

import cv2
import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy import ndimage

from pipeline.errors import GeometryError
from pipeline.geometry import Box
from pipeline.normalized.border import DARK_BORDER, LEAST_RISE, border_colour, difference, framed, middle, rectangle

__all__ = ["field_of_view", "fov_diameter", "thumbnail_factor", "thumbnail_rows", "whole_picture", "without_rim"]

# Field of view: the 99th percentile of a black image, in grey levels; the threshold of lit pixels, as a share of the
# centre.
_BLACK_IMAGE = 16
_RISE = 0.12
# A disc fills its convex hull.
_SOLID = 0.9
_RIM = 0.004


def field_of_view(thumbnail: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Field of view: the lit disc of a fundus photograph, on a border of any even colour.

    A pixel is lit if it differs from the border by at least 12 % of the centre's difference, and by at least 8. A black
    border is compared with its brightest channel, another colour with the channel that differs most. The field of view
    is the convex hull of the largest component of lit pixels after an opening. A disc cut by the image border stays
    convex; shadows at its rim and notches are included; text, lines and tabs are not.

    Every pixel is inside where there is no border, or where the component on a coloured border does not fill 90 % of
    its hull. A frame along the image border is removed first. Where the hull is a rectangle, as on a page, the search
    is repeated inside it.

    Parameters
    ----------
    thumbnail
        ``(y, x, 3)``.

    Returns
    -------
    NDArray
        ``(y, x)``; nothing is inside in an image without light (99th percentile below 16).
    """
    red, green, blue = (thumbnail[:, :, channel] for channel in range(3))
    planes = (red, green, blue, np.maximum(np.maximum(red, green), blue))
    return _field_of_view(np.stack([median_smoothed(plane) for plane in planes]))


def _field_of_view(planes: NDArray[np.uint8]) -> NDArray[np.bool_]:
    if np.percentile(planes[3], 99) < _BLACK_IMAGE:
        return np.zeros(planes.shape[1:], np.bool_)
    border = border_colour(planes)
    if border is None:
        return np.ones(planes.shape[1:], np.bool_)
    mask = _disc(difference(planes, border), solid=border[3] > DARK_BORDER)
    frame = framed(planes, border) or rectangle(mask)
    if frame is None:
        return mask
    found = _field_of_view(np.ascontiguousarray(planes[:, *frame]))
    if found.all():
        return mask
    mask = np.zeros_like(mask)
    mask[frame] = found
    return mask


def _disc(differing: NDArray[np.float32], *, solid: bool) -> NDArray[np.bool_]:
    """Convex hull of the pixels that differ from the border; the whole image where a component fails to fill its hull."""
    lit = differing > np.float64(max(LEAST_RISE, _RISE * float(np.median(differing[middle(differing)]))))
    disc = _largest_component(opened(lit, radius=round(0.03 * max(differing.shape))))
    hull = _hull(disc)
    if not solid or 0 < _SOLID * np.count_nonzero(hull) <= np.count_nonzero(ndimage.binary_fill_holes(disc)):
        return hull
    return np.ones_like(hull)


def whole_picture(thumbnail: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Region of interest ``(y, x)`` of all pixels of a thumbnail ``(y, x, 3)``, whatever its border."""
    return np.ones(thumbnail.shape[:2], np.bool_)


def fov_diameter(mask: NDArray[np.bool_]) -> float:
    """Diameter of the field of view in pixels, also where the image border cuts it.

    Parameters
    ----------
    mask
        ``(y, x)``, the field of view.

    Returns
    -------
    float
        Diameter of a least-squares circle through the part of the outline that the image border does not cut, without
        points more than 2 % of the radius away. Where there is no such circle, the longer side of the bounding box; 0
        for an empty mask.
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


def without_rim(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Field of view without its rim, where the light fades: 0.4 % of the diameter, 14 of 3427 pixels in IDRiD.

    An image border that cuts the field of view is not a rim. A field of view that is all rim is left unchanged.
    """
    radius = max(1, round(_RIM * fov_diameter(mask)))
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    lit = np.asarray(cv2.erode(mask.astype(np.uint8), disc), np.bool_)
    return lit if lit.any() else mask


def thumbnail_factor(height: int, width: int, side: int) -> int:
    """Side of a thumbnail's square cells in pixels: the smallest with at most ``side`` cells on the longer axis."""
    return -(-max(height, width) // side)


def thumbnail_rows(block: NDArray[np.uint8], *, box: Box, factor: int) -> NDArray[np.uint8]:
    """Thumbnail rows that a strip of the image fills: means over cells of ``factor`` × ``factor`` pixels.

    Parameters
    ----------
    block
        ``(y, x, channel)``, the pixels of ``box``.
    box
        Where the block lies. It starts at multiples of ``factor``, and ends at one or at the image border. The last
        cells at the border are means over fewer pixels.
    factor
        Side of a cell in pixels, at least 1.

    Returns
    -------
    NDArray
        ``(ceil(y / factor), ceil(x / factor), channel)``, rounded half up in whole numbers.

    Raises
    ------
    GeometryError
        The box does not start at a cell, or the block has another size.
    """
    if factor < 1 or box.y0 % factor or box.x0 % factor or block.shape[:2] != (box.height, box.width):
        raise GeometryError(
            "A strip does not fit the cells of the thumbnail.",
            where="normalized.roi.thumbnail_rows",
            found=f"block {block.shape[:2]}, {box}, factor {factor}",
            expected="a block of the size of its box that starts at multiples of the factor",
            remedy="Read strips whose rows are a multiple of the factor.",
        )
    cells = np.empty((-(-box.height // factor), -(-box.width // factor), block.shape[2]), np.uint8)
    _cell_means(np.ascontiguousarray(block), factor, cells)
    return cells


def median_smoothed(channel: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Median filter of a plane ``(y, x)`` over 5 × 5 pixels, against noise and JPEG ringing.

    A plane with a side of less than 5 pixels is returned as it is.
    """
    if min(channel.shape) < 5:
        return channel
    return np.asarray(cv2.medianBlur(np.ascontiguousarray(channel), 5), np.uint8)


def opened(mask: NDArray[np.bool_], *, radius: int) -> NDArray[np.bool_]:
    """Morphological opening of a mask ``(y, x)`` by a disc of a radius in pixels; below 1 the mask as it is."""
    if radius < 1:
        return mask
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    # A region cut by the image border continues beyond it.
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


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _cell_means(block: NDArray[np.uint8], factor: int, cells: NDArray[np.uint8]) -> None:
    # Down the rows first: whole rows are added with vector instructions.
    height, width, channels = block.shape
    lines, line = block.reshape(height, width * channels), np.empty(width * channels, np.uint32)
    for i in range(cells.shape[0]):
        rows = min(factor, height - i * factor)
        line[:] = 0
        for y in range(i * factor, i * factor + rows):
            values = lines[y]
            for k in range(line.size):
                line[k] += values[k]
        for j in range(cells.shape[1]):
            first, end = j * factor, min((j + 1) * factor, width)
            pixels = rows * (end - first)
            for channel in range(channels):
                total = np.int64(0)
                for x in range(first, end):
                    total += line[x * channels + channel]
                cells[i, j, channel] = (2 * total + pixels) // (2 * pixels)
