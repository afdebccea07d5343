"""Originals before normalisation, on the grid of the normalised image at any level, from the files in a configuration.

A level is resampled box by box from the coarsest level of the file that is not coarser, so a slide is never decoded
whole.
"""

from collections import OrderedDict
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import PurePath
from threading import Lock
from typing import Any

import numpy as np

from pipeline.config import NormalizedConfig
from pipeline.config.manifest import DatasetRecord
from pipeline.normalized.opened import Opened, open_view
from pipeline.normalized.rescale import Rescaling
from pipeline.normalized.view import View
from pipeline.raw.datasets.entry import ImageEntry
from pipeline.raw.formats.source import to_eight_bit
from pipeline.report.zoom.levels import Planes
from pipeline.report.zoom.stacks import Palette
from pipeline.runtime.array_cache import ArrayCache
from pipeline.view.tiles import Tile, levels_of

__all__ = ["OriginalLayer", "Originals", "is_named"]

OPEN = 3
"""Most open files; a photograph is decoded whole."""


def is_named(entry: ImageEntry, row: Mapping[str, Any]) -> bool:
    """Test whether a row of the table of images names a file; a phantom has none."""
    named = str(row["file"] or "")
    if entry.image is None:
        return not named
    return bool(named) and PurePath(entry.image).parts[-len(PurePath(named).parts) :] == PurePath(named).parts


@dataclass(frozen=True, slots=True, eq=False)
class OriginalLayer:
    """Original picture of one image."""

    entry: ImageEntry
    opened: Opened
    version: str
    """Version, which changes with the file."""
    stack: ExitStack
    """Keeps the file open as long as this layer is read."""
    kind: str = "original"
    palettes: tuple[Palette, ...] = ()
    numbers: tuple[int | None, ...] = (None,)

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of the full size."""
        return self.opened.height, self.opened.width

    def planes(self, tile: Tile, *, cache: ArrayCache) -> Planes:
        """Planes ``(3, y, x)`` of a tile."""
        key = (self.entry.image_id, self.version, self.kind, tile)
        return np.asarray(cache.get(key, lambda: self._read(tile)), dtype=np.uint8)

    def _read(self, tile: Tile) -> Planes:
        height, width = levels_of(self.shape)[tile.level]
        full = self.opened.view.rescaling
        coarse = Rescaling(full.factor / 2**tile.level, full.source_height, full.source_width, height, width)
        view = self.opened.view if tile.level == 0 else View(self.opened.view.source, coarse)
        pixels = to_eight_bit(view.read(tile.box((height, width))))
        return np.ascontiguousarray(np.moveaxis(pixels, -1, 0))


@dataclass(slots=True, eq=False)
class Originals:
    """Originals of a data set, a few of them open at a time."""

    entries: Mapping[str, ImageEntry]
    record: DatasetRecord
    config: NormalizedConfig
    _lock: Lock = field(default_factory=Lock)
    _open: OrderedDict[str, OriginalLayer] = field(default_factory=OrderedDict)

    def layer(self, image_id: str) -> OriginalLayer:
        """Original of an image, opened if necessary.

        Raises
        ------
        KeyError
            No original of this image is known.
        ImageRejected
            The file is no longer readable.
        """
        entry = self.entries[image_id]
        version = f"{entry.image.stat().st_mtime_ns:x}" if entry.image else "0"
        with self._lock:
            held = self._open.pop(image_id, None)
            if held is None or held.version != version:
                held = self._opened(entry, version)
            self._open[image_id] = held
            while len(self._open) > OPEN:
                self._open.popitem(last=False)  # Closed with its last reader.
            return held

    def _opened(self, entry: ImageEntry, version: str) -> OriginalLayer:
        stack = ExitStack()
        opened = stack.enter_context(open_view(entry, record=self.record, config=self.config, workers=1))
        return OriginalLayer(entry, opened, version, stack)

    def close(self) -> None:
        """Close all files."""
        while self._open:
            self._open.popitem()[1].stack.close()
