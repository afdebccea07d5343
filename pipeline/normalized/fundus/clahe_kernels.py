"""Compiled loops of CLAHE: histograms, tables, bilinear interpolation.

They release the interpreter's lock and use strict floating-point arithmetic, because the order of operations affects
the result. `pipeline.normalized.fundus.clahe` checks what it hands over.
"""

from typing import TypeAlias

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = ["Grey", "add_counts", "blend_tables", "fill_tables"]

Grey: TypeAlias = NDArray[np.uint8 | np.uint16]
"""Grey values of 8 or 16 bit."""


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def add_counts(
    block: Grey,
    include: NDArray[np.bool_] | None,
    rows: NDArray[np.int64],
    columns: NDArray[np.int64],
    histograms: NDArray[np.int64],
) -> None:
    """Addition of a block to the histograms of the tiles, run by run: (start in the block, pixels, tile) along each axis."""
    for i in range(rows.shape[0]):
        for y in range(rows[i, 0], rows[i, 0] + rows[i, 1]):
            for j in range(columns.shape[0]):
                histogram = histograms[rows[i, 2], columns[j, 2]]
                for x in range(columns[j, 0], columns[j, 0] + columns[j, 1]):
                    if include is None or include[y, x]:
                        histogram[block[y, x]] += 1


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _clip(histogram: NDArray[np.int64], limit: int) -> None:
    """Clip the bins at a limit and redistribute the excess evenly, the remainder one by one to evenly spaced bins."""
    bins = histogram.size
    clipped = 0
    for i in range(bins):
        if histogram[i] > limit:
            clipped += histogram[i] - limit
            histogram[i] = limit
    share = clipped // bins
    residual = clipped - share * bins
    for i in range(bins):
        histogram[i] += share
    step = max(bins // max(residual, 1), 1)
    for k in range(residual):
        if k * step < bins:
            histogram[k * step] += 1


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def fill_tables(histograms: NDArray[np.int64], clip_limit: float, tables: Grey) -> None:
    """Lookup table of each tile: its clipped and accumulated histogram, scaled to the range of the grey values."""
    bins = histograms.shape[2]
    for ty in range(histograms.shape[0]):
        for tx in range(histograms.shape[1]):
            histogram = histograms[ty, tx].copy()
            area = histogram.sum()
            if area == 0:
                for i in range(bins):
                    tables[ty, tx, i] = i
                continue
            if clip_limit > 0:
                _clip(histogram, max(int(clip_limit * area / bins), 1))
            scale = np.float32(bins - 1) / np.float32(area)
            total = 0
            for i in range(bins):
                total += histogram[i]
                tables[ty, tx, i] = min(np.rint(np.float32(total) * scale), np.float32(bins - 1))


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def blend_tables(
    block: Grey,
    corners: NDArray[np.uint32 | np.uint64],
    above: NDArray[np.int64],
    row_weight: NDArray[np.float32],
    offsets: NDArray[np.uint32],
    column_weight: NDArray[np.float32],
    result: Grey,
) -> None:
    """Bilinear interpolation, in float32, of the four tables around each pixel, which are packed in one word."""
    bits = result.itemsize * 8
    mask = (1 << bits) - 1
    one = np.float32(1)
    # Table look-ups go to a separate row, because they would prevent vector instructions for the rest.
    fetched = np.empty(block.shape[1], corners.dtype)
    for y in range(block.shape[0]):
        packed = corners[above[y]]
        lower = row_weight[y]
        upper = one - lower
        for x in range(block.shape[1]):
            fetched[x] = packed[offsets[x] + block[y, x]]
        for x in range(block.shape[1]):
            four = np.int64(fetched[x])
            right = column_weight[x]
            left = one - right
            top = np.float32(four & mask) * left + np.float32(four >> bits & mask) * right
            four >>= 2 * bits
            bottom = np.float32(four & mask) * left + np.float32(four >> bits & mask) * right
            result[y, x] = np.rint(top * upper + bottom * lower)
