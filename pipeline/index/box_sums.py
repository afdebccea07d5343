"""Box sums: exact pixel counts over many boxes, from one pass over the image from top to bottom.

As with an integral image, a box is a difference of sums, but only the running sum of each column is kept. A box is the
column sums after its last row minus those before its first row. So nothing as large as the image is held.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from pipeline.arrays.raster import Raster
from pipeline.geometry import Box, strips
from pipeline.index.image import NormalizedImage

__all__ = ["MOST_IGNORED", "Boxes", "box_sums", "is_certain", "truth_counts"]

MOST_IGNORED = 0.25
"""Largest share of ignored pixels in a patch that counts as one without lesions."""

Boxes = NDArray[np.int64]
"""``(n, 4)``: y0, x0, y1, x1 of each box, half-open."""
Planes = NDArray[np.uint8] | NDArray[np.int32]
COLUMNS = 8192
"""Columns processed at a time, so that memory does not grow with the width of a slide."""


def box_sums(source: Raster[np.uint8 | np.int32], boxes: Boxes, *, planes: int, rows: int) -> NDArray[np.int64]:
    """Box sums of each plane.

    Parameters
    ----------
    source
        Gives ``(plane, y, x)`` of a strip of at most ``COLUMNS`` columns, which the next call may overwrite: uint8 for
        masks of 0 and 1, int32 for other values.
    boxes
        Inside the image, ``(n, 4)``.
    planes
        Number of planes.
    rows
        Rows of a strip; they change the memory needed, never a sum. Strips that no box touches are not read.

    Returns
    -------
    NDArray
        ``(n, planes)``, exact.
    """
    sums = np.zeros((len(boxes), planes), dtype=np.int64)
    for x0 in range(0, source.width, COLUMNS):
        band = Box(0, x0, source.height, min(x0 + COLUMNS, source.width))
        here = np.flatnonzero((boxes[:, 1] < band.x1) & (boxes[:, 3] > band.x0) & (boxes[:, 0] < boxes[:, 2]))
        if len(here):
            sums[here] += _band_sums(source, boxes[here], band=band, planes=planes, rows=rows)
    return sums


def _band_sums(
    source: Raster[np.uint8 | np.int32], boxes: Boxes, *, band: Box, planes: int, rows: int
) -> NDArray[np.int64]:
    y = boxes[:, [0, 2]].T.ravel()
    x = np.clip(boxes[:, [1, 3]] - band.x0, 0, band.width)
    order, first = _by_row(y, band.height)
    sums = np.zeros((len(boxes), planes), dtype=np.int64)
    columns: NDArray[Any] | None = None
    for strip in strips(band.height, band.width, rows):
        if ((boxes[:, 0] < strip.y1) & (boxes[:, 2] > strip.y0)).any():
            pixels = source.read(strip.shift(0, band.x0))
            kind = np.int32 if pixels.dtype == np.uint8 and band.height * COLUMNS < 1 << 31 else np.int64
            if columns is None:
                columns = np.zeros((planes, band.width), dtype=kind)
            _sweep(pixels, columns, strip.y0, order, first, x, sums)
    return sums


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _by_row(y: NDArray[np.int64], height: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Sorting order of the rows, and where each of the rows 0…height begins in it."""
    first = np.zeros(height + 2, dtype=np.int64)
    for row in y:
        first[row + 1] += 1
    first = np.cumsum(first)
    order, after = np.empty(len(y), dtype=np.int64), first.copy()
    for place, row in enumerate(y):
        order[after[row]] = place
        after[row] += 1
    return order, first


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _sweep(
    pixels: Planes,
    columns: NDArray[np.int32] | NDArray[np.int64],
    y0: int,
    order: NDArray[np.int64],
    first: NDArray[np.int64],
    x: NDArray[np.int64],
    sums: NDArray[np.int64],
) -> None:
    """Add the rows of a strip to the column sums; before each row, settle the boxes that begin or end there.

    A beginning box subtracts the column sums, an ending box adds them. A box that ends at the border of two strips is
    completed with the upper strip, because the lower one may not be read.
    """
    planes, height, width = pixels.shape
    count = len(sums)
    before = np.zeros(width + 1, dtype=columns.dtype)
    for plane in range(planes):
        column = columns[plane]
        for row in range(height + 1):
            here, together = order[first[y0 + row] : first[y0 + row + 1]], 0
            for place in here:
                together += x[place % count, 1] - x[place % count, 0]
            if together > width:
                total = columns.dtype.type(0)
                for at in range(width):
                    total += column[at]
                    before[at + 1] = total
            for place in here:
                begins, box = place < count, place % count
                # The row at the border of two strips occurs in both: beginnings belong to the lower strip, ends to the
                # upper.
                if row == height if begins else row == 0:
                    continue
                left, right = x[box]
                total = before[right] - before[left] if together > width else column[left:right].sum()
                sums[box, plane] += -total if begins else total
            if row < height:
                line = pixels[plane, row]
                for at in range(width):
                    column[at] += line[at]


def is_certain(image: NormalizedImage, boxes: Boxes) -> NDArray[np.bool_]:
    """Certainty check of negatives: whether at most ``MOST_IGNORED`` of each box ``(n, 4)`` is ignored, ``(n,)``."""
    if image.ignored is None:
        return np.ones(len(boxes), dtype=np.bool_)
    unsure = box_sums(image.ignored, boxes, planes=1, rows=image.rows)[:, 0]
    return np.asarray(unsure <= MOST_IGNORED * (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]))


def truth_counts(image: NormalizedImage, boxes: Boxes, *, groups: Sequence[Sequence[int]]) -> NDArray[np.int64]:
    """Pixels in each box: truth of each group of classes, then the roi without ignored pixels; ``(n, group + 1)``.

    Parameters
    ----------
    image
        An opened store.
    boxes
        ``(n, 4)``.
    groups
        Positions of classes on the class axis.
    """
    planes = len(groups) + 1
    memory = np.empty(planes * image.rows * min(image.width, COLUMNS), dtype=np.uint8)
    source = Raster(image.shape, lambda box: image.planes(box, groups=groups, memory=memory))
    return box_sums(source, boxes, planes=planes, rows=image.rows)
