"""Gaussian blur inside the field of view, ``G(I·m) / G(m)``, for wide standard deviations: from sums over square cells.

A wide blur has no detail finer than a fraction of its width. So pixels are summed in cells of an eighth of the standard
deviation, the small image of cells is blurred as a whole, and boxes are interpolated from it. The blur caused by cells
and interpolation is subtracted from the variance. Cells lie on a grid of the whole image, so any partition into blocks
gives the same sums, and any box the same pixels. With a width of 1/60 of the field of view it has about 480 cells
across, whatever its size, so memory does not grow with the image.

References
----------
H. Knutsson, C.-F. Westin, "Normalized and differential convolution", CVPR 1993, 515-523.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy import ndimage

from pipeline.geometry import Box

__all__ = ["cell_side", "cell_sums", "smoothed_cells", "wide_blur"]

CELLS = 8
"""Fewest cells per standard deviation. The result is within half a grey level of the definition."""
SUMS = 4
"""Sums of a cell: red, green and blue of the pixels inside, and their number."""
UNREACHED = np.float32(1e-4)
"""Share of the weights on inside pixels below which a position has no blur."""


def cell_side(sigma: float) -> int:
    """Side of a cell in pixels for a standard deviation in pixels; 1 for a narrow blur."""
    return max(1, int(sigma // CELLS))


def cell_sums(
    block: NDArray[np.uint8], inside: NDArray[np.bool_], *, box: Box, side: int
) -> tuple[NDArray[np.uint32], tuple[slice, slice]]:
    """Sums of one block over the cells that it touches. Their sum over any partition is that of the whole image.

    Parameters
    ----------
    block
        ``(y, x, 3)``, the pixels of ``box``.
    inside
        ``(y, x)``, the field of view there.
    box
        Where the block lies in the image.
    side
        Side of a cell in pixels.

    Returns
    -------
    tuple
        ``(rows, columns, 4)``, the sums of the three channels and the number of inside pixels; and the rows and columns
        of their cells.
    """
    rows = slice(box.y0 // side, -(-box.y1 // side))
    columns = slice(box.x0 // side, -(-box.x1 // side))
    sums = np.zeros((rows.stop - rows.start, columns.stop - columns.start, SUMS), np.uint32)
    _add(np.ascontiguousarray(block), np.ascontiguousarray(inside), box.y0 % side, box.x0 % side, side, sums)
    return sums, (rows, columns)


def smoothed_cells(sums: NDArray[np.uint32], *, sigma: float, side: int) -> NDArray[np.float32]:
    """Blurred sums of all cells ``(rows, columns, 4)``, per pixel of a cell; the image is mirrored at its borders."""
    # Variances add up: of the square cell, (side² − 1) / 12, and of linear interpolation between cells, side² / 6.
    variance = (sigma**2 - (side**2 - 1) / 12 - side**2 / 6) / side**2
    result = np.empty(sums.shape, np.float32)
    for at in range(SUMS):
        result[:, :, at] = ndimage.gaussian_filter(sums[:, :, at] / side**2, variance**0.5, mode="reflect")
    return result


def wide_blur(cells: NDArray[np.float32], *, box: Box, side: int) -> NDArray[np.float32]:
    """Blur of a box ``(y, x, 3)``, 0…255, interpolated from `smoothed_cells`; 0 where no inside pixel is in reach."""
    result = np.empty((box.height, box.width, 3), np.float32)
    axes = (_places(box.y0, box.y1, side, cells.shape[0]), _places(box.x0, box.x1, side, cells.shape[1]))
    (above, low), (left, right) = axes
    _interpolate(cells, above, low, left, right, result)
    return result


def _places(first: int, end: int, side: int, cells: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    # The cell with its centre before each pixel, and the share of the next cell.
    place = ((np.arange(first, end) + 0.5) / side - 0.5).clip(0, cells - 1)
    before = np.minimum(place.astype(np.int64), max(cells - 2, 0))
    return before, (place - before).astype(np.float32)


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _add(
    block: NDArray[np.uint8], inside: NDArray[np.bool_], top: int, left: int, side: int, sums: NDArray[np.uint32]
) -> None:
    for y in range(block.shape[0]):
        row = sums[(top + y) // side]
        cell, until = 0, side - left
        for x in range(block.shape[1]):
            if x == until:
                cell += 1
                until += side
            if inside[y, x]:
                for channel in range(3):
                    row[cell, channel] += np.uint32(block[y, x, channel])
                row[cell, 3] += np.uint32(1)


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _interpolate(
    cells: NDArray[np.float32],
    above: NDArray[np.int64],
    low: NDArray[np.float32],
    left: NDArray[np.int64],
    right: NDArray[np.float32],
    result: NDArray[np.float32],
) -> None:
    one = np.float32(1)
    line = np.empty((cells.shape[1], cells.shape[2]), np.float32)
    last_row, last_column = cells.shape[0] - 1, cells.shape[1] - 1
    for y in range(result.shape[0]):
        upper, lower = cells[above[y]], cells[min(above[y] + 1, last_row)]
        for i in range(line.shape[0]):
            for k in range(line.shape[1]):
                line[i, k] = upper[i, k] * (one - low[y]) + lower[i, k] * low[y]
        for x in range(result.shape[1]):
            i, share = left[x], right[x]
            j = min(i + 1, last_column)
            weight = line[i, 3] * (one - share) + line[j, 3] * share
            scale = one / weight if weight > UNREACHED else np.float32(0)
            for channel in range(3):
                total = line[i, channel] * (one - share) + line[j, channel] * share
                result[y, x, channel] = total * scale
