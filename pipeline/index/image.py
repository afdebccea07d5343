"""How is one normalised image read without holding it? By strips where everything is counted, by tiles where little is."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from pipeline.errors import StoreError, explain
from pipeline.geometry import Box
from pipeline.stores import open_array, open_group, read_box

__all__ = ["NormalizedImage", "ReadPlanes", "open_image", "tiled"]

ReadPlanes = Callable[[Box], NDArray[Any]]
"""Gives planes ``(plane, y, x)`` of a box."""

TILE_BYTES = 1 << 27
"""Most bytes that the tiles of one image may take."""
STRIP_PIXELS = 1 << 22
"""Pixels of a strip, as long as one row of chunks holds fewer."""
QUARTER = 2
"""Pyramid level of a quarter of the size."""


@dataclass(frozen=True, slots=True, eq=False)
class NormalizedImage:
    """The arrays of one store, opened and not read."""

    image_id: str
    """Name of the image."""
    classes: tuple[str, ...]
    """Class codes in the order of the class axis of ``truth``."""
    truth: zarr.Array[Any]
    """``(class, y, x)`` uint8, 0 or 1."""
    roi: zarr.Array[Any]
    """``(y, x)`` uint8, 0 or 1."""
    coarse: zarr.Array[Any]
    """``(c, y, x)`` uint8: the pyramid level nearest to a quarter of the size."""
    factor: int
    """Pixels of the full size along one pixel of ``coarse``."""

    @property
    def height(self) -> int:
        """Rows of the full size."""
        return int(self.roi.shape[0])

    @property
    def width(self) -> int:
        """Columns of the full size."""
        return int(self.roi.shape[1])

    @property
    def rows(self) -> int:
        """Rows of a strip: whole chunks, so that nothing is decoded twice, and as many as keep it small."""
        chunk = int(self.truth.chunks[-2])
        return chunk * max(1, STRIP_PIXELS // (chunk * self.width))

    def class_mask(self, code: str) -> Callable[[Box], NDArray[np.bool_]]:
        """Reads one class of the truth, ``(y, x)``."""
        index = self.classes.index(code)
        return lambda box: np.asarray(self.truth[(index, *box.slices)]) != 0

    def roi_mask(self, box: Box) -> NDArray[np.uint8]:
        """The roi of a box as ``(1, y, x)``, 0 or 1."""
        return np.asarray(read_box(self.roi, box) != 0, dtype=np.uint8)[None]

    def class_planes(self, box: Box) -> NDArray[np.uint8]:
        """Each class as ``(class, y, x)``, 0 or 1."""
        return np.asarray(read_box(self.truth, box) != 0, dtype=np.uint8)

    def any_truth(self, box: Box) -> NDArray[np.uint8]:
        """Where any class is, as ``(1, y, x)``, 0 or 1."""
        return np.asarray(read_box(self.truth, box).any(axis=0, keepdims=True), dtype=np.uint8)

    def planes(self, box: Box) -> NDArray[np.uint8]:
        """Each class, any class, and the roi, as ``(class + 2, y, x)``, 0 or 1."""
        truth = self.class_planes(box)
        return np.concatenate([truth, truth.max(axis=0, keepdims=True), self.roi_mask(box)])


def open_image(path: Path, *, codes: tuple[str, ...] | None = None) -> NormalizedImage:
    """Open a store of stage normalized.

    Parameters
    ----------
    path
        Folder of the store.
    codes
        Class codes that it must hold, in order; None takes what is there.

    Raises
    ------
    StoreError
        Where an array is missing or the classes are others.
    """
    attributes = dict(open_group(path).attrs)
    notes, ome = attributes.get("lesionmap"), attributes.get("ome")
    if not isinstance(notes, dict) or not isinstance(ome, dict):
        raise _foreign(
            path, found=f"attributes {', '.join(sorted(attributes))}", expected="attributes lesionmap and ome"
        )
    classes = tuple(str(code) for code in notes["classes"])
    if codes is not None and classes != codes:
        raise _foreign(path, found=f"classes {', '.join(classes)}", expected=f"classes {', '.join(codes)}")
    levels = len(ome["multiscales"][0]["datasets"])
    truth, roi = open_array(path, "truth"), open_array(path, "roi")
    if truth.shape != (len(classes), *roi.shape):
        raise _foreign(
            path, found=f"truth {truth.shape}, roi {roi.shape}", expected=f"truth (class {len(classes)}, y, x)"
        )
    level = min(QUARTER, levels - 1)
    return NormalizedImage(str(notes["image_id"]), classes, truth, roi, open_array(path, str(level)), 2**level)


def _foreign(path: Path, *, found: str, expected: str) -> StoreError:
    remedy = "Delete the store and run the stage normalized again."
    return StoreError(
        explain("The normalised image does not fit.", where=path, found=found, expected=expected, remedy=remedy)
    )


def tiled(array: zarr.Array[Any]) -> ReadPlanes:
    """Reads any box of a ``(plane, y, x)`` array and keeps the tiles read last, so that near boxes decode them once."""
    planes, height, width = array.shape
    side_y, side_x = array.chunks[-2:]
    whole = Box.of_shape(height, width)

    @lru_cache(maxsize=max(4, TILE_BYTES // (planes * side_y * side_x)))
    def tile(row: int, column: int) -> tuple[Box, NDArray[Any]]:
        y0, x0 = row * side_y, column * side_x
        box = Box(y0, x0, y0 + side_y, x0 + side_x).intersect(whole)
        return box, read_box(array, box)

    def read(box: Box) -> NDArray[Any]:
        found = np.zeros((planes, box.height, box.width), dtype=array.dtype)
        for row in range(box.y0 // side_y, -(-box.y1 // side_y)):
            for column in range(box.x0 // side_x, -(-box.x1 // side_x)):
                there, pixels = tile(row, column)
                common = box.intersect(there)
                inside = common.shift(-there.y0, -there.x0).slices
                found[(..., *common.shift(-box.y0, -box.x0).slices)] = pixels[(..., *inside)]
        return found

    return read
