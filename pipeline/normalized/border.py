"""Border of a fundus photograph: its colour, the difference of pixels from it, and frames.

Cameras surround the disc with black. Software adds grey, white or coloured borders, frame lines or whole pages. Images
come as four planes: red, green, blue, and the brightest of the three, all smoothed.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["DARK_BORDER", "LEAST_RISE", "border_colour", "difference", "framed", "middle", "rectangle"]

DARK_BORDER = 32
"""Highest level of the brightest channel of a border that counts as black."""
LEAST_RISE = 8
"""Least difference from a border, in grey levels."""

_DARK_SHARE = 0.35
# A painted border: the outermost pixels, the share of them that have its colour, and how much that may vary.
_RING = 0.01
_PAINTED_SHARE = 0.15
_EVEN, _NEAR = 3, 12
_EVEN_SHARE = 0.7
# Frames are lines in the outer tenth of the image; nine tenths of their pixels have one colour.
_FRAME, _FRAME_SHARE = 0.1, 0.9
_RECTANGLE = 0.99
_RIM, _LEAST_SIDE = 2, 32


def border_colour(planes: NDArray[np.uint8]) -> NDArray[np.float64] | None:
    """Colour ``(4,)`` of the border of ``(4, y, x)``: black if a corner is, or a painted colour; None without border.

    A border is black if the median of the brightest channel in the darkest corner is at most 32 and at most 35 % of
    that of the centre. A painted colour is shared, within 3 levels, by 15 % of the outermost pixels, and differs from
    the middle of the image. It does not count if nearly as many more pixels are close to it, as where a photograph
    reaches the image border.
    """
    colour, corner = _painted(planes), _darkest_corner(planes[3])
    black = corner <= min(DARK_BORDER, _DARK_SHARE * float(np.median(planes[3][middle(planes[3])])))
    if black and (colour is None or colour[3] <= DARK_BORDER):
        return np.full(4, corner)
    return colour


def difference(planes: NDArray[np.uint8], border: NDArray[np.float64]) -> NDArray[np.float32]:
    """Difference ``(y, x)`` from the border: in the brightest channel for black, else in the channel that differs most."""
    if border[3] <= DARK_BORDER:
        return np.asarray(planes[3] - np.float32(border[3]))  # In half levels, exact.
    farthest = np.zeros(planes.shape[1:], np.float32)
    for plane, level in zip(planes, border.astype(np.float32), strict=True):  # One plane of floats at a time.
        away = plane - level
        np.maximum(farthest, np.abs(away, out=away), out=farthest)
        del away
    return farthest


def framed(planes: NDArray[np.uint8], border: NDArray[np.float64]) -> tuple[slice, slice] | None:
    """Interior of a frame: lines along the sides with one even colour other than the border's; None without a frame."""
    sides = (planes, planes[:, ::-1], planes.swapaxes(1, 2), planes.swapaxes(1, 2)[:, ::-1])
    top, bottom, left, right = (_frame_lines(side, border) for side in sides)
    height, width = planes.shape[1:]
    return _within(top, height - bottom, left, width - right, planes.shape[1:]) if top + bottom + left + right else None


def rectangle(mask: NDArray[np.bool_]) -> tuple[slice, slice] | None:
    """Interior of a mask that fills its bounding box, which is not the whole image; None for other masks.

    A mask whose box is the image is a crop of a field of view, of which a corner is dark.
    """
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if rows.size == 0 or mask.sum() < _RECTANGLE * (np.ptp(rows) + 1) * (np.ptp(columns) + 1):
        return None
    top, bottom, left, right = int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1
    return None if (bottom - top, right - left) == mask.shape else _within(top, bottom, left, right, mask.shape)


def middle(grey: NDArray[Any]) -> tuple[slice, slice]:
    """Box of the middle half of the rows and columns."""
    height, width = grey.shape
    return slice(height // 4, -(-3 * height // 4)), slice(width // 4, -(-3 * width // 4))


def _painted(planes: NDArray[np.uint8]) -> NDArray[np.float64] | None:
    """Colour ``(4,)`` shared by so many outermost pixels that the border is painted; None for a photograph."""
    side = max(1, round(_RING * max(planes.shape[1:])))
    ring = np.ones(planes.shape[1:], np.bool_)
    ring[side:-side, side:-side] = False
    colours = planes[:, ring].astype(np.int16)
    brightest = colours[3]
    counts = np.convolve(np.bincount(brightest, minlength=256), np.ones(2 * _EVEN + 1), "same")
    colour = np.median(colours[:, np.abs(brightest - counts.argmax()) <= _EVEN], axis=1)
    away = np.abs(colours - colour[:, None]).max(axis=0)
    even, near = np.count_nonzero(away <= _EVEN), np.count_nonzero(away <= _NEAR)
    painted = even >= max(_PAINTED_SHARE * away.size, _EVEN_SHARE * near)
    inside = planes[:, *middle(planes[3])].reshape(4, -1)
    return colour if painted and np.abs(np.median(inside, axis=1) - colour).max() > LEAST_RISE else None


def _darkest_corner(grey: NDArray[np.uint8]) -> float:
    side = max(1, round(0.03 * max(grey.shape)))
    rows, columns = (slice(None, side), slice(-side, None)), (slice(None, side), slice(-side, None))
    return min(float(np.median(grey[row, column])) for row in rows for column in columns)


def _frame_lines(planes: NDArray[np.uint8], border: NDArray[np.float64]) -> int:
    lines = planes[:, : round(_FRAME * planes.shape[1])].astype(np.int16)
    colours = np.median(lines, axis=2)
    even = (np.abs(lines - colours[:, :, None]).max(axis=0) <= _EVEN).mean(axis=1) >= _FRAME_SHARE
    frame = even & (np.abs(colours - border[:, None]).max(axis=0) > LEAST_RISE)
    return int(np.logical_and.accumulate(frame).sum())


def _within(top: int, bottom: int, left: int, right: int, size: tuple[int, ...]) -> tuple[slice, slice] | None:
    # The pixels along an edge are a mixture of both sides; the border of the image is no such edge.
    first = [at + _RIM if at else 0 for at in (top, left)]
    last = [at - _RIM if at < whole else at for at, whole in zip((bottom, right), size, strict=True)]
    wide = min(end - begin for begin, end in zip(first, last, strict=True)) >= _LEAST_SIDE
    return (slice(first[0], last[0]), slice(first[1], last[1])) if wide else None
