"""False positives in training images: boxes where a model sees lesions without truth, the list of hard negatives."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.arrays.components import ComponentTable, component_table, relabel
from pipeline.arrays.raster import Raster
from pipeline.config import SegmentationConfig
from pipeline.config.manifest import DatasetRecord
from pipeline.errors import StoreError
from pipeline.geometry import Box
from pipeline.model.held_out import listed_images
from pipeline.segmentation.minimum_areas import with_areas
from pipeline.segmentation.regions import Maps
from pipeline.segmentation.threshold_file import read_thresholds
from pipeline.stores import open_array, read_box, read_table, write_table
from pipeline.stores.atomic import file_in_progress
from pipeline.stores.image_store import ignored_array
from pipeline.stores.job import Job
from pipeline.stores.probability_store import reaches

__all__ = ["COLUMNS", "false_positives", "write_hard_negatives"]

logger = logging.getLogger(__name__)

COLUMNS: dict[str, tuple[str, str]] = {
    "image_id": ("str", "Image of split train; with folds, of train or validation."),
    "y": ("int32", "First row of the region, in pixels of the normalised image."),
    "x": ("int32", "First column of the region."),
    "height": ("int32", "Rows of its bounding box."),
    "width": ("int32", "Columns of its bounding box."),
    "score": ("float32", "Largest probability in the region."),
    "class_code": ("str", "Class that the model saw."),
    "area": ("int64", "Pixels of the region."),
}
"""Name → type and meaning of each column; a sampling reads the first six."""


@dataclass(frozen=True, slots=True, eq=False)
class _Image:
    maps: Maps
    truth: Any
    ignored: Any
    """Pixels of uncertain truth, or None."""
    margin: int
    rows: int

    def values(self, box: Box, *, number: int) -> NDArray[np.float16]:
        return self.maps.array.plane(box, number=number)

    def near_truth(self, box: Box) -> NDArray[np.bool_]:
        """Pixels of a box with truth of any class at most ``margin`` rows and columns away."""
        wide = box.grow(self.margin, Box.of_shape(*self.maps.size))
        held = read_box(self.truth, wide).any(axis=0).astype(np.uint8)
        near = np.asarray(cv2.dilate(held, np.ones((2 * self.margin + 1,) * 2, np.uint8)) if held.any() else held)
        return np.asarray(near[box.shift(-wide.y0, -wide.x0).slices] != 0)

    def sure(self, box: Box) -> NDArray[np.bool_]:
        """Pixels of a box that are not ignored."""
        if self.ignored is None:
            return np.ones((box.height, box.width), np.bool_)
        return np.asarray(read_box(self.ignored, box) == 0)


def _alone(
    image: _Image, table: ComponentTable, *, number: int, cut: float
) -> tuple[NDArray[np.bool_], NDArray[np.float32]]:
    """Regions without truth nearby that are not wholly ignored, and the largest probability in each."""
    alone, sure = np.ones(len(table), dtype=np.bool_), np.zeros(len(table), dtype=np.bool_)
    largest = np.zeros(len(table), dtype=np.float32)
    for index, box in enumerate(table.boxes):
        values = image.values(box, number=number)
        labels = relabel(table, index, reaches(values, cut))
        inside = labels >= 0
        if inside.any():
            np.maximum.at(largest, labels[inside], values[inside].astype(np.float32))
            alone[np.unique(labels[inside & image.near_truth(box)])] = False
            sure[np.unique(labels[inside & image.sure(box)])] = True
    return alone & sure, largest


def false_positives(
    probability: Path,
    *,
    normalized: Path,
    thresholds: Mapping[str, float],
    record: DatasetRecord,
    config: SegmentationConfig,
) -> pd.DataFrame:
    """False positives of one image: predicted lesions with no truth of any class near.

    A prediction that only extends beyond the border of a lesion does not count, because its patches would hold truth.
    Nor does one that lies wholly in ignored pixels.

    Parameters
    ----------
    probability
        ``probability/{model}/{fusion}/{image}.zarr``.
    normalized
        Store of the image; every class must be annotated in it.
    thresholds
        Class → threshold.
    record
        Facts of the data set; only lesion classes are considered.
    config
        Smallest regions, the margin around truth, and the number of rows read at a time.

    Returns
    -------
    DataFrame
        Columns of ``COLUMNS``, classes in order and regions in raster order.
    """
    maps = Maps.open(probability, normalized=normalized, classes=len(record.codes), smoothing=config.smoothing)
    arrays = open_array(normalized, "truth"), ignored_array(normalized)
    image = _Image(maps, *arrays, config.hard_negative_margin, config.storage.shard)
    parts = [_of_class(image, code, cut=thresholds[code], record=record, config=config) for code in record.lesion_codes]
    return _typed(pd.concat(parts, ignore_index=True))


def _of_class(
    image: _Image, code: str, *, cut: float, record: DatasetRecord, config: SegmentationConfig
) -> pd.DataFrame:
    number = record.codes.index(code)
    predicted = Raster(image.maps.size, lambda box: reaches(image.values(box, number=number), cut))
    table = component_table(predicted, rows=image.rows)
    alone, largest = _alone(image, table, number=number, cut=cut)
    kept = alone & (table.area >= max(config.area_of(code), 1))
    columns = {
        "image_id": image.maps.image_id,
        "y": table.y0,
        "x": table.x0,
        "height": table.y1 - table.y0,
        "width": table.x1 - table.x0,
        "score": largest,
        "class_code": code,
        "area": table.area,
    }
    return pd.DataFrame(columns)[kept]


def _typed(frame: pd.DataFrame) -> pd.DataFrame:
    return frame[list(COLUMNS)].astype({name: kind for name, (kind, _) in COLUMNS.items()})


def write_hard_negatives(
    images: Path,
    *,
    probability: Sequence[tuple[str, Path]],
    normalized: Mapping[str, Path],
    thresholds: Path,
    folds: Sequence[int] = (-1,),
    config: SegmentationConfig,
    job: Job,
    output: Path,
) -> None:
    """List of hard negatives, ``hard_negatives.parquet``: false positives in training images only.

    Errors in validation and test images must not influence the training data of the next model, so the maps of these
    images are never read. Without folds the maps are of images that the model was trained on: expect fewer false
    positives there than elsewhere. With folds they come from the members that had not seen an image.

    Parameters
    ----------
    images
        ``raw/images.parquet``; those of `listed_images` in which every class was annotated are used.
    probability
        Image id and store of each map; maps of other images are ignored. With folds, each map is of a member that was
        not trained on the image; an image may have several.
    normalized
        Image → store.
    thresholds
        ``thresholds.json``.
    folds
        Fold of the model, or of each member of an ensemble; −1 for none.
    config
        Smallest regions, margin, storage.
    job
        Facts of the data set, record of origin.
    output
        The table, by image, class and place.

    Raises
    ------
    StoreError
        An image lacks a store, or its size differs from its map.
    """
    record, table = job.record, read_table(images)
    counts = [f"pixels_{code}" for code in record.codes]
    may = table["image_id"].astype(str).isin(listed_images(table, folds=folds))
    used = table[may & (table["rejected"] == "") & (table[counts] >= 0).all(axis=1)]
    cuts, config = read_thresholds(thresholds, codes=record.codes), with_areas(config, thresholds)
    parts = []
    for image in sorted(used["image_id"].astype(str)):
        paths = [path for name, path in probability if name == image]
        if not paths or image not in normalized:
            raise StoreError(
                "A training image has no map.",
                where=image,
                found="no probability or no normalised image",
                expected="both, for every annotated image that models learn from",
                remedy="Build this file by Snakemake.",
            )
        found = [
            false_positives(path, normalized=normalized[image], thresholds=cuts, record=record, config=config)
            for path in paths
        ]
        logger.info("%s: %d false positives", image, sum(map(len, found)))
        parts += found
    frame = pd.concat(parts, ignore_index=True) if parts else _typed(pd.DataFrame(columns=list(COLUMNS)))
    columns = {name: meaning for name, (_, meaning) in COLUMNS.items()}
    with file_in_progress(output) as partial:
        write_table(frame, partial, provenance=job.provenance.as_attributes(), extra={"columns": columns})
