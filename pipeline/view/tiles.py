"""Tiles of layers, rendered from the stores on request: the planes of any level, then JPEG or PNG.

A level is read strip by strip from the coarsest stored level that is not coarser, and halved. Masks are stored only at
full size: a coarse tile is made from the four finer ones below, so memory is bounded by tiles and strips, whatever the
size of the image, and a lesion of one pixel is never lost.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from pipeline import stores
from pipeline.arrays.raster import Raster
from pipeline.config.manifest import DatasetRecord
from pipeline.geometry import Box, strips
from pipeline.normalized.pyramid import level_shapes
from pipeline.report.zoom.files import TILE, jpeg_bytes, pixels_of, png_bytes
from pipeline.report.zoom.levels import ROWS, Halving, Planes, halve_highest, highest_of
from pipeline.report.zoom.stacks import Palette, Stack, overlay_stacks, picture_stack, probability_stack
from pipeline.runtime.array_cache import ArrayCache

__all__ = ["Layer", "StoredLayer", "Tile", "image_layers", "levels_of", "render_tile", "stored_levels"]

DIRECT = 3
"""Levels halved at once: for a tile at most 8 × 8 tiles are read, in strips of one row of tiles."""
QUALITY = 95
"""JPEG quality: an enhanced photograph differs by at most 3 grey levels on average."""


@dataclass(frozen=True, slots=True)
class Tile:
    """Place of a tile: its level, 0 for the full size, and its row and column there."""

    level: int
    row: int
    column: int

    def box(self, shape: tuple[int, int]) -> Box:
        """Pixels of its level, whose size is given; empty beyond it."""
        y0, x0 = min(self.row * TILE, shape[0]), min(self.column * TILE, shape[1])
        return Box(y0, x0, min(y0 + TILE, shape[0]), min(x0 + TILE, shape[1]))


class Layer(Protocol):
    """Layers of one kind that are read together."""

    @property
    def kind(self) -> str:
        """Kind of the layers: ``truth``, for example."""

    @property
    def palettes(self) -> tuple[Palette, ...]:
        """Palette of each class; empty for images."""

    @property
    def numbers(self) -> tuple[int | None, ...]:
        """Number of the class of each plane; None for planes of no class."""

    @property
    def version(self) -> str:
        """Version of its source."""

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of the full size."""

    def planes(self, tile: Tile, *, cache: ArrayCache) -> Planes:
        """Planes ``(n, y, x)`` of a tile."""


def levels_of(shape: tuple[int, int]) -> tuple[tuple[int, int], ...]:
    """Sizes of all levels of an image, down to one tile."""
    return level_shapes(*shape, smallest=TILE, most=24, least=1)


@dataclass(frozen=True, slots=True, eq=False)
class StoredLayer:
    """Layers from stores."""

    stack: Stack
    name: str
    """Its stores."""
    version: str
    """Version, which changes with the stores."""
    levels: Mapping[int, Raster[np.uint8]]
    """Level → its stored planes; 0 is among them."""

    @property
    def kind(self) -> str:
        """Kind of the layers."""
        return self.stack.kind

    @property
    def palettes(self) -> tuple[Palette, ...]:
        """Of each class."""
        return self.stack.palettes

    @property
    def numbers(self) -> tuple[int | None, ...]:
        """Number of the class of each plane."""
        return self.stack.numbers

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of the full size."""
        return self.levels[0].shape

    def planes(self, tile: Tile, *, cache: ArrayCache) -> Planes:
        """Planes of a tile, cached for the next request."""
        key = (self.name, self.version, self.kind, tile)
        return np.asarray(cache.get(key, lambda: np.ascontiguousarray(self._planes(tile, cache))), dtype=np.uint8)

    def _planes(self, tile: Tile, cache: ArrayCache) -> Planes:
        stored = max(level for level in self.levels if level <= tile.level)
        if tile.level - stored > DIRECT:
            return self._of_four(tile, cache)
        box = tile.box(levels_of(self.shape)[tile.level])
        return _halved(self.levels[stored], box, times=tile.level - stored, halving=self.stack.halve)

    def _of_four(self, tile: Tile, cache: ArrayCache) -> Planes:
        finer = levels_of(self.shape)[tile.level - 1]
        rows = []
        for row in (2 * tile.row, 2 * tile.row + 1):
            places = [Tile(tile.level - 1, row, 2 * tile.column + right) for right in (0, 1)]
            parts = [self.planes(each, cache=cache) for each in places if each.box(finer).area]
            rows += [np.concatenate(parts, axis=2)] if parts else []
        return self.stack.halve(np.concatenate(rows, axis=1))


def _halved(raster: Raster[np.uint8], box: Box, *, times: int, halving: Halving) -> Planes:
    """Box of a level ``times`` halvings below a raster; it begins at an even pixel of each level in between."""
    inside = raster.box
    wide = Box(box.y0 << times, box.x0 << times, min(box.y1 << times, inside.y1), min(box.x1 << times, inside.x1))
    parts = [
        _reduced(raster.read(strip.shift(wide.y0, wide.x0)), times=times, halving=halving)
        for strip in strips(wide.height, wide.width, max(ROWS, 1 << times))
    ]
    return np.concatenate(parts, axis=1)


def _reduced(planes: Planes, *, times: int, halving: Halving) -> Planes:
    if halving is halve_highest and times:
        return highest_of(planes, times=times)
    for _ in range(times):
        planes = halving(planes)
    return planes


def stored_levels(path: Path) -> tuple[str, ...]:
    """Names of the arrays of a pyramid, the full size first."""
    attributes: dict[str, Any] = dict(stores.open_group(path).attrs)
    return tuple(each["path"] for each in attributes["ome"]["multiscales"][0]["datasets"])


def _version(*paths: Path | None) -> str:
    """Version of stores, which are replaced as a whole."""
    return "-".join(f"{(path / 'zarr.json').stat().st_mtime_ns:x}" for path in paths if path)


def _pyramid(path: Path, make: Callable[[Raster[np.uint8]], Stack]) -> StoredLayer:
    rasters = [stores.raster_of(stores.open_array(path, name)) for name in stored_levels(path)]
    stacks = [make(each) for each in rasters]
    return StoredLayer(stacks[0], str(path), _version(path), {level: each.raster for level, each in enumerate(stacks)})


def image_layers(
    normalized: Path,
    *,
    segmentation: Path | None,
    probability: Path | None,
    record: DatasetRecord,
    judged: Sequence[int],
) -> dict[str, Layer]:
    """Layers of an image and a result by kind, as far as their stores exist.

    Parameters
    ----------
    normalized, segmentation, probability
        Stores of the image.
    record
        Classes and their colours.
    judged
        Numbers of the classes that somebody looked for.
    """
    found: dict[str, Layer] = {"normalised": _pyramid(normalized, lambda raster: picture_stack("normalised", raster))}
    if probability:
        found["probability"] = _pyramid(probability, lambda raster: probability_stack(raster, len(record.classes)))
    version = _version(normalized, segmentation)
    masks = overlay_stacks(normalized, segmentation=segmentation, probability=None, record=record, judged=judged)
    name = f"{normalized} {segmentation}"
    return found | {each.kind: StoredLayer(each, name, version, {0: each.raster}) for each in masks}


def render_tile(layer: Layer, tile: Tile, *, number: int | None, cache: ArrayCache) -> bytes:
    """Image file of a tile: JPEG of an image, PNG of one class.

    Raises
    ------
    KeyError
        The layer has no such class or place.
    """
    shapes = levels_of(layer.shape)
    if tile.level >= len(shapes) or not tile.box(shapes[tile.level]).area or number not in layer.numbers:
        raise KeyError(tile)
    planes = layer.planes(tile, cache=cache)
    if not layer.palettes:
        return jpeg_bytes(pixels_of(planes), quality=QUALITY, halved_colour=False)
    at = layer.numbers.index(number)
    return png_bytes(planes[at], palette=layer.palettes[at])
