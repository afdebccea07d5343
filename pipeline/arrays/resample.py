"""Resampling of a raster to a grid of another size over the same field; any box can be computed on its own.

Pixel ``i`` of ``n`` covers the part from ``i / n`` to ``(i + 1) / n`` of the field. Where an axis shrinks, a new pixel
is the mean over its area; where it grows, pictures are interpolated cubically, probabilities linearly. A mask pixel is
set where at least half of its area is covered, or on request any part of it. Weights depend only on positions in the
whole grid and are summed in one order, so any partition gives the same pixels, bit for bit.
"""

from collections.abc import Iterator
from typing import Any, TypeAlias

import numpy as np
from numba import njit
from numpy.typing import NDArray

from pipeline.arrays.raster import Raster
from pipeline.errors import GeometryError
from pipeline.geometry import Box

__all__ = ["resampled_mask", "resampled_picture", "resampled_probability"]

Size: TypeAlias = tuple[int, int]

_BAND = 2**23
"""Source pixels in memory at a time: a large box is strongly reduced in bands of rows."""
_CUBIC = -0.75
"""Keys' free parameter, as in OpenCV."""


def resampled_picture(source: Raster[Any], target: Size) -> Raster[Any]:
    """Raster of an image on another grid; at its own size the image itself.

    Parameters
    ----------
    source
        ``(h, w)`` or ``(h, w, channel)``, uint8 or uint16.
    target
        ``(height, width)`` of the other grid.

    Returns
    -------
    Raster
        Pixels of the type of the source: rounded half up, saturated.

    Raises
    ------
    GeometryError
        While reading: a box without pixels or outside the target, a grid without pixels, or a source that gives other
        pixels than requested.
    """
    return source if source.shape == target else Raster(target, lambda box: _picture(source, target, box))


def resampled_mask(source: Raster[np.bool_], target: Size, *, any_part: bool = False) -> Raster[np.bool_]:
    """Raster of a mask ``(h, w)`` on another grid; at its own size the mask itself.

    A pixel is set where at least half of its area is covered, or any part with ``any_part``, in exact arithmetic.
    Errors are those of `resampled_picture`.
    """
    whole = source.height * source.width
    least = 1 if any_part else (whole + 1) // 2
    return source if source.shape == target else Raster(target, lambda box: _mask(source, target, box, least=least))


def resampled_probability(source: Raster[np.float16], target: Size) -> Raster[np.float16]:
    """Raster of a probability map ``(class, y, x)`` on another grid; at its own size the map itself.

    Where an axis grows, values are linear between pixel centres and constant beyond the outermost centre; where it
    shrinks, they are means over the area. Computed in float32 and rounded to float16. Errors are those of
    `resampled_picture`.
    """
    return source if source.shape == target else Raster(target, lambda box: _probability(source, target, box))


def _picture(source: Raster[Any], target: Size, box: Box) -> NDArray[Any]:
    _check(source.shape, target, box)
    columns, across = _weights(source.width, target[1], box.x0, box.x1)
    parts = []
    for band in _bands(source.shape, target, box):
        rows, down = _weights(source.height, target[0], band.y0, band.y1)
        inner = _hull(rows, columns)
        block = _checked(source.read(inner), inner)
        flat = np.ascontiguousarray(block).reshape(inner.height, -1)
        channels = flat.shape[1] // max(inner.width, 1)
        out = np.empty((band.height, box.width * channels), block.dtype)
        white = np.float32(np.iinfo(block.dtype).max)
        _blend(flat, rows - inner.y0, down, columns - inner.x0, across, channels, white, out)
        parts.append(out.reshape(band.height, box.width, *block.shape[2:]))
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def _mask(source: Raster[np.bool_], target: Size, box: Box, *, least: int) -> NDArray[np.bool_]:
    _check(source.shape, target, box)
    columns, across = _overlaps(source.width, target[1], box.x0, box.x1)
    parts = []
    for band in _bands(source.shape, target, box):
        rows, down = _overlaps(source.height, target[0], band.y0, band.y1)
        inner = _hull(rows, columns)
        block = np.ascontiguousarray(_checked(source.read(inner), inner))
        out = np.empty((band.height, box.width), np.bool_)
        _cover(block, rows - inner.y0, down, columns - inner.x0, across, least, out)
        parts.append(out)
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def _probability(source: Raster[np.float16], target: Size, box: Box) -> NDArray[np.float16]:
    _check(source.shape, target, box)
    columns, across = _linear_weights(source.width, target[1], box.x0, box.x1)
    parts = []
    for band in _bands(source.shape, target, box):
        rows, down = _linear_weights(source.height, target[0], band.y0, band.y1)
        inner = _hull(rows, columns)
        planes = source.read(inner).astype(np.float32)
        out = np.empty((len(planes), band.height, box.width), np.float32)
        for plane, mixed in zip(planes, out, strict=True):
            _mix(_checked(plane, inner), rows - inner.y0, down, columns - inner.x0, across, mixed)
        parts.append(out.astype(np.float16))
    return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)


def _check(source: Size, target: Size, box: Box) -> None:
    if min(*source, *target) < 1 or not Box.of_shape(*target).contains(box) or box.area == 0:
        raise GeometryError(
            "A box cannot be resampled.",
            where="resample",
            found=f"{box} of {target} from {source}",
            expected="a box with pixels inside the target, grids with at least one pixel",
            remedy="Cut the box at the border of the target.",
        )


def _checked(block: NDArray[Any], box: Box) -> NDArray[Any]:
    if block.shape[:2] != (box.height, box.width):
        raise GeometryError(
            "The source gave other pixels than asked for.",
            where="resample",
            found=block.shape,
            expected=(box.height, box.width),
            remedy="Read exactly the box.",
        )
    return block


def _bands(source: Size, target: Size, box: Box) -> Iterator[Box]:
    wide = -(-box.width * source[1] // target[1]) + 4
    tall = max(1, _BAND // wide * target[0] // source[0])
    for y0 in range(box.y0, box.y1, tall):
        yield Box(y0, box.x0, min(y0 + tall, box.y1), box.x1)


def _hull(rows: NDArray[np.int64], columns: NDArray[np.int64]) -> Box:
    return Box(int(rows.min()), int(columns.min()), int(rows.max()) + 1, int(columns.max()) + 1)


def _overlaps(source: int, target: int, first: int, end: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Source pixels ``(n, taps)`` of each target pixel, and their shares as integers that add up to ``source``."""
    # In units of 1 / (source · target) of the field a target pixel is `source` long, a source pixel `target`.
    start = np.arange(first, end, dtype=np.int64) * source
    pixels = (start // target)[:, None] + np.arange(-(-source // target) + 1)
    low = np.maximum(pixels * target, start[:, None])
    high = np.minimum((pixels + 1) * target, start[:, None] + source)
    return np.minimum(pixels, source - 1), np.maximum(high - low, 0)


def _weights(source: int, target: int, first: int, end: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Source pixels ``(n, taps)`` of each target pixel and their weights, which add up to 1."""
    if target <= source:
        pixels, shares = _overlaps(source, target, first, end)
        return pixels, (shares / source).astype(np.float32)
    centre = (np.arange(first, end) + 0.5) * (source / target) - 0.5
    base = np.floor(centre).astype(np.int64)
    distance = np.abs((centre - base)[:, None] - np.arange(-1, 3))
    near = ((_CUBIC + 2) * distance - (_CUBIC + 3)) * distance**2 + 1
    far = ((_CUBIC * distance - 5 * _CUBIC) * distance + 8 * _CUBIC) * distance - 4 * _CUBIC
    pixels = np.clip(base[:, None] + np.arange(-1, 3), 0, source - 1)
    return pixels, np.where(distance <= 1, near, far).astype(np.float32)


def _linear_weights(source: int, target: int, first: int, end: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Like `_weights`, but for two pixels ``(n, 2)``, where the axis grows."""
    if target <= source:
        return _weights(source, target, first, end)
    centre = (np.arange(first, end) + 0.5) * (source / target) - 0.5
    base = np.floor(centre).astype(np.int64)
    part = (centre - base)[:, None]
    pixels = np.clip(base[:, None] + np.arange(2), 0, source - 1)
    return pixels, np.concatenate([1 - part, part], axis=1).astype(np.float32)


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _mix(
    plane: NDArray[np.float32],
    rows: NDArray[np.int64],
    down: NDArray[np.float32],
    columns: NDArray[np.int64],
    across: NDArray[np.float32],
    out: NDArray[np.float32],
) -> None:
    line = np.empty(plane.shape[1], np.float32)
    for y in range(out.shape[0]):
        line[:] = 0
        for k in range(rows.shape[1]):
            weight, row = down[y, k], plane[rows[y, k]]
            for i in range(line.size):
                line[i] += weight * row[i]
        for x in range(columns.shape[0]):
            total = np.float32(0)
            for k in range(columns.shape[1]):
                total += across[x, k] * line[columns[x, k]]
            out[y, x] = total


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _blend(
    block: NDArray[Any],
    rows: NDArray[np.int64],
    down: NDArray[np.float32],
    columns: NDArray[np.int64],
    across: NDArray[np.float32],
    channels: int,
    white: np.float32,
    out: NDArray[Any],
) -> None:
    line = np.empty(block.shape[1], np.float32)
    half = np.float32(0.5)
    for y in range(out.shape[0]):
        line[:] = 0
        for k in range(rows.shape[1]):
            weight, row = down[y, k], block[rows[y, k]]
            if weight != 0:
                for i in range(line.size):
                    line[i] += weight * np.float32(row[i])
        for x in range(columns.shape[0]):
            for channel in range(channels):
                total = half
                for k in range(columns.shape[1]):
                    total += across[x, k] * line[columns[x, k] * channels + channel]
                out[y, x * channels + channel] = np.int64(min(max(total, np.float32(0)), white))


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _cover(
    block: NDArray[np.bool_],
    rows: NDArray[np.int64],
    down: NDArray[np.int64],
    columns: NDArray[np.int64],
    across: NDArray[np.int64],
    least: int,
    out: NDArray[np.bool_],
) -> None:
    line = np.empty(block.shape[1], np.int64)
    for y in range(out.shape[0]):
        line[:] = 0
        for k in range(rows.shape[1]):
            share, row = down[y, k], block[rows[y, k]]
            if share != 0:
                for i in range(line.size):
                    line[i] += share * row[i]
        for x in range(columns.shape[0]):
            covered = 0
            for k in range(columns.shape[1]):
                covered += across[x, k] * line[columns[x, k]]
            out[y, x] = covered >= least
