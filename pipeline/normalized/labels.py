"""Labels of a normalised image for viewers: truth by priority, region of interest, ignored areas, and classes that overlap.

They show the arrays ``truth``, ``roi`` and ``ignore`` in a form and in colours that viewers understand; nothing is
computed from them. A coarser level keeps every lesion: see `pipeline.normalized.pyramid.halve_labels`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

import numpy as np
import zarr
from numpy.typing import NDArray

from pipeline.arrays.label_map import label_map, precedence
from pipeline.arrays.raster import Raster
from pipeline.config import Storage
from pipeline.config.manifest import DatasetRecord
from pipeline.geometry import Box
from pipeline.normalized.pyramid import halve_labels
from pipeline.runtime.threads import each
from pipeline.stores import as_array, raster_of, write_box
from pipeline.stores.labels import Label, class_labels, create_label, list_labels
from pipeline.stores.shard_file import StoredShard

__all__ = ["ImageLabels", "LabelPlanes", "LabelWriter"]

TRUTH, ROI, IGNORE = "truth", "roi", "ignore"
REGION = Label(1, ROI, "region of interest", (255, 255, 255, 64))
"""Label of the region of interest: pale, because it lies over the whole image."""
UNSURE = Label(1, IGNORE, "truth not sure", (128, 128, 128, 160))
"""Label of ignored areas: grey, the colour of no class."""


@dataclass(frozen=True, slots=True, eq=False)
class LabelPlanes:
    """Planes of a block from which labels are made."""

    roi: NDArray[np.uint8]
    """``(y, x)``."""
    truth: NDArray[np.uint8] | None = None
    """``(class, y, x)``; None where nobody annotated."""
    ignored: NDArray[np.uint8] | None = None
    """``(y, x)``; None where the data set declares no "not sure" values."""


LabelWriter: TypeAlias = Callable[[Box, LabelPlanes], list[StoredShard]]
"""Writes a block: its box, and its planes."""


@dataclass(frozen=True, slots=True, eq=False)
class _Pyramid:
    """Levels of a label, open for writing block by block."""

    levels: tuple[zarr.Array[Any], ...]
    winners: tuple[int, ...]
    """Planes by priority, the winner first."""

    def write(self, box: Box, labels: NDArray[np.uint8]) -> list[StoredShard]:
        """Written shards of a block at every level; its labels ``(y, x)`` are those of level 0."""
        written: list[StoredShard] = []
        for at, level in enumerate(self.levels):
            labels = halve_labels(labels, winners=self.winners) if at else labels
            written += write_box(level, labels, y0=box.y0 >> at, x0=box.x0 >> at)
        return written


def _write(pyramid: _Pyramid, labels: Raster[np.uint8], box: Box) -> None:
    pyramid.write(box, labels.read(box))


@dataclass(frozen=True, slots=True, eq=False)
class ImageLabels:
    """Labels of an image store that is being written."""

    group: zarr.Group
    """The store, open for writing."""
    record: DatasetRecord
    """Classes with names and colours, and their priority."""
    shapes: tuple[tuple[int, int], ...]
    """``(height, width)`` of the levels, those of the image."""
    storage: Storage
    pixel_size_um: float | None
    """Side of a pixel of level 0 in micrometres."""
    annotated: bool
    """Whether there is truth."""
    ignores: bool
    """Whether there are areas of uncertain truth."""

    @property
    def _names(self) -> list[str]:
        return [*([TRUTH] if self.annotated else []), ROI, *([IGNORE] if self.ignores else [])]

    def writer(self) -> LabelWriter:
        """Writer of blocks of labels; the labels are created or continued.

        The labels ``roi`` and ``ignore`` are 1 inside, ``truth`` 1 + plane of the class that wins; 0 is background.
        """
        list_labels(self.group, self._names)
        winners = precedence(self.record)
        inside = self._pyramid(ROI, [REGION], winners=(0,))
        unsure = self._pyramid(IGNORE, [UNSURE], winners=(0,)) if self.ignores else None
        classes = self._pyramid(TRUTH, class_labels(self.record), winners=winners) if self.annotated else None

        def write(box: Box, planes: LabelPlanes) -> list[StoredShard]:
            written = inside.write(box, planes.roi)
            if unsure is not None and planes.ignored is not None:
                written += unsure.write(box, planes.ignored)
            if classes is not None and planes.truth is not None:
                written += classes.write(box, label_map(planes.truth, winners=winners))
            return written

        return write

    def write_alone(self, planes: Sequence[int], *, boxes: Sequence[Box], workers: int) -> None:
        """Write of the labels ``truth_{code}`` of single classes, where one hides another in ``truth``.

        Parameters
        ----------
        planes
            Planes of the classes; the array ``truth`` must be written already.
        boxes
            The blocks, on shard borders.
        workers
            Blocks at a time.
        """
        names = [f"{TRUTH}_{self.record.codes[plane]}" for plane in planes]
        list_labels(self.group, [*self._names, *names])
        for name, plane in zip(names, planes, strict=True):
            pyramid = self._pyramid(name, [class_labels(self.record)[plane]], winners=(plane,))
            mask = raster_of(as_array(self.group, TRUTH), plane).map(partial(np.multiply, np.uint8(plane + 1)))
            each(partial(_write, pyramid, mask), boxes, workers=workers)

    def _pyramid(self, name: str, labels: Sequence[Label], *, winners: tuple[int, ...]) -> _Pyramid:
        levels = create_label(
            self.group,
            name,
            labels,
            shapes=self.shapes,
            storage=self.storage,
            pixel_size_um=self.pixel_size_um,
        )
        return _Pyramid(levels, winners)
