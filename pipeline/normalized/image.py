"""Normalised image store, written block by block and renamed at the end: pixels and their pyramid, region of interest, truth.

The normalisation itself is elsewhere: `pipeline.normalized.fundus.image` and `pipeline.normalized.stain.image` give a
raster of planar pixels.
"""

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import zarr

from pipeline.arrays.raster import Raster
from pipeline.config import NormalizedConfig
from pipeline.geometry import Box
from pipeline.normalized.blocks import work_blocks
from pipeline.normalized.labels import ImageLabels, LabelPlanes, LabelWriter
from pipeline.normalized.opened import Opened
from pipeline.normalized.pyramid import halve, store_levels
from pipeline.normalized.region import Region
from pipeline.normalized.truth_counts import count_truth, flags_of, vanished_regions
from pipeline.raw.datasets.entry import ImageEntry
from pipeline.raw.pixels import polygon_origin
from pipeline.raw.truth import open_truth
from pipeline.runtime.threads import each
from pipeline.stores import create_plane, create_pyramid, write_box
from pipeline.stores.atomic import FinishedBlocks, folder_in_progress
from pipeline.stores.input_files import InputFiles
from pipeline.stores.job import Job
from pipeline.stores.shard_file import StoredShard

__all__ = ["Content", "write_image"]


def _mapping(opened: Opened, origin: tuple[int, int]) -> dict[str, Any]:
    rescaling = opened.view.rescaling
    return {
        "factor_y": rescaling.factor_y,
        "factor_x": rescaling.factor_x,
        "source_height": rescaling.source_height,
        "source_width": rescaling.source_width,
        "height": rescaling.height,
        "width": rescaling.width,
        "level": opened.view.level,
        "origin_y": origin[0],
        "origin_x": origin[1],
        "pixel_size_um": opened.pixel_size_um,
    }


@dataclass(frozen=True, slots=True, eq=False)
class Content:
    """Result of a chain: the normalised pixels of an image, its region of interest, flags and stains."""

    region: Region
    """Field of view or tissue, of the size of the view."""
    planes: Raster[np.uint8]
    """Normalised pixels ``(3, h, w)``, read by several threads."""
    flags: tuple[str, ...] = ()
    """Flags: remarks on this image."""
    stains: Raster[np.float16] | None = None
    """Concentrations ``(2, h, w)``, where they are stored as array ``stains``."""


@dataclass(frozen=True, slots=True, eq=False)
class _Block:
    """Writer of one block of every array. Blocks share no shard, so several may be written at once."""

    group: zarr.Group
    levels: int
    write_labels: LabelWriter
    content: Content
    truth: Raster[np.uint8] | None
    ignored: Raster[np.uint8] | None
    files: InputFiles

    def write(self, box: Box) -> list[StoredShard]:
        """Written shards of a block."""
        written: list[StoredShard] = []
        region, stains = self.content.region, self.content.stains
        pixels = np.ascontiguousarray(self.content.planes.read(box))
        for level in range(self.levels):
            written += write_box(self._array(str(level)), pixels, y0=box.y0 >> level, x0=box.x0 >> level)
            pixels = halve(pixels) if level + 1 < self.levels else pixels
        roi = region.read(box).astype(np.uint8)
        written += write_box(self._array("roi"), roi, y0=box.y0, x0=box.x0)
        truth = None if self.truth is None else self.truth.read(box)
        if truth is not None:
            written += write_box(self._array("truth"), truth, y0=box.y0, x0=box.x0)
        ignored = None if self.ignored is None else self.ignored.read(box)
        if ignored is not None:
            written += write_box(self._array("ignore"), ignored, y0=box.y0, x0=box.x0)
        written += self.write_labels(box, LabelPlanes(roi, truth, ignored))
        if stains is not None:
            written += write_box(self._array("stains"), stains.read(box), y0=box.y0, x0=box.x0)
        self.files.check(folders=False)  # Before the block counts as finished: a later job keeps it.
        return written

    def _array(self, name: str) -> zarr.Array[Any]:
        found = self.group[name]
        if not isinstance(found, zarr.Array):
            raise AssertionError(f"{name} is no array")
        return found


def _create(
    partial: Path,
    opened: Opened,
    *,
    config: NormalizedConfig,
    attributes: dict[str, Any],
    job: Job,
    annotated: bool,
    ignores: bool,
    stains: bool,
) -> ImageLabels:
    shapes = store_levels(opened.height, opened.width, shard=config.storage.shard)
    group = create_pyramid(
        partial,
        channels=("red", "green", "blue"),
        shapes=shapes,
        dtype=np.uint8,
        storage=config.storage,
        provenance=job.provenance.as_attributes(),
        pixel_size_um=opened.scaled_pixel_um,
        extra={"lesionmap": attributes},
    )
    size = (opened.height, opened.width)
    create_plane(group, "roi", shape=size, dtype=np.uint8, storage=config.storage)
    if annotated:
        shape = (len(job.record.codes), *size)
        create_plane(group, "truth", shape=shape, dtype=np.uint8, storage=config.storage)
    if ignores:
        create_plane(group, "ignore", shape=size, dtype=np.uint8, storage=config.storage)
    if stains:
        create_plane(group, "stains", shape=(2, *size), dtype=np.float16, storage=config.storage)
    return ImageLabels(group, job.record, shapes, config.storage, opened.scaled_pixel_um, annotated, ignores)


def write_image(
    opened: Opened,
    content: Content,
    *,
    entry: ImageEntry,
    config: NormalizedConfig,
    job: Job,
    output: Path,
) -> None:
    """Write of the image store ``normalized/{image}.zarr``: pyramid, ``roi``, ``truth`` of an annotated image, and labels.

    Where the data set declares "not sure" values, their pixels are in ``ignore`` ``(y, x)``. Classes that nobody looked
    for are empty in ``truth`` and listed in the notes as ``unknown``.

    After a kill the next run continues with the unfinished blocks.

    Parameters
    ----------
    opened
        The image.
    content
        Its normalised pixels, region, flags and stains.
    entry
        Where its truth lies.
    config
        Blocks and storage.
    job
        Facts of the data set, record of origin, blocks at a time.
    output
        Folder of the store.
    """
    rescaling, record, workers = opened.view.rescaling, job.record, job.workers
    origin, size = polygon_origin(opened.view.source, record=record), (opened.height, opened.width)
    with ExitStack() as stack:
        truth = stack.enter_context(
            open_truth(
                entry,
                record=record,
                height=rescaling.source_height,
                width=rescaling.source_width,
                origin=origin,
                workers=workers,
            )
        )
        vanished = vanished_regions(truth, rescaling, codes=record.codes)
        attributes: dict[str, Any] = {
            "image_id": entry.image_id,
            "classes": list(record.codes),
            **({"unknown": list(entry.unknown)} if entry.unknown else {}),
            "mapping": _mapping(opened, origin),
            "roi_share": content.region.pixels / (opened.height * opened.width),
            "flags": [*content.flags, *flags_of(vanished)],
        }
        masks, ignored = (None, None) if truth is None else (truth.on(*size), truth.ignored_on(*size))
        partial = stack.enter_context(folder_in_progress(output, digest=job.files.claim(job.provenance.digest)))
        labels = _create(
            partial,
            opened,
            config=config,
            attributes=attributes,
            job=job,
            annotated=truth is not None,
            ignores=ignored is not None,
            stains=content.stains is not None,
        )
        write_labels, group = labels.writer(), labels.group
        block = _Block(group, len(labels.shapes), write_labels, content, masks, ignored, job.files)
        boxes = work_blocks(opened.height, opened.width, config=config)
        with FinishedBlocks(partial) as finished:
            each(finished.once(block.write), boxes, workers=workers)
        if truth is not None:
            counts = count_truth(group, codes=record.codes, boxes=boxes, vanished=vanished or {})
            if counts.overlapping:
                labels.write_alone(counts.overlapping, boxes=boxes, workers=workers)
            known = {code: count for code, count in counts.classes.items() if code not in entry.unknown}
            group.attrs.update({"lesionmap": {**attributes, "truth": known}})
        job.files.check()
