"""Halving pyramid of a raster of any size, strip by strip, in one pass over its pixels."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from pipeline.arrays.raster import Raster
from pipeline.geometry import Box, strips

__all__ = ["ROWS", "Halving", "Planes", "Strip", "halve_highest", "held", "highest_of", "pyramid_strips"]

Planes: TypeAlias = NDArray[np.uint8]
"""``(n, y, x)``."""
Halving: TypeAlias = Callable[[Planes], Planes]

Value = TypeVar("Value", bound=np.generic)

ROWS = 512
"""Rows of a strip of every level, even, so that strips halve like the whole; also the side of a tile."""


@dataclass(frozen=True, slots=True, eq=False)
class Strip:
    """Full-width strip of one level."""

    level: int
    """0 for the full size."""
    y0: int
    """Its first row in that level."""
    planes: Planes


def halve_highest(block: Planes) -> Planes:
    """Next pyramid level of indices: the highest of each 2 × 2, so that a lesion of one pixel is never lost.

    Parameters
    ----------
    block
        ``(…, y, x)``.

    Returns
    -------
    NDArray
        ``(…, ceil(y / 2), ceil(x / 2))``.

    Examples
    --------
    >>> halve_highest(np.array([[0, 1, 0], [0, 0, 0], [2, 0, 3]], np.uint8))
    array([[1, 0],
           [2, 3]], dtype=uint8)
    """
    tall, wide = block.shape[-2] // 2 * 2, block.shape[-1] // 2 * 2
    rows = block[..., ::2, :].copy()
    np.maximum(rows[..., : tall // 2, :], block[..., 1::2, :], out=rows[..., : tall // 2, :])
    half = rows[..., ::2].copy()
    np.maximum(half[..., : wide // 2], rows[..., 1::2], out=half[..., : wide // 2])
    return half


def highest_of(block: Planes, *, times: int) -> Planes:
    """Pyramid level of indices several levels up: the result of ``halve_highest`` applied ``times`` times.

    Rows are combined first, because they are contiguous; the remaining work on columns is small.
    """
    side, (height, width) = 1 << times, block.shape[-2:]
    small = np.zeros((*block.shape[:-2], -(-height // side), -(-width // side)), np.uint8)
    if not block.any():  # As in nearly all of a mask.
        return small
    tall = height // side * side
    rows = np.empty((*small.shape[:-1], width), np.uint8)
    block[..., :tall, :].reshape(*block.shape[:-2], height // side, side, width).max(
        axis=-2, out=rows[..., : tall // side, :]
    )
    if tall < height:
        block[..., tall:, :].max(axis=-2, out=rows[..., -1, :])
    for column in range(side):
        part = rows[..., column::side]
        np.maximum(small[..., : part.shape[-1]], part, out=small[..., : part.shape[-1]])
    return small


def held(raster: Raster[Value]) -> Raster[Value]:
    """Raster that holds the box read last: what lies inside it is a view, so that several readers of a strip read once."""
    last: list[tuple[Box, NDArray[Value]]] = []

    def read(box: Box) -> NDArray[Value]:
        if not (last and last[0][0].contains(box)):
            last[:] = [(box, raster.read(box))]
        whole, pixels = last[0]
        return pixels[(..., *box.shift(-whole.y0, -whole.x0).slices)]

    return Raster(raster.shape, read)


def pyramid_strips(
    raster: Raster[np.uint8], *, halve: Halving, shapes: Sequence[tuple[int, int]], rows: int = ROWS
) -> Iterator[Strip]:
    """Strips of all levels, each as soon as its rows are known; the raster is read once.

    Parameters
    ----------
    raster
        ``(n, y, x)``.
    halve
        Makes the next level of planes.
    shapes
        ``(height, width)`` of each level, the full size first; see ``level_shapes``.
    rows
        Of a strip, even.

    Yields
    ------
    Strip
        With ``rows`` rows, except the last of a level. At most one unfinished strip per level is in memory.
    """
    waiting: list[list[Planes]] = [[] for _ in shapes]
    done = [0] * len(shapes)
    for box in strips(*raster.shape, rows):
        part = raster.read(box)
        for level, (height, _) in enumerate(shapes):
            waiting[level].append(part)
            held = sum(each.shape[-2] for each in waiting[level])
            if held < rows and done[level] + held < height:
                break
            planes = waiting[level][0] if len(waiting[level]) == 1 else np.concatenate(waiting[level], axis=-2)
            yield Strip(level, done[level], planes)
            done[level] += held
            waiting[level] = []
            part = halve(planes) if level + 1 < len(shapes) else planes
