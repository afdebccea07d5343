"""Boxes of pixels: half-open rectangles, the grid of boxes that covers an image, and halos around them.

All coordinates are pixels, origin top-left, ``y`` before ``x``; a box holds ``y0 <= y < y1`` and ``x0 <= x < x1``.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.errors import GeometryError

__all__ = ["BLOCK", "Box", "aligned_boxes", "clip_start", "grid_pixel_um", "starts_1d", "strips"]

BLOCK = 1024
"""Side of the blocks in which a stored image is processed: a multiple of the default chunk."""


@dataclass(frozen=True, slots=True, order=True)
class Box:
    """Half-open rectangle of pixels; its sides may be zero but not negative."""

    y0: int
    """First row inside."""
    x0: int
    """First column inside."""
    y1: int
    """First row after."""
    x1: int
    """First column after."""

    def __post_init__(self) -> None:
        if self.y1 < self.y0 or self.x1 < self.x0:
            found = f"y {self.y0}…{self.y1}, x {self.x0}…{self.x1}"
            raise GeometryError(
                "A box ends before it starts.",
                where="geometry.Box",
                found=found,
                expected="y0 <= y1 and x0 <= x1",
                remedy="Check the order of the coordinates.",
            )

    @classmethod
    def of_shape(cls, height: int, width: int) -> "Box":
        """Box of a whole image."""
        return cls(0, 0, height, width)

    @property
    def height(self) -> int:
        """Rows."""
        return self.y1 - self.y0

    @property
    def width(self) -> int:
        """Columns."""
        return self.x1 - self.x0

    @property
    def area(self) -> int:
        """Pixels."""
        return self.height * self.width

    @property
    def slices(self) -> tuple[slice, slice]:
        """Index of this box into an array ``(y, x)``."""
        return slice(self.y0, self.y1), slice(self.x0, self.x1)

    def intersect(self, other: "Box") -> "Box":
        """Intersection of two boxes; where they do not overlap, an empty box on the border of ``other``."""
        return Box(
            min(max(self.y0, other.y0), other.y1),
            min(max(self.x0, other.x0), other.x1),
            max(min(self.y1, other.y1), other.y0),
            max(min(self.x1, other.x1), other.x0),
        )

    def contains(self, other: "Box") -> bool:
        """Containment test: whether every pixel of the other box is inside this one."""
        return self.y0 <= other.y0 and self.x0 <= other.x0 and other.y1 <= self.y1 and other.x1 <= self.x1

    def grow(self, halo: int, within: "Box") -> "Box":
        """Box with a halo on each side, cut at the borders of ``within``."""
        return Box(self.y0 - halo, self.x0 - halo, self.y1 + halo, self.x1 + halo).intersect(within)

    def shift(self, dy: int, dx: int) -> "Box":
        """Box moved by whole pixels."""
        return Box(self.y0 + dy, self.x0 + dx, self.y1 + dy, self.x1 + dx)


def starts_1d(length: int, window: int, stride: int) -> tuple[int, ...]:
    """Window starts along one axis: one every ``stride`` pixels, the last moved back inside, so that all is covered.

    Parameters
    ----------
    length
        Pixels along the axis, at least 1.
    window
        Pixels of a window, at least 1. A shorter axis has one start, 0.
    stride
        Pixels between starts, from 1 to ``window``.

    Raises
    ------
    GeometryError
        For a stride that would leave gaps, or sizes below 1.

    Examples
    --------
    >>> starts_1d(1000, 512, 384)
    (0, 384, 488)
    >>> starts_1d(300, 512, 384)
    (0,)
    """
    if length < 1 or window < 1 or not 1 <= stride <= window:
        raise GeometryError(
            "Windows cannot cover the axis.",
            where="geometry.starts_1d",
            found=f"length {length}, window {window}, stride {stride}",
            expected="length >= 1, window >= 1, 1 <= stride <= window",
            remedy="Choose an overlap of at least 0 and below 1, and a window of at least one pixel.",
        )
    last = max(length - window, 0)
    starts = list(range(0, last + 1, stride))
    return tuple(starts if starts[-1] == last else [*starts, last])


def clip_start(start: int, size: int, length: int) -> int:
    """Start nearest to the wanted one at which ``size`` pixels lie inside ``length``; 0 where they do not fit."""
    return max(0, min(start, length - size))


def aligned_boxes(height: int, width: int, rows: int, columns: int | None = None) -> Iterator[Box]:
    """Boxes of ``rows`` × ``columns`` (squares by default) from the top left, row by row, cut at the image border."""
    columns = rows if columns is None else columns
    for y0 in range(0, height, rows):
        for x0 in range(0, width, columns):
            yield Box(y0, x0, min(y0 + rows, height), min(x0 + columns, width))


def strips(height: int, width: int, rows: int) -> Iterator[Box]:
    """Strips: full-width boxes of ``rows`` rows from the top, the last one cut."""
    return (Box(y0, 0, min(y0 + rows, height), width) for y0 in range(0, height, rows))


def grid_pixel_um(mapping: Mapping[str, Any], *, given: float | None = None) -> float | None:
    """Pixel size of a normalised grid: side of a pixel in micrometres; None where it is unknown.

    Parameters
    ----------
    mapping
        Mapping to the original, from the image's store: ``factor_y``, and ``pixel_size_um`` of the original.
    given
        Pixel size to use where the mapping has none.
    """
    size = mapping.get("pixel_size_um") or given
    return None if size is None else float(size) / float(mapping["factor_y"])
