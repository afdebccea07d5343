"""What is inside each window? Exact pixel counts of many boxes from one pass over strips with summed-area tables."""

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.geometry import Box, strips
from pipeline.index.image import NormalizedImage, ReadPlanes

__all__ = ["Boxes", "truth_counts", "window_sums"]

Boxes = NDArray[np.int64]
"""``(n, 4)``: y0, x0, y1, x1 of each box, half-open."""


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
