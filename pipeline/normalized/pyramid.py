"""Image pyramid: halving of pixels and labels, and the sizes of the levels.

A level has ``ceil(n / 2)`` pixels along each axis. The last pixel of an odd axis comes from the single pixel there.
Blocks that start at even coordinates give the same result as the whole image.
"""

from collections.abc import Sequence
from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.errors import ConfigurationError, GeometryError

__all__ = ["halve", "halve_labels", "level_shapes", "store_levels"]

SMALLEST_LEVEL = 256
"""A pyramid goes on until its longer side is at most this many pixels."""
MOST_LEVELS = 8
"""Levels of a pyramid at most, the full size included."""

T = TypeVar("T", bound=np.generic)


def halve(block: NDArray[T]) -> NDArray[T]:
    """Next pyramid level of pixels: the mean of each 2 × 2, of fewer at the end of an odd axis.

    Parameters
    ----------
    block
        ``(channel, y, x)`` or ``(y, x)``, uint8 or uint16.

    Returns
    -------
    NDArray
        The same with ``ceil(n / 2)`` rows and columns, of the same type, rounded half up in whole numbers.

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
    if block.ndim not in (2, 3) or block.dtype not in (np.uint8, np.uint16):
        raise GeometryError(
            "A block cannot be halved.",
            where="normalized.pyramid.halve",
            found=f"{block.ndim} axes of {block.dtype}",
            expected="(y, x) or (channel, y, x) of uint8 or uint16",
            remedy="Use halve_labels for labels and masks.",
        )
    height, width = block.shape[-2:]
    half = np.empty((*block.shape[:-2], -(-height // 2), -(-width // 2)), block.dtype)
    planes = zip(block, half, strict=True) if block.ndim == 3 else [(block, half)]
    for plane, out in planes if block.size else ():
        if height % 2 or width % 2:
            # A missing pixel repeats its neighbour, so the mean is that of the existing pixels.
            plane = cv2.copyMakeBorder(plane, 0, height % 2, 0, width % 2, cv2.BORDER_REPLICATE)
        cv2.resize(plane, (out.shape[1], out.shape[0]), dst=out, interpolation=cv2.INTER_AREA)
    return half


def halve_labels(labels: NDArray[np.uint8], *, winners: Sequence[int]) -> NDArray[np.uint8]:
    """Next pyramid level of labels: the winning class of each 2 × 2, never an average; background where there is no class.

    A class keeps a pixel wherever it had one and no stronger class has: a lesion of one pixel stays visible at every
    level.

    Parameters
    ----------
    labels
        ``(y, x)``: 0 for background, else 1 + plane of a class in ``winners``.
    winners
        Planes by priority, the winner first.

    Returns
    -------
    NDArray
        ``(ceil(y / 2), ceil(x / 2))``, contiguous.

    Examples
    --------
    >>> halve_labels(np.array([[0, 1, 0], [0, 2, 0]], np.uint8), winners=(0, 1))
    array([[1, 0]], dtype=uint8)
    """
    ranks, values = np.zeros((2, 256), np.uint8)
    for rank, plane in enumerate(reversed(winners), start=1):
        ranks[plane + 1], values[rank] = rank, plane + 1
    height, width = labels.shape
    if not labels.size:  # OpenCV does not accept it as an array.
        return np.zeros((-(-height // 2), -(-width // 2)), np.uint8)
    as_they_are = list(winners) == sorted(winners, reverse=True)  # The larger label wins.
    ranked = labels if as_they_are else cv2.LUT(labels, ranks)
    ranked = cv2.copyMakeBorder(ranked, 0, height % 2, 0, width % 2, cv2.BORDER_REPLICATE)
    rows = np.maximum(ranked[::2], ranked[1::2])
    half = np.maximum(rows[:, ::2], rows[:, 1::2])
    return half if as_they_are else np.asarray(cv2.LUT(half, values), np.uint8)


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
