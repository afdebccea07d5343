"""Normalised store of one image, read in parts: in strips to count everything, in tiles to count little."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numba import njit
from numpy.typing import NDArray

from pipeline.arrays.raster import Raster
from pipeline.errors import StoreError
from pipeline.geometry import Box
from pipeline.stores import member, open_group, raster_of
from pipeline.stores.image_store import unknown_classes
from pipeline.stores.shards import Shards

__all__ = ["NormalizedImage", "Pieces", "open_image", "tiled"]

Pieces = Callable[..., Iterator[tuple[int, Box, NDArray[Any]]]]
"""Gives the non-zero pieces of a box; see `pipeline.stores.shards.Shards.pieces`."""

TILE_BYTES = 1 << 27
"""Most bytes that the tiles of one image may take."""
STRIP_PIXELS = 1 << 22
"""Most pixels of a strip, unless one row of chunks has more."""
QUARTER = 2
"""Pyramid level of a quarter of the size."""


@dataclass(frozen=True, slots=True, eq=False)
class NormalizedImage:
    """Arrays of one normalised store, opened but not read."""

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
    ignore: zarr.Array[Any] | None = None
    """``(y, x)`` uint8, 0 or 1: where the truth says "not sure"; None where the data set declares no such value."""
    unknown: tuple[str, ...] = ()
    """Codes of the classes that nobody looked for: their planes of ``truth`` are empty and say nothing."""
    truth_pieces: Pieces = field(init=False)
    roi_pieces: Pieces = field(init=False)
    ignore_pieces: Pieces | None = field(init=False)
    """Readers of boxes of ``truth``, ``roi`` and ``ignore``."""

    def __post_init__(self) -> None:
        """Read the layout once, so that it serves all boxes."""
        object.__setattr__(self, "truth_pieces", Shards.of(self.truth).pieces)
        object.__setattr__(self, "roi_pieces", Shards.of(self.roi).pieces)
        object.__setattr__(self, "ignore_pieces", None if self.ignore is None else Shards.of(self.ignore).pieces)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the full size."""
        return self.height, self.width

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
        """Rows of a strip: whole chunks, so that none is decoded twice, and few enough to keep the strip small."""
        chunk = int(self.truth.chunks[-2])
        return chunk * max(1, STRIP_PIXELS // (chunk * self.width))

    def class_mask(self, code: str) -> Raster[np.bool_]:
        """Mask of one class of the truth: a reader of ``(y, x)`` boxes."""
        index = self.classes.index(code)

        def read(box: Box) -> NDArray[np.bool_]:
            found = np.zeros((box.height, box.width), dtype=np.bool_)
            for _, part, pixels in self.truth_pieces(box, planes=[index]):
                found[part.shift(-box.y0, -box.x0).slices] = pixels != 0
            return found

        return Raster(self.shape, read)

    @property
    def roi_mask(self) -> Raster[np.uint8]:
        """Region of interest without ignored pixels as ``(1, y, x)``, 0 or 1."""

        def read(box: Box) -> NDArray[np.uint8]:
            found = _united(self.roi_pieces, box, [[0]])
            self._leave_out(box, found[0])
            return found

        return Raster(self.shape, read)

    @property
    def ignored(self) -> Raster[np.uint8] | None:
        """Ignored pixels as ``(1, y, x)``, 0 or 1; None where the data set declares no such value."""
        pieces = self.ignore_pieces
        return None if pieces is None else Raster(self.shape, lambda box: _united(pieces, box, [[0]]))

    def _leave_out(self, box: Box, region: NDArray[np.uint8]) -> None:
        """Clear ignored pixels of a box, in place."""
        for _, part, pixels in self.ignore_pieces(box) if self.ignore_pieces else ():
            region[part.shift(-box.y0, -box.x0).slices] &= pixels == 0

    @property
    def any_truth(self) -> Raster[np.uint8]:
        """Truth of any class, as ``(1, y, x)``, 0 or 1."""
        every = range(len(self.classes))
        return Raster(self.shape, lambda box: _united(self.truth_pieces, box, [every]))

    def planes(self, box: Box, *, groups: Sequence[Sequence[int]], memory: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Union of the classes of each group, and the roi without ignored pixels: ``(group + 1, y, x)``, 0 or 1.

        The planes use ``memory``, a flat array of sufficient size, so that no box allocates its own.
        """
        shape = (len(groups) + 1, box.height, box.width)
        found = memory[: np.prod(shape)].reshape(shape)
        found[:] = 0
        _unite(self.truth_pieces, box, groups, into=found[:-1])
        _unite(self.roi_pieces, box, [[0]], into=found[-1:])
        self._leave_out(box, found[-1])
        return found


def _united(pieces: Pieces, box: Box, groups: Sequence[Sequence[int]]) -> NDArray[np.uint8]:
    found = np.zeros((len(groups), box.height, box.width), dtype=np.uint8)
    _unite(pieces, box, groups, into=found)
    return found


def _unite(pieces: Pieces, box: Box, groups: Sequence[Sequence[int]], *, into: NDArray[np.uint8]) -> None:
    """Set pixels where any plane of a group is not 0."""
    for plane, part, pixels in pieces(box, planes=sorted({plane for group in groups for plane in group})):
        inside = part.shift(-box.y0, -box.x0).slices
        for mask, group in zip(into, groups, strict=True):
            if plane in group:
                _mark(mask[inside], pixels)


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _mark(mask: NDArray[np.uint8], pixels: NDArray[np.uint8]) -> None:
    for y in range(len(mask)):
        line, values = mask[y], pixels[y]
        for x in range(len(line)):
            line[x] |= np.uint8(values[x] != 0)


def open_image(path: Path, *, codes: tuple[str, ...] | None = None) -> NormalizedImage:
    """Store of stage normalized, opened and checked.

    Parameters
    ----------
    path
        Folder of the store.
    codes
        Class codes that it must hold, in order; None accepts any.

    Raises
    ------
    StoreError
        An array is missing, or the classes differ.
    """
    group = open_group(path)
    attributes = dict(group.attrs)
    notes, ome = attributes.get("lesionmap"), attributes.get("ome")
    if not isinstance(notes, dict) or not isinstance(ome, dict):
        raise _foreign(
            path, found=f"attributes {', '.join(sorted(attributes))}", expected="attributes lesionmap and ome"
        )
    classes = tuple(str(code) for code in notes["classes"])
    if codes is not None and classes != codes:
        raise _foreign(path, found=f"classes {', '.join(classes)}", expected=f"classes {', '.join(codes)}")
    levels = len(ome["multiscales"][0]["datasets"])
    truth, roi = member(group, "truth", where=path), member(group, "roi", where=path)
    if truth.shape != (len(classes), *roi.shape):
        raise _foreign(
            path, found=f"truth {truth.shape}, roi {roi.shape}", expected=f"truth (class {len(classes)}, y, x)"
        )
    level = min(QUARTER, levels - 1)
    coarse = member(group, str(level), where=path)
    ignore = member(group, "ignore", where=path) if "ignore" in group else None
    name, unknown = str(notes["image_id"]), unknown_classes(notes)
    return NormalizedImage(name, classes, truth, roi, coarse, 2**level, ignore, unknown)


def _foreign(path: Path, *, found: str, expected: str) -> StoreError:
    remedy = "Delete the store and run the stage normalized again."
    return StoreError("The normalised image does not fit.", where=path, found=found, expected=expected, remedy=remedy)


def tiled(array: zarr.Array[Any]) -> Raster[Any]:
    """Reader of any box of a ``(plane, y, x)`` array with a cache of tiles, so that nearby boxes decode each tile once."""
    planes, height, width = array.shape
    side_y, side_x = array.chunks[-2:]
    whole, whole_box = Box.of_shape(height, width), raster_of(array).read

    @lru_cache(maxsize=max(4, TILE_BYTES // (planes * side_y * side_x)))
    def tile(row: int, column: int) -> tuple[Box, NDArray[Any]]:
        y0, x0 = row * side_y, column * side_x
        box = Box(y0, x0, y0 + side_y, x0 + side_x).intersect(whole)
        return box, whole_box(box)

    def read(box: Box) -> NDArray[Any]:
        found = np.zeros((planes, box.height, box.width), dtype=array.dtype)
        for row in range(box.y0 // side_y, -(-box.y1 // side_y)):
            for column in range(box.x0 // side_x, -(-box.x1 // side_x)):
                there, pixels = tile(row, column)
                common = box.intersect(there)
                inside = common.shift(-there.y0, -there.x0).slices
                found[(..., *common.shift(-box.y0, -box.x0).slices)] = pixels[(..., *inside)]
        return found

    return Raster((height, width), read)
