"""Region of interest: the field of view or tissue mask of an image, found in a thumbnail, read at full size by box."""

import base64
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import StoreError
from pipeline.geometry import Box
from pipeline.normalized.roi import fov_diameter, without_rim
from pipeline.normalized.thumbnail import Thumbnail

__all__ = ["Region"]


def _cells(first: int, end: int, *, length: int, grid: int, factor: int) -> NDArray[np.int64]:
    # The cell that holds the centre of each pixel, in whole numbers.
    return (2 * np.arange(first, end, dtype=np.int64) + 1) * grid // (2 * length * factor)


@dataclass(frozen=True, slots=True, eq=False)
class Region:
    """Region of interest: a field of view or tissue mask at thumbnail size; any box can be read at full size."""

    mask: NDArray[np.bool_]
    """``(h, w)`` of the thumbnail."""
    height: int
    """Rows of the image."""
    width: int
    """Columns of the image."""
    grid: tuple[int, int] | None = None
    """Rows and columns of the grid that the cells are made from; by default the mask itself."""
    factor: int = 1
    """Side of a cell in pixels of that grid."""

    @classmethod
    def found(
        cls, find: Callable[[NDArray[np.uint8]], NDArray[np.bool_]], thumbnail: Thumbnail, *, height: int, width: int
    ) -> Self:
        """Region that a function finds in a thumbnail, for an image of ``height`` × ``width``."""
        return cls(find(thumbnail.pixels), height, width, (thumbnail.height, thumbnail.width), thumbnail.factor)

    def to_json(self) -> dict[str, Any]:
        """Plain numbers and texts from which `from_json` makes the same region.

        ``cells`` are the mask in raster order, one bit a cell, compressed by zlib and in base64: a few kilobytes.
        """
        packed = zlib.compress(np.packbits(self.mask).tobytes(), 9)
        shape = {"rows": self.mask.shape[0], "columns": self.mask.shape[1], "factor": self.factor}
        return {**shape, "of": list(self.grid or self.mask.shape), "cells": base64.b64encode(packed).decode()}

    @classmethod
    def from_json(cls, content: Mapping[str, Any], *, height: int, width: int) -> Self:
        """Region restored from `to_json`, for an image of ``height`` × ``width``.

        Raises
        ------
        StoreError
            The content is not from `to_json`.
        """
        try:
            rows, columns, factor = (int(content[name]) for name in ("rows", "columns", "factor"))
            packed = np.frombuffer(zlib.decompress(base64.b64decode(content["cells"])), np.uint8)
            if 8 * packed.size - rows * columns not in range(8):
                raise ValueError(f"{packed.size} bytes for {rows}×{columns} cells")
            mask = np.unpackbits(packed, count=rows * columns).reshape(rows, columns).astype(np.bool_)
            of = int(content["of"][0]), int(content["of"][1])
        except (KeyError, IndexError, TypeError, ValueError, zlib.error) as problem:
            raise StoreError(
                "A region cannot be read.",
                where="normalized.region",
                found=f"{type(problem).__name__}: {problem}",
                expected="rows, columns, factor, of and cells",
                remedy="Estimate the stains of the image again.",
            ) from problem
        return cls(mask, height, width, of, factor)

    def _axes(self, box: Box) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        grid = self.grid or (self.mask.shape[0], self.mask.shape[1])
        rows = _cells(box.y0, box.y1, length=self.height, grid=grid[0], factor=self.factor)
        return rows, _cells(box.x0, box.x1, length=self.width, grid=grid[1], factor=self.factor)

    def read(self, box: Box) -> NDArray[np.bool_]:
        """Mask of a box ``(y, x)`` at full size: each pixel takes the cell that holds its centre."""
        rows, columns = self._axes(box)
        if box.area == 0:
            return np.zeros((box.height, box.width), np.bool_)
        # Neighbouring rows share a row of cells: each is spread over the columns once.
        wide = np.ascontiguousarray(self.mask[rows[0] : rows[-1] + 1][:, columns])
        return np.asarray(np.take(wide, rows - rows[0], axis=0))

    def without_rim(self) -> Self:
        """Region without the rim of the field of view, where the light fades."""
        return replace(self, mask=without_rim(self.mask)) if self.mask.any() else self

    @property
    def diameter(self) -> float:
        """Diameter of the field of view in pixels of the image; the image's shorter side where there is no field of view."""
        rows, columns = self.grid or (self.mask.shape[0], self.mask.shape[1])
        cell = self.factor * (self.height / rows + self.width / columns) / 2
        return fov_diameter(self.mask) * cell or float(min(self.height, self.width))

    @property
    def pixels(self) -> int:
        """Pixels inside, at full size."""
        rows, columns = self._axes(Box.of_shape(self.height, self.width))
        tall = np.bincount(rows, minlength=self.mask.shape[0])
        wide = np.bincount(columns, minlength=self.mask.shape[1])
        return int(tall @ self.mask.astype(np.int64) @ wide)
