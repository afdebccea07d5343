"""OME-Zarr reader, versions 0.4 and 0.5: the pyramid of a picture in a folder, decoded chunk by chunk.

By the format, chunks that are not stored hold the fill value. They cannot be distinguished from lost chunks, so they
are counted as a remark.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from pipeline.errors import StoreError
from pipeline.geometry import Box
from pipeline.raw.formats.decoded_size import Unit, check_unit
from pipeline.raw.formats.light import AS_STORED, Light, Showing
from pipeline.raw.formats.pixel_size import PixelSize, pixel_size
from pipeline.raw.formats.reading import READING, Reading
from pipeline.raw.formats.source import Pixels, checked_box, three_channels, unusable
from pipeline.runtime.array_cache import ArrayCache
from pipeline.stores.foreign import open_foreign

__all__ = ["OmeZarrSource", "ome_zarr_size", "open_ome_zarr"]

UNITS_UM = {"nanometer": 1e-3, "micrometer": 1.0, "millimeter": 1e3, "centimeter": 1e4, "meter": 1e6}
RGB = ("FF0000", "00FF00", "0000FF")
PICTURE = "a picture of one or three channels, 8 or 16 bit, one plane and one time"
AS_PICTURE = "Export one plane of it as grey or RGB."
FLAT = 0.02
"""Largest relative difference of the factors of both axes for a level that shows the whole image."""


@dataclass(frozen=True, slots=True)
class _Axes:
    """Places of the axes of the arrays of a pyramid."""

    y: int
    x: int
    channel: int | None
    count: int

    def index(self, box: Box) -> tuple[slice | int, ...]:
        """Index of a box with all channels; axes of planes and times have length one."""
        found: list[slice | int] = [0] * self.count
        found[self.y], found[self.x] = box.slices
        if self.channel is not None:
            found[self.channel] = slice(None)
        return tuple(found)

    def last(self, pixels: NDArray[Any]) -> NDArray[Any]:
        """Pixels ``(y, x, channel)`` of what the index gives."""
        if self.channel is None:
            return pixels[:, :, None] if self.y < self.x else pixels.T[:, :, None]
        kept = sorted((self.y, self.x, self.channel))
        return np.transpose(pixels, [kept.index(each) for each in (self.y, self.x, self.channel)])


def _axes(scales: Mapping[str, Any], first: zarr.Array[Any], path: Path) -> _Axes:
    axes = [each if isinstance(each, Mapping) else {"name": each} for each in scales.get("axes", ())]
    names = [str(each.get("name", "")).lower() for each in axes]
    if len(names) != first.ndim or not {"y", "x"} <= set(names):
        found = f"axes {', '.join(names) or 'none'} of {first.ndim} dimensions"
        raise unusable(path, found, expected="axes y and x, as OME-Zarr 0.4 and 0.5 name them")
    channel = next((at for at, each in enumerate(axes) if each.get("type") == "channel" or names[at] == "c"), None)
    others = [first.shape[at] for at, name in enumerate(names) if name not in ("y", "x") and at != channel]
    channels = 1 if channel is None else first.shape[channel]
    if channels not in (1, 3) or any(size != 1 for size in others) or first.dtype not in (np.uint8, np.uint16):
        sizes = " × ".join(f"{name} {size}" for name, size in zip(names, first.shape, strict=True))
        raise unusable(path, f"{sizes}, {first.dtype}", expected=PICTURE, remedy=AS_PICTURE)
    return _Axes(names.index("y"), names.index("x"), channel, first.ndim)


def _colours(ome: Mapping[str, Any]) -> list[str]:
    channels = (ome.get("omero") or {}).get("channels") or []
    return [str(each.get("color", "")).upper() for each in channels]


def _order(colours: Sequence[str]) -> tuple[int, ...]:
    """Channels reordered to red, green, blue, if their colours indicate another order."""
    return tuple(colours.index(each) for each in RGB) if sorted(colours) == sorted(RGB) else (0, 1, 2)


def _said_size(scales: Mapping[str, Any], axes: _Axes) -> PixelSize:
    steps = [*scales["datasets"][0].get("coordinateTransformations", ()), *scales.get("coordinateTransformations", ())]
    found = []
    for at in (axes.x, axes.y):
        unit = scales["axes"][at].get("unit") if isinstance(scales["axes"][at], Mapping) else None
        scale = float(np.prod([each["scale"][at] for each in steps if each.get("type") == "scale"]))
        found.append(scale * UNITS_UM[unit] if unit in UNITS_UM else None)
    return pixel_size(*found)


class OmeZarrSource:
    """Image source of a pyramid in OME-Zarr; see `pipeline.raw.formats.source.ImageSource`."""

    whole = False
    origin = (0, 0)

    def __init__(
        self,
        arrays: Sequence[zarr.Array[Any]],
        axes: _Axes,
        *,
        path: Path,
        order: tuple[int, ...],
        size: PixelSize,
        light: Light,
        cache: ArrayCache,
    ) -> None:
        self._arrays, self._axes, self._path, self._order = tuple(arrays), axes, path, order
        self._light, self._cache, self._size = light, cache, size
        self.levels = tuple((each.shape[axes.y], each.shape[axes.x]) for each in arrays)
        self.dtype = np.dtype(arrays[0].dtype)
        self.pixel_size_um = size.um
        self.tile = self._tile(0)
        channels = 1 if axes.channel is None else arrays[0].shape[axes.channel]
        self.stored = f"OME-Zarr, {channels} channels {8 * self.dtype.itemsize} bit"

    @cached_property
    def remarks(self) -> dict[str, int]:
        """Remarks on the pixel size, and on chunks of level 0 that are not stored."""
        first = self._arrays[0]
        absent = first.nchunks - first.nchunks_initialized
        fill = f"chunks that are not stored and so hold {first.fill_value}"
        return {**self._size.remarks, **({fill: absent} if absent else {})}

    def _tile(self, level: int) -> tuple[int, int]:
        chunk, (height, width) = self._arrays[level].chunks, self.levels[level]
        return min(chunk[self._axes.y], height), min(chunk[self._axes.x], width)

    def read(self, box: Box, *, level: int = 0) -> Pixels:
        """RGB pixels ``(h, w, 3)`` of a box of a level."""
        checked_box(box, self.levels, level=level)
        found = np.empty((box.height, box.width, 3), self.dtype)
        (height, width), (rows, columns) = self.levels[level], self._tile(level)
        across = -(-width // columns)
        for y0 in range(box.y0 // rows * rows, box.y1 if box.area else 0, rows):
            for x0 in range(box.x0 // columns * columns, box.x1, columns):
                tile = Box(y0, x0, min(y0 + rows, height), min(x0 + columns, width))
                key = (level, y0 // rows * across + x0 // columns)
                piece = self._cache.get(key, partial(self._decode, tile, level))
                inner = tile.intersect(box)
                found[inner.shift(-box.y0, -box.x0).slices] = piece[inner.shift(-tile.y0, -tile.x0).slices]
        return found

    def _decode(self, tile: Box, level: int) -> Pixels:
        try:
            stored = np.asarray(self._arrays[level][self._axes.index(tile)])
        except Exception as error:
            place = f"the chunk at row {tile.y0}, column {tile.x0} of level {level} does not decode: {error}"
            raise unusable(self._path, place, expected="a whole OME-Zarr") from error
        pixels = self._axes.last(stored)
        samples = pixels[:, :, list(self._order)] if pixels.shape[2] == len(RGB) else pixels
        return three_channels(self._light(samples))


def _opened(path: Path) -> tuple[list[zarr.Array[Any]], _Axes, dict[str, Any]]:
    try:
        group, ome = open_foreign(path)
    except StoreError as error:
        raise unusable(path, error, expected="a folder of OME-Zarr 0.4 or 0.5") from error
    try:
        scales = ome["multiscales"][0]
        arrays = [group[str(each["path"])] for each in scales["datasets"]]
    except (LookupError, TypeError) as error:
        found = f"{type(error).__name__}: {error}"
        raise unusable(
            path, found, expected="the levels that its multiscales name, and no plate or collection"
        ) from error
    levels = [each for each in arrays if isinstance(each, zarr.Array)]
    if len(levels) != len(arrays) or not levels or min(levels[0].shape, default=0) < 1:
        raise unusable(path, "a level that is no array", expected="the arrays that its multiscales name")
    axes = _axes(scales, levels[0], path)
    return _whole_levels(levels, axes), axes, ome


def _whole_levels(arrays: Sequence[zarr.Array[Any]], axes: _Axes) -> list[zarr.Array[Any]]:
    """Levels that are the whole image scaled down equally on both sides; levels after a different one are left out."""
    found = [arrays[0]]
    for each in arrays[1:]:
        high, wide = (each.shape[at] / arrays[0].shape[at] for at in (axes.y, axes.x))
        rounding = 1 / arrays[0].shape[axes.y] + 1 / arrays[0].shape[axes.x]
        smaller = (
            each.ndim == axes.count and each.dtype == arrays[0].dtype and each.shape[axes.y] < found[-1].shape[axes.y]
        )
        if not smaller or abs(high - wide) > FLAT * max(high, wide) + rounding:
            break
        found.append(each)
    return found


def open_ome_zarr(path: Path, *, showing: Showing = AS_STORED, reading: Reading = READING) -> OmeZarrSource:
    """Picture in a folder of OME-Zarr, open for reading; no pixel is decoded yet.

    Parameters
    ----------
    path
        Folder of the image, by custom ``….ome.zarr``.
    showing
        Significant bits of 16-bit samples.
    reading
        Cache and limits.

    Raises
    ------
    ImageRejected
        No OME-Zarr image, one that is no picture (several planes or times, two or more than three channels, other than
        8 or 16 bit), or one of too large chunks.
    """
    arrays, axes, ome = _opened(path)
    channels = 1 if axes.channel is None else arrays[0].shape[axes.channel]
    for level, each in enumerate(arrays):
        unit = Unit(f"chunk of level {level}", each.chunks[axes.y], each.chunks[axes.x], channels, each.dtype.itemsize)
        check_unit(unit, path, largest=reading.largest)
    return OmeZarrSource(
        arrays,
        axes,
        path=path,
        order=_order(_colours(ome)),
        size=_said_size(ome["multiscales"][0], axes),
        light=Light(path, showing),
        cache=ArrayCache(reading.cache_bytes),
    )


def ome_zarr_size(path: Path) -> tuple[int, int]:
    """Image size ``(height, width)`` of level 0, from the description alone.

    Raises
    ------
    ImageRejected
        No OME-Zarr image, or one that is no picture.
    """
    arrays, axes, _ = _opened(path)
    return int(arrays[0].shape[axes.y]), int(arrays[0].shape[axes.x])
