"""Segmentation of one image: probabilities and thresholds in; masks, label image and outlines out.

A map of any size is read in full-width strips as high as a shard. Memory grows with the regions found, not with the
pixels.
"""

import logging
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import zarr

from pipeline.arrays.label_map import label_map, most_probable, precedence
from pipeline.config import SegmentationConfig
from pipeline.config.manifest import DatasetRecord
from pipeline.geometry import grid_pixel_um, strips
from pipeline.normalized.pyramid import halve_labels, store_levels
from pipeline.segmentation.clean import CleanMask, clean
from pipeline.segmentation.geojson import feature_collection
from pipeline.segmentation.minimum_areas import with_areas
from pipeline.segmentation.regions import Maps, region_features
from pipeline.segmentation.threshold_file import read_thresholds
from pipeline.stores import create_group, create_plane, raster_of, write_box
from pipeline.stores.atomic import file_in_progress, folder_in_progress
from pipeline.stores.documents import json_text
from pipeline.stores.job import Job
from pipeline.stores.labels import class_labels, label_attributes
from pipeline.stores.probability_store import reaches

__all__ = ["segment_image"]

logger = logging.getLogger(__name__)


@contextmanager
def _cut(maps: Maps, folder: Path, *, cuts: list[float], config: SegmentationConfig) -> Iterator[list[zarr.Array[Any]]]:
    """Context with the masks ``probability >= threshold``, each class in its own temporary array.

    Each chunk of the maps holds all classes, so reading class by class would decode each chunk many times.
    """
    shutil.rmtree(folder, ignore_errors=True)
    group = create_group(folder, attributes={})
    storage, size = config.storage, maps.size
    arrays = [create_plane(group, f"{at}", shape=size, dtype=np.uint8, storage=storage) for at in range(len(cuts))]
    for box in strips(*size, storage.shard):
        values = maps.array.read(box)
        for number, array in enumerate(arrays):
            write_box(array, reaches(values[number], cuts[number]).astype(np.uint8), y0=box.y0, x0=0)
    yield arrays
    shutil.rmtree(folder)


def _cleaned(array: zarr.Array[Any], *, code: str, config: SegmentationConfig) -> CleanMask:
    return clean(
        raster_of(array),
        minimum_area=config.area_of(code),
        fill_holes=config.fill_holes,
        largest_hole=config.largest_hole,
        rows=config.storage.shard,
    )


def _store(
    folder: Path, maps: Maps, *, record: DatasetRecord, config: SegmentationConfig, attributes: dict[str, Any]
) -> tuple[zarr.Group, int]:
    """Create the levels of labels ``0``, ``1``, … and ``masks``; also return the number of levels."""
    shapes = store_levels(*maps.size, shard=config.storage.shard)
    size = grid_pixel_um(maps.mapping, given=record.pixel_size_um)
    ome = label_attributes(maps.image_id, class_labels(record), levels=len(shapes), pixel_size_um=size)
    group = create_group(folder, attributes={"ome": ome, **attributes})
    for level, shape in enumerate(shapes):
        shard = config.storage.shard >> level
        create_plane(group, str(level), shape=shape, dtype=np.uint8, storage=config.storage, shard=shard)
    create_plane(group, "masks", shape=(len(record.codes), *shapes[0]), dtype=np.uint8, storage=config.storage)
    return group, len(shapes)


def _array(group: zarr.Group, name: str) -> zarr.Array[Any]:
    found = group[name]
    assert isinstance(found, zarr.Array)  # Made by _store.
    return found


def _write(
    group: zarr.Group,
    cleaned: list[CleanMask],
    *,
    maps: Maps,
    cuts: list[float],
    record: DatasetRecord,
    levels: int,
    rows: int,
) -> None:
    masks, winners = _array(group, "masks"), precedence(record)
    for box in strips(masks.shape[1], masks.shape[2], rows):
        planes = np.stack([each.read(box) for each in cleaned]).astype(np.uint8)
        write_box(masks, planes, y0=box.y0, x0=0)
        if record.task == "multiclass":
            labels = most_probable(maps.array.read(box), planes, thresholds=cuts, winners=winners)
        else:
            labels = label_map(planes, winners=winners)
        for level in range(levels):
            labels = halve_labels(labels, winners=winners) if level else labels
            write_box(_array(group, str(level)), labels, y0=box.y0 >> level, x0=0)


def segment_image(
    probability: Path,
    *,
    normalized: Path,
    thresholds: Path,
    config: SegmentationConfig,
    job: Job,
    store: Path,
    geojson: Path,
) -> None:
    """Segmentation of one image: label image, class masks, and outlines of the regions, written.

    Parameters
    ----------
    probability
        ``probability/{model}/{fusion}/{image}.zarr``.
    normalized
        Store of the image.
    thresholds
        ``thresholds.json``.
    config
        Smallest regions, holes, storage.
    job
        Facts of the data set (classes, colours, overlap priority), record of origin.
    store
        Output: a label multiscale ``(y, x)`` uint8 with ``image-label``: 0 is background, 1 + i class i. For a
        multiclass task it is the class with the largest ratio of probability to threshold, else overlap priority
        decides. Coarser levels are made by `pipeline.normalized.pyramid.halve_labels`. Beside it ``masks`` ``(class, y,
        x)`` uint8, 0 or 1, keeps overlaps.
    geojson
        Output: one feature per 8-connected region, coordinates in pixels of the original image.

    Raises
    ------
    StoreError
        An input is missing, incomplete, or of another size.
    """
    record = job.record
    maps = Maps.open(probability, normalized=normalized, classes=len(record.codes), smoothing=config.smoothing)
    cuts, config = read_thresholds(thresholds, codes=record.codes), with_areas(config, thresholds)
    notes = {"image_id": maps.image_id, "classes": list(record.codes), "mapping": maps.mapping, "thresholds": cuts}
    attributes = {"provenance": job.provenance.as_attributes(), "lesionmap": notes}
    rows = config.storage.shard
    geojson.unlink(missing_ok=True)  # It must never lie beside another result's store, so the store is renamed first.
    with file_in_progress(geojson) as outlines, folder_in_progress(store, digest=job.provenance.digest) as folder:
        group, levels = _store(folder, maps, record=record, config=config, attributes=attributes)
        work = folder.with_name(f"{folder.name}.work")
        with _cut(maps, work, cuts=list(cuts.values()), config=config) as arrays:
            pairs = zip(record.codes, arrays, strict=True)
            cleaned = [_cleaned(array, code=code, config=config) for code, array in pairs]
            _write(group, cleaned, maps=maps, cuts=list(cuts.values()), record=record, levels=levels, rows=rows)
        found = feature_collection(region_features(maps, _array(group, "masks"), record=record, rows=rows))
        outlines.write_text(json_text(found, indent=None, allow_nan=False), encoding="utf-8")
    logger.info("%s: %d regions", maps.image_id, len(found["features"]))
