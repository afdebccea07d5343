"""Gallery: layers of images and results, opened on first use and kept while their stores are unchanged."""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from threading import BoundedSemaphore, Lock
from typing import Any

from pipeline.config.manifest import DatasetRecord
from pipeline.errors import PipelineError
from pipeline.runtime.array_cache import ArrayCache
from pipeline.view.catalogue import Dataset, Result
from pipeline.view.tiles import Layer, Tile, image_layers, render_tile

__all__ = ["NO_RESULT", "Gallery", "judged"]

NO_RESULT = Result("-", "-")
"""Placeholder for no result, used for images and truth."""
OWN = ("original", "normalised", "truth")
HELD = 24
BYTES = 128 * 2**20
RENDERING = 2


def judged(row: Mapping[str, Any], record: DatasetRecord) -> list[int]:
    """Numbers of the classes that somebody looked for in an image."""
    return [at for at, code in enumerate(record.codes) if row[f"pixels_{code}"] >= 0]


def _original(of: Dataset, image_id: str) -> dict[str, Layer]:
    """Original of an image, if known and readable."""
    if of.originals is None or image_id not in of.originals.entries:
        return {}
    try:
        return {"original": of.originals.layer(image_id)}
    except (PipelineError, OSError):
        return {}


@dataclass(slots=True, eq=False)
class Gallery:
    """Layers of all images of some data sets."""

    datasets: Mapping[str, Dataset]
    cache: ArrayCache = field(default_factory=lambda: ArrayCache(BYTES))
    _lock: Lock = field(default_factory=Lock)
    _turns: BoundedSemaphore = field(default_factory=lambda: BoundedSemaphore(RENDERING))
    _held: OrderedDict[Any, dict[str, Layer]] = field(default_factory=OrderedDict)

    def layers(self, dataset: str, image_id: str, result: Result = NO_RESULT) -> dict[str, Layer]:
        """Layers of an image by kind: images and truth, or probability, prediction and errors of a result.

        Raises
        ------
        KeyError
            No such data set, image or result.
        """
        of = self.datasets[dataset]
        normalized = of.normalized(image_id)
        if normalized is None:
            raise KeyError(image_id)
        plain = result == NO_RESULT
        paths = (None, None) if plain else (of.segmentation(image_id, result), of.probability(image_id, result))
        if not plain and not any(paths):
            raise KeyError(result)
        stamps = tuple((path / "zarr.json").stat().st_mtime_ns for path in (normalized, *paths) if path)
        key = (dataset, image_id, result, stamps)
        with self._lock:
            found = self._held.pop(key, None)
            if found is None:
                row = of.rows()[image_id]
                record = of.record(row)
                segmentation, probability = paths
                found = image_layers(
                    normalized,
                    segmentation=segmentation,
                    probability=probability,
                    record=record,
                    judged=judged(row, record),
                )
                found = {kind: layer for kind, layer in found.items() if (kind in OWN) == plain}
            self._held[key] = found
            while len(self._held) > HELD:
                self._held.popitem(last=False)
        return {**_original(of, image_id), **found} if plain else found

    def tile(self, dataset: str, image_id: str, result: Result, *, kind: str, number: int | None, tile: Tile) -> bytes:
        """Image file of a tile; a few are made at a time.

        Raises
        ------
        KeyError
            No such data set, image, result, layer, class or place.
        """
        layer = self.layers(dataset, image_id, result)[kind]
        with self._turns:
            return render_tile(layer, tile, number=number, cache=self.cache)

    def close(self) -> None:
        """Close the files of the originals."""
        for each in self.datasets.values():
            if each.originals is not None:
                each.originals.close()
