"""Polygons with holes along the edges of pixels.

Vertices are corners of pixels: pixel (y, x) is the square from (x, y) to (x + 1, y + 1), so the area of a polygon is
its number of pixels, and one pixel is a square, not a point.

1. Where an outline turns, a corner is noted. In the order of rows, corners pair up into horizontal edges; in the order
   of columns into vertical ones. Edges are followed with the region on the right.
2. Where pixels meet only diagonally, two corners share a place. A walk that passes it twice is cut there, so that rings
   are simple: none touches itself.
3. A piece, the pixels joined by edges, is one polygon: its ring of positive area, and those of negative area as holes.
   Rings of a polygon may touch in single points, which the Simple Features standard allows.

A region whose pieces are joined only diagonally has several polygons. Memory grows with the corners, not the area.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numba import njit
from numpy.typing import NDArray

from pipeline.arrays.components import ComponentTable, component_table, relabel, whole_components
from pipeline.arrays.raster import Raster

__all__ = ["Polygon", "trace", "trace_components"]

_Ints: TypeAlias = NDArray[np.int64]

# The four pixels around a corner are bits of a code: 1 upper left, 2 upper right, 4 lower left, 8 lower right.
_RIGHT, _DOWN = np.isin(np.arange(16), [2, 8, 13, 7]), np.isin(np.arange(16), [4, 8, 11, 7])
_TURNS = np.isin(np.arange(16), [1, 2, 4, 8, 14, 13, 11, 7, 9, 6])
# Codes of pixels that meet diagonally -> the codes of the two corners at that place; others -> themselves and none.
_FIRST = np.arange(16, dtype=np.uint8)
_FIRST[[9, 6]] = 1, 2
_SECOND = np.zeros(16, dtype=np.uint8)
_SECOND[[9, 6]] = 8, 4


@dataclass(frozen=True, slots=True, eq=False)
class Polygon:
    """Polygon: a simple ring and its holes; rings are closed, with the last vertex equal to the first."""

    exterior: NDArray[np.int64]
    """Vertices ``(n, 2)`` as x, y; counterclockwise in these coordinates (clockwise on a screen with y downwards)."""
    holes: tuple[NDArray[np.int64], ...] = ()
    """Rings in the opposite direction."""

    @property
    def area(self) -> int:
        """Pixels inside."""
        return sum(_signed_area(ring) for ring in (self.exterior, *self.holes))


def _signed_area(ring: NDArray[np.int64]) -> int:
    x, y = ring.T
    return int(np.sum(x[:-1] * y[1:] - x[1:] * y[:-1])) // 2


@dataclass(frozen=True, slots=True, eq=False)
class _Corners:
    """Corners: places where an outline turns."""

    y: _Ints
    x: _Ints
    code: NDArray[np.uint8]
    """Code of the inside pixels: one or three of four."""
    piece: _Ints
    """Number of the 4-connected piece that the corner belongs to."""


def _corners(pieces: NDArray[np.int32], *, y0: int) -> _Corners:
    """The corners between the rows of a label array (−1 outside); those between its rows 0 and 1 lie at ``y0``."""
    labels = np.pad(pieces, ((0, 0), (1, 1)), constant_values=-1)
    inside = (labels >= 0).view(np.uint8)
    code = inside[:-1, :-1] + 2 * inside[:-1, 1:] + 4 * inside[1:, :-1] + 8 * inside[1:, 1:]
    place = np.flatnonzero(_TURNS[code])
    code = code.ravel()[place]
    twice = np.flatnonzero(_SECOND[code])
    place, code = np.append(place, place[twice]), np.append(_FIRST[code], _SECOND[code[twice]])
    y, x = np.divmod(place, labels.shape[1] - 1)
    lower, right = _pixel(code)
    return _Corners(y + y0, x, code, labels[y + lower, x + right].astype(np.int64))


def _pixel(code: NDArray[np.uint8]) -> tuple[_Ints, _Ints]:
    """Offset in rows and columns of one inside pixel of the four around the corner."""
    lowest_bit = np.array([0, 0, 1, 0, 2, 0, 1, 0, 3, 0, 1, 0, 2, 0, 1, 0])[code]
    return lowest_bit // 2, lowest_bit % 2


def _in_raster_order(corners: _Corners) -> _Corners:
    # Of two corners at one place, the one that ends the edge on the left comes first.
    order = np.lexsort((_RIGHT[corners.code], corners.x, corners.y))
    return _Corners(corners.y[order], corners.x[order], corners.code[order], corners.piece[order])


def _successors(corners: _Corners) -> tuple[_Ints, _Ints]:
    """The next corner of each along its outline, and the one that shares its place (−1 where there is none)."""
    by_row = np.arange(len(corners.x))
    by_column = np.lexsort((_DOWN[corners.code], corners.y, corners.x))
    follow, twin = np.empty_like(by_row), np.full_like(by_row, -1)
    # An edge has the region below it, or to its left, if the corner at its start has a pixel there.
    for order, bit in ((by_row, 8), (by_column, 4)):
        start, end = order[0::2], order[1::2]
        forward = corners.code[start] & bit > 0
        follow[np.where(forward, start, end)] = np.where(forward, end, start)
    first = np.flatnonzero((np.diff(corners.x) == 0) & (np.diff(corners.y) == 0))
    twin[first], twin[first + 1] = first + 1, first
    return follow, twin


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]  # numba has no types
def _rings(follow: _Ints, twin: _Ints) -> tuple[_Ints, _Ints]:
    """All corners, ring after ring, and where each ring ends; a walk that passes a place twice is cut there."""
    size = len(follow)
    order, stack = np.empty(size, np.int64), np.empty(size, np.int64)
    position = np.full(size, -1)
    seen = np.zeros(size, np.bool_)
    ends = np.empty(size, np.int64)
    filled = rings = 0
    for first in range(size):
        top = 0
        corner = first
        while not seen[corner] or top > 0:
            # The walk is closed when it is back at the start, which then represents the place.
            closed = seen[corner]
            bottom = 0 if closed else (position[twin[corner]] if twin[corner] >= 0 else -1)
            if bottom >= 0:
                for i in range(bottom, top):
                    order[filled] = stack[i]
                    position[stack[i]] = -1
                    filled += 1
                ends[rings] = filled
                rings += 1
                top = bottom
            if not closed:
                seen[corner] = True
                stack[top] = corner
                position[corner] = top
                top += 1
                corner = follow[corner]
    return order, ends[:rings]


def _polygons(corners: _Corners, *, count: int) -> list[Polygon]:
    """The polygon of each of ``count`` pieces."""
    corners = _in_raster_order(corners)
    order, ends = _rings(*_successors(corners))
    vertices = np.stack([corners.x, corners.y], axis=1)[order]
    exterior: list[NDArray[np.int64]] = [vertices[:0]] * count
    holes: list[list[NDArray[np.int64]]] = [[] for _ in range(count)]
    starts = np.concatenate([np.zeros(1, dtype=np.int64), ends])[:-1]
    positive = _is_positive(vertices, starts, ends)
    for piece, outer, start, end in zip(corners.piece[order[starts]], positive, starts, ends, strict=True):
        ring = np.concatenate([vertices[start:end], vertices[start : start + 1]])
        if outer:
            exterior[piece] = ring
        else:
            holes[piece].append(ring)
    return [Polygon(ring, tuple(inner)) for ring, inner in zip(exterior, holes, strict=True)]


def _is_positive(vertices: _Ints, starts: _Ints, ends: _Ints) -> NDArray[np.bool_]:
    after = np.arange(1, len(vertices) + 1)
    after[ends - 1] = starts
    x, y = vertices.T
    cross = x * y[after] - x[after] * y
    return np.asarray(np.add.reduceat(cross, starts) > 0)


def trace(mask: NDArray[np.bool_], *, origin: tuple[int, int] = (0, 0)) -> list[Polygon]:
    """Polygons of a mask ``(height, width)`` in memory, one per 4-connected piece in raster order.

    Parameters
    ----------
    mask
        One region or several.
    origin
        Row and column of its first pixel in the image.

    Examples
    --------
    >>> [polygon.exterior.tolist() for polygon in trace(np.array([[True]]), origin=(5, 3))]
    [[[3, 5], [4, 5], [4, 6], [3, 6], [3, 5]]]
    """
    pieces, table = whole_components(mask, connectivity=4)
    corners = _corners(np.pad(pieces, ((1, 1), (0, 0)), constant_values=-1), y0=0)
    shifted = _Corners(corners.y + origin[0], corners.x + origin[1], corners.code, corners.piece)
    return _polygons(shifted, count=len(table))


def trace_components(mask: Raster[np.generic], regions: ComponentTable) -> list[list[Polygon]]:
    """Polygons of each connected component of a mask of any height, read strip by strip.

    Parameters
    ----------
    mask
        The mask that ``regions`` was made from; it is read twice.
    regions
        Its 8-connected components. Their strips are used here too and do not change the result.

    Returns
    -------
    list
        Polygons of each region: one, or several where its pieces are joined only diagonally.
    """
    if not regions.boxes:
        return []
    pieces = component_table(mask, rows=regions.boxes[0].height, connectivity=4)
    region = np.zeros(len(pieces), dtype=np.int64)
    parts = list(_strip_corners(mask, regions, pieces, region))
    names = ("y", "x", "code", "piece")
    corners = _Corners(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))
    traced: list[list[Polygon]] = [[] for _ in range(len(regions))]
    for number, polygon in zip(region, _polygons(corners, count=len(pieces)), strict=True):
        traced[number].append(polygon)
    return traced


def _strip_corners(
    mask: Raster[np.generic], regions: ComponentTable, pieces: ComponentTable, region: NDArray[np.int64]
) -> Iterator[_Corners]:
    """The corners of each strip, with the last row of the one before; ``region`` is filled for each piece."""
    above = np.full((1, regions.boxes[0].width), -1, dtype=np.int32)
    for index, box in enumerate(regions.boxes):
        strip = mask.read(box)
        labels, numbers = relabel(pieces, index, strip), relabel(regions, index, strip)
        here = np.flatnonzero((pieces.first_y >= box.y0) & (pieces.first_y < box.y1))
        region[here] = numbers[pieces.first_y[here] - box.y0, pieces.first_x[here]]
        yield _corners(np.concatenate([above, labels]), y0=box.y0)
        above = labels[-1:]
    yield _corners(np.concatenate([above, np.full_like(above, -1)]), y0=regions.boxes[-1].y1)
