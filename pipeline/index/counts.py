"""What is inside each window? Exact pixel counts of many boxes from one pass over strips with summed-area tables."""

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.geometry import Box, strips
from pipeline.index.image import NormalizedImage, ReadPlanes
from pipeline.stores import read_box

__all__ = ["Boxes", "gradient", "structure", "truth_counts", "window_sums"]

Boxes = NDArray[np.int64]
"""``(n, 4)``: y0, x0, y1, x1 of each box, half-open."""

_LUMINANCE = np.array([77, 150, 29], dtype=np.float32)
"""Weights of red, green, blue (Rec. 601), in 1/256."""
_WHITE = 255 * 256
"""Luminance of white in these weights."""
_STRIP_PIXELS = 1 << 23
"""Most pixels of a strip for the gradient."""


def window_sums(
    read: ReadPlanes, boxes: Boxes, *, height: int, width: int, planes: int, rows: int
) -> NDArray[np.int64]:
    """Sum of each plane over each box.

    Parameters
    ----------
    read
        Gives ``(plane, y, x)`` of a full-width strip: uint8 of 0 and 1, or float32 that holds whole numbers.
    boxes
        Inside the image, ``(n, 4)``.
    height, width
        Pixels of the image.
    planes
        Number of planes.
    rows
        Rows of a strip; it changes the memory needed, never a sum. Strips that no box touches are not read.

    Returns
    -------
    NDArray
        ``(n, planes)``, exact.
    """
    sums = np.zeros((planes, len(boxes)), dtype=np.int64)
    # In raster order, neighbouring boxes look up neighbouring memory, and those of a strip are one slice: a box in it
    # that ends above the strip has an empty part there and adds 0.
    order = np.lexsort((boxes[:, 1], boxes[:, 0]))
    ordered = boxes[order]
    for strip in strips(height, width, rows):
        here = np.flatnonzero((ordered[:, 0] < strip.y1) & (ordered[:, 2] > strip.y0))
        if len(here):
            inside = slice(int(here[0]), int(here[-1]) + 1)
            corners = _corners(ordered[inside], strip)
            for plane, pixels in enumerate(read(strip)):
                sums[plane, inside] += _sums(pixels, corners)
    found = np.empty((len(boxes), planes), dtype=np.int64)
    found[order] = sums.T
    return found


def _corners(boxes: Boxes, strip: Box) -> NDArray[np.int64]:
    """Places in the flat summed-area table of the four corners of each box, ``(4, n)``: ++, −+, +−, −−."""
    top, bottom = (np.clip(boxes[:, at] - strip.y0, 0, strip.height) * (strip.width + 1) for at in (0, 2))
    left, right = boxes[:, 1], boxes[:, 3]
    return np.stack([bottom + right, top + right, bottom + left, top + left])


def _sums(pixels: NDArray[np.uint8] | NDArray[np.float32], corners: NDArray[np.int64]) -> NDArray[np.int64]:
    # Whole numbers stay exact: below 2**31 for masks in int32, below 2**53 for the rest in float64.
    depth = cv2.CV_32S if pixels.dtype == np.uint8 else cv2.CV_64F
    table = cv2.integral(np.ascontiguousarray(pixels), sdepth=depth).ravel()
    plus, minus_top, minus_left, both = (table.take(places) for places in corners)
    return np.asarray((plus - minus_top) - (minus_left - both), dtype=np.int64)


def truth_counts(image: NormalizedImage, boxes: Boxes) -> NDArray[np.int64]:
    """Pixels of each class, of any class and of the roi inside each box, ``(n, class + 2)``."""
    size = {"height": image.height, "width": image.width}
    return window_sums(image.planes, boxes, **size, planes=len(image.classes) + 2, rows=image.rows)


def gradient(colour: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Gradient magnitude of the luminance by central differences, as whole numbers.

    Parameters
    ----------
    colour
        ``(c, y, x)``, RGB or one channel, with one more row above and below than is wanted.

    Returns
    -------
    NDArray
        ``(y, x)`` without those two rows. At the left and right border the outermost pixel is repeated.
        A step from black to white over two pixels is 65280.
    """
    if len(colour) == len(_LUMINANCE):
        light = np.tensordot(_LUMINANCE, colour.astype(np.float32), axes=1)
    else:
        light = colour[0].astype(np.float32) * 256
    wide = np.pad(light, ((0, 0), (1, 1)), mode="edge")
    down, right = light[2:] - light[:-2], wide[1:-1, 2:] - wide[1:-1, :-2]
    return np.asarray(np.rint(np.sqrt(down * down + right * right)), dtype=np.float32)


def structure(image: NormalizedImage, boxes: Boxes) -> NDArray[np.float32]:
    """How much structure each box holds, in [0, 1): the mean gradient magnitude of the luminance at a quarter of the size.

    Parameters
    ----------
    image
        An opened store; the pyramid level nearest to a quarter is read in strips.
    boxes
        Pixels of the full size, ``(n, 4)``.
    """
    height, width = image.coarse.shape[-2:]
    whole = Box.of_shape(height, width)

    def read(strip: Box) -> NDArray[np.float32]:
        halo = strip.grow(1, whole)
        above, below = strip.y0 == halo.y0, strip.y1 == halo.y1
        colour = read_box(image.coarse, Box(halo.y0, 0, halo.y1, width))
        return gradient(np.pad(colour, ((0, 0), (int(above), int(below)), (0, 0)), mode="edge"))[None]

    scaled = _scaled(boxes, fine=(image.height, image.width), coarse=(height, width))
    rows = max(1, min(int(image.coarse.chunks[-2]), _STRIP_PIXELS // width))
    sums = window_sums(read, scaled, height=height, width=width, planes=1, rows=rows)[:, 0]
    area = (scaled[:, 2] - scaled[:, 0]) * (scaled[:, 3] - scaled[:, 1])
    # Central differences of values in [0, 1] over two pixels: half the step, along two axes at most 1/√2 together.
    return np.asarray(sums / (2 * _WHITE) / area, dtype=np.float32)


def _scaled(boxes: Boxes, *, fine: tuple[int, int], coarse: tuple[int, int]) -> Boxes:
    """The smallest boxes of the coarse level that hold the boxes."""
    full, small = np.array([*fine, *fine]), np.array([*coarse, *coarse])
    return np.concatenate([boxes[:, :2] * small[:2] // full[:2], -(-boxes[:, 2:] * small[2:] // full[2:])], axis=1)
