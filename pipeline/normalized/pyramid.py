"""Image pyramid: halving of pixels and labels, and the sizes of the levels.

A level has ``ceil(n / 2)`` pixels along each axis. The last pixel of an odd axis stands for the single pixel there.
Blocks that start at even coordinates give what the whole image gives.
"""

from typing import TypeVar

import numpy as np
from numba import njit
from numpy.typing import NDArray

from pipeline.errors import ConfigurationError, GeometryError

__all__ = ["halve", "halve_labels", "level_shapes", "store_levels"]

SMALLEST_LEVEL = 256
"""A pyramid goes on until its longer side is at most this many pixels."""
MOST_LEVELS = 8
"""Levels of a pyramid at most, the full size included."""

T = TypeVar("T", bound=np.generic)


def halve(block: NDArray[T]) -> NDArray[T]:
    """Next pyramid level of pixels: the mean of each 2 × 2, over those that exist where an axis is odd.

    Parameters
    ----------
    block
        ``(channel, y, x)`` or ``(y, x)``. uint8 and uint16 are rounded half up in whole numbers. float16 and float32
        are averaged in float32.

    Returns
    -------
    NDArray
        The same with ``ceil(n / 2)`` rows and columns, of the same type.

    Raises
    ------
    GeometryError
        For another type or number of axes.

    Examples
    --------
    >>> halve(np.array([[0, 1, 9], [0, 1, 9], [5, 6, 7]], np.uint8))
    array([[1, 9],
           [6, 7]], dtype=uint8)
    """
    if block.ndim not in (2, 3) or block.dtype not in (np.uint8, np.uint16, np.float16, np.float32):
        raise GeometryError(
            "A block cannot be halved.",
            where="normalized.pyramid.halve",
            found=f"{block.ndim} axes of {block.dtype}",
            expected="(y, x) or (channel, y, x) of uint8, uint16, float16 or float32",
            remedy="Use halve_labels for labels and masks.",
        )
    if block.dtype in (np.float16, np.float32):
        return _mean_of_four(block)
    source = np.ascontiguousarray(block if block.ndim == 3 else block[None])
    half = np.empty((source.shape[0], -(-source.shape[1] // 2), -(-source.shape[2] // 2)), block.dtype)
    _round_mean_of_four(source, half)
    return half.reshape(*block.shape[:-2], *half.shape[1:])


def halve_labels(block: NDArray[T]) -> NDArray[T]:
    """Next pyramid level of labels or masks: the top-left pixel of each 2 × 2, never an average.

    Parameters
    ----------
    block
        ``(…, y, x)`` of any type.

    Returns
    -------
    NDArray
        ``(…, ceil(y / 2), ceil(x / 2))`` of the same type, contiguous.
    """
    return np.ascontiguousarray(block[..., ::2, ::2])


def level_shapes(height: int, width: int, *, smallest: int, most: int, least: int = 2) -> tuple[tuple[int, int], ...]:
    """Pyramid level sizes: rows and columns, from the full size down.

    Parameters
    ----------
    height, width
        The full size, at least one pixel.
    smallest
        Levels are added until the longer side is at most this many pixels.
    most
        Levels at most, the full size included.
    least
        Levels at least, the full size included, however small the image.

    Raises
    ------
    ConfigurationError
        For sizes below 1, or fewer levels allowed than asked for.

    Examples
    --------
    >>> level_shapes(2848, 4288, smallest=1024, most=8)
    ((2848, 4288), (1424, 2144), (712, 1072), (356, 536))
    """
    if min(height, width, smallest, least) < 1 or most < least:
        raise ConfigurationError(
            "A pyramid cannot be built.",
            where="normalized.pyramid.level_shapes",
            found=f"{height}×{width}, smallest {smallest}, levels {least} to {most}",
            expected="sizes and levels of at least 1, most >= least",
            remedy="Correct the pyramid's parameters.",
        )
    shapes = [(height, width)]
    while len(shapes) < least or (len(shapes) < most and max(shapes[-1]) > smallest):
        shapes.append((-(-shapes[-1][0] // 2), -(-shapes[-1][1] // 2)))
    return tuple(shapes)


def store_levels(height: int, width: int, *, shard: int) -> tuple[tuple[int, int], ...]:
    """Pyramid level sizes of every image store: down to ``SMALLEST_LEVEL`` pixels, ``MOST_LEVELS`` at most.

    The side of a shard bounds the levels too: a level's shard is half the side of the one before.
    """
    return level_shapes(height, width, smallest=SMALLEST_LEVEL, most=min(MOST_LEVELS, shard.bit_length()))


def _mean_of_four(block: NDArray[T]) -> NDArray[T]:
    # A pixel that does not exist is given as its neighbour. Adding in pairs makes that the exact mean of the others.
    missing = [(0, 0)] * (block.ndim - 2) + [(0, length % 2) for length in block.shape[-2:]]
    even = block.astype(np.float32, copy=False)
    if any(length % 2 for length in block.shape[-2:]):
        even = np.pad(even, missing, mode="edge")
    upper = even[..., ::2, ::2] + even[..., ::2, 1::2]
    lower = even[..., 1::2, ::2] + even[..., 1::2, 1::2]
    return ((upper + lower) * np.float32(0.25)).astype(block.dtype, copy=False)


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _round_mean_of_four(source: NDArray[T], half: NDArray[T]) -> None:
    height, width = source.shape[1:]
    for channel in range(source.shape[0]):
        for y in range(half.shape[1]):
            upper = source[channel, 2 * y]
            lower = source[channel, min(2 * y + 1, height - 1)]
            row = half[channel, y]
            for x in range(width // 2):
                total = np.uint32(upper[2 * x]) + upper[2 * x + 1] + lower[2 * x] + lower[2 * x + 1]
                row[x] = (total + 2) >> 2
            if width % 2:
                row[-1] = (np.uint32(upper[-1]) + lower[-1] + 1) >> 1
