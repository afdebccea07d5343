"""Raster: an image, a mask or a map of any size, read box by box from memory or disk, or computed on demand."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from pipeline.geometry import Box

__all__ = ["Raster"]

Value = TypeVar("Value", bound=np.generic, covariant=True)
Other = TypeVar("Other", bound=np.generic)


@dataclass(frozen=True, slots=True, eq=False)
class Raster(Generic[Value]):
    """Raster: the size of a pixel grid and a function that reads any box of it. It holds no pixels.

    Examples
    --------
    >>> mask = Raster.of(np.eye(4, dtype=np.bool_))
    >>> mask.shape, mask.part(Box(1, 1, 4, 4)).read(Box(0, 0, 1, 2)).tolist()
    ((4, 4), [[True, False]])
    """

    shape: tuple[int, int]
    """Height and width in pixels."""
    read: Callable[[Box], NDArray[Value]]
    """Gives the pixels of a box: ``(y, x)``, planes ``(n, y, x)``, or colours ``(y, x, 3)`` where the caller expects
    them."""

    @classmethod
    def of(cls, array: NDArray[Value]) -> "Raster[Value]":
        """Raster of an array ``(…, y, x)`` in memory; boxes are views."""
        return cls((array.shape[-2], array.shape[-1]), lambda box: array[(..., *box.slices)])

    @property
    def height(self) -> int:
        """Rows."""
        return self.shape[0]

    @property
    def width(self) -> int:
        """Columns."""
        return self.shape[1]

    @property
    def box(self) -> Box:
        """Box of all pixels."""
        return Box.of_shape(*self.shape)

    def part(self, box: Box) -> "Raster[Value]":
        """Raster of the pixels of a box, with its first pixel at the origin."""
        return Raster((box.height, box.width), lambda inner: self.read(inner.shift(box.y0, box.x0)))

    def map(self, change: Callable[[NDArray[Value]], NDArray[Other]]) -> "Raster[Other]":
        """Raster of a pixel-wise function of the pixels."""
        return Raster(self.shape, lambda box: change(self.read(box)))
