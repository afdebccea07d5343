"""Metrics of one model with one fusion: image by image in blocks, summed up per split, written as two tables.

Truth, masks and probabilities are compared on the pixel grid of the normalised image, over all of its pixels. What is
kept is integer counts and histograms, so the size of an image does not matter and nothing is rounded. A class that
nobody annotated in an image is left out of that image altogether, and so are pixels that nobody is sure of.
"""

import logging
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline import stores
from pipeline.arrays.metrics import (
    Counts,
    Histogram,
    average_precision,
    counts,
    probability_histogram,
    threshold_counts,
    trapezoid_aupr,
)
from pipeline.config import ReportConfig
from pipeline.config.manifest import DatasetRecord
from pipeline.errors import StoreError
from pipeline.geometry import BLOCK, Box, aligned_boxes
from pipeline.model.held_out import measured_split
from pipeline.report.measures.averages import class_table, count_table
from pipeline.report.measures.intervals import curve, intervals
from pipeline.report.measures.summary import OVER_CLASSES, OVER_LESIONS, SUMMARY_COLUMNS, average_rows, class_rows
from pipeline.report.paths import Result
from pipeline.segmentation.threshold_file import read_thresholds
from pipeline.stores.atomic import file_in_progress
from pipeline.stores.image_store import ignored_array
from pipeline.stores.job import Job
from pipeline.stores.probability_store import ProbabilityMap, open_probability
from pipeline.words import BACKGROUND, EVALUATED_SPLITS

__all__ = ["IMAGE_COLUMNS", "ImageMeasure", "measure_image", "write_metrics"]

log = logging.getLogger(__name__)

IMAGE_COLUMNS = {
    "model": "category",
    "fusion": "category",
    "split": "category",
    "image_id": "category",
    "group_id": "category",
    "class_code": "category",
    "threshold": "float64",
    "pixels": "int64",
    "truth_pixels": "int64",
    "truth_outside_roi": "int64",
    "tp": "int64",
    "fp": "int64",
    "fn": "int64",
    "tn": "int64",
    "dice": "float64",
    "iou": "float64",
    "precision": "float64",
    "recall": "float64",
    "ap": "float64",
    "aupr11": "float64",
    "false_positive_area": "int64",
}
"""One row per image and class. Counts are pixels of the normalised image that are not ignored; `false_positive_area` is `fp` where the image
does not hold the class, else 0; ratios are NaN where undefined; `threshold` is NaN for the background."""


@dataclass(frozen=True, slots=True)
class ImageMeasure:
    """Counts and histograms of one image."""

    counts: Mapping[str, Counts]
    """Class code → counts; the background too where every class is annotated."""
    histograms: Mapping[str, Histogram]
    """Class code → pixels by probability, without and with truth."""
    truth_outside_roi: Mapping[str, int]
    """Class code → truth pixels that inference does not look at."""


def measure_image(planes: Mapping[str, Any], *, codes: tuple[str, ...], annotated: tuple[str, ...]) -> ImageMeasure:
    """Counts and histograms of one image, compared block by block.

    Parameters
    ----------
    planes
        ``truth``, ``masks``, ``probability`` ``(class, y, x)`` and ``roi`` ``(y, x)``: Zarr arrays or NumPy arrays.
        ``ignore`` ``(y, x)``, where there is one, holds pixels that count nothing.
    codes
        Class codes along the class axis.
    annotated
        Those that somebody looked for in this image.

    Raises
    ------
    StoreError
        Where the arrays do not cover the same pixels.
    """
    _one_grid(planes, classes=len(codes))
    total = dict.fromkeys([*annotated, *([BACKGROUND] if annotated == codes else [])], Counts())
    histograms: dict[str, Histogram] = {}
    outside = dict.fromkeys(annotated, 0)
    height, width = planes["roi"].shape
    for box in aligned_boxes(height, width, BLOCK):
        block = {name: _block(plane, box) for name, plane in planes.items()}
        truth, masks, roi = (block[name] > 0 for name in ("truth", "masks", "roi"))
        within = block["ignore"] == 0 if "ignore" in block else None
        for code in annotated:
            at = codes.index(code)
            total[code] += counts(truth[at], masks[at], within)
            histogram = probability_histogram(block["probability"][at], truth[at], within)
            histograms[code] = histograms[code] + histogram if code in histograms else histogram
            outside[code] += int(np.count_nonzero(truth[at] & ~roi))
        if BACKGROUND in total:
            total[BACKGROUND] += counts(~np.logical_or.reduce(truth), ~np.logical_or.reduce(masks), within)
    return ImageMeasure(total, histograms, outside)


def _block(plane: Any, box: Box) -> NDArray[Any]:  # noqa: ANN401 Zarr, NumPy or a map
    if isinstance(plane, np.ndarray):
        return plane[(..., *box.slices)]
    return plane.read(box) if isinstance(plane, ProbabilityMap) else stores.read_box(plane, box)


def _one_grid(planes: Mapping[str, Any], *, classes: int) -> None:
    expected = (classes, *planes["roi"].shape)
    for name in ("truth", "masks", "probability"):
        if planes[name].shape != expected:
            raise StoreError(
                "Results do not cover the normalised image.",
                where=f"array {name}",
                found=planes[name].shape,
                expected=f"(class, y, x) = {expected}",
                remedy="Run the stages after normalized again.",
            )


@dataclass(frozen=True, slots=True)
class _Measured:
    image_id: str
    group_id: str
    split: str
    measure: ImageMeasure


def _measured(
    table: pd.DataFrame, *, codes: tuple[str, ...], planes: Mapping[str, Mapping[str, Path]], folds: Sequence[int]
) -> Iterator[_Measured]:
    counted = table.assign(split=measured_split(table, folds=folds))
    usable = counted[counted["split"].isin(EVALUATED_SPLITS)].sort_values(["split", "image_id"])
    for row in usable.to_dict("records"):
        image = str(row["image_id"])
        if missing := [stage for stage, paths in planes.items() if image not in paths]:
            log.warning("%s is not measured: no result of %s", image, ", ".join(missing))
            continue
        arrays = {
            "truth": stores.open_array(planes["normalized"][image], "truth"),
            "roi": stores.open_array(planes["normalized"][image], "roi"),
            "masks": stores.open_array(planes["segmentation"][image], "masks"),
            "probability": open_probability(planes["probability"][image]),
        }
        ignored = ignored_array(planes["normalized"][image])
        arrays |= {} if ignored is None else {"ignore": ignored}
        annotated = tuple(code for code in codes if row[f"pixels_{code}"] >= 0)
        yield _Measured(
            image, str(row["group_id"]), str(row["split"]), measure_image(arrays, codes=codes, annotated=annotated)
        )


def _typed(frame: pd.DataFrame, columns: Mapping[str, str]) -> pd.DataFrame:
    return frame.reindex(columns=list(columns)).astype(dict(columns)).reset_index(drop=True)


def _image_rows(measured: list[_Measured], thresholds: Mapping[str, float]) -> pd.DataFrame:
    rows = count_table(
        (each.image_id, each.group_id, code, count) for each in measured for code, count in each.measure.counts.items()
    )
    pairs = [(each, code) for each in measured for code in each.measure.counts]
    found = [each.measure.histograms.get(code) for each, code in pairs]
    truth = rows["tp"] + rows["fn"]
    return rows.assign(
        split=[each.split for each, _ in pairs],
        threshold=[thresholds.get(code, math.nan) for _, code in pairs],
        pixels=truth + rows["fp"] + rows["tn"],
        truth_pixels=truth,
        truth_outside_roi=[each.measure.truth_outside_roi.get(code, 0) for each, code in pairs],
        ap=[math.nan if each is None else average_precision(each) for each in found],
        aupr11=[math.nan if each is None else trapezoid_aupr(threshold_counts(each)) for each in found],
        false_positive_area=rows["fp"].where(truth == 0, 0),
    )


def _pooled(measured: list[_Measured], codes: tuple[str, ...]) -> dict[str, Histogram]:
    found = {
        code: [each.measure.histograms[code] for each in measured if code in each.measure.histograms] for code in codes
    }
    return {code: sum(parts[1:], start=parts[0]) for code, parts in found.items() if parts}


def _summary(
    measured: list[_Measured],
    images: pd.DataFrame,
    *,
    record: DatasetRecord,
    thresholds: Mapping[str, float],
    draws: int,
    seed: int,
) -> tuple[pd.DataFrame, dict[str, NDArray[np.float64]]]:
    """Rows of one split, and its precision-recall curves."""
    pooled = _pooled(measured, record.codes)
    classes = class_table(images, histograms=pooled)
    anatomy = [each.code for each in record.classes if each.kind == "anatomy"]
    averaged = {OVER_CLASSES: list(record.codes), OVER_LESIONS: [code for code in record.codes if code not in anatomy]}
    histograms = [(each.group_id, each.measure.histograms) for each in measured]
    bounds = intervals(images, histograms, averaged=averaged, draws=draws, key=(seed, measured[0].split))
    rows = [
        *class_rows(classes, bounds=bounds, thresholds=thresholds),
        *average_rows(classes, anatomy=anatomy, bounds=bounds),
    ]
    table = pd.DataFrame(rows).assign(split=measured[0].split, groups=len({each.group_id for each in measured}))
    return table, {code: curve(histogram) for code, histogram in pooled.items()}


def write_metrics(
    images: Path,
    result: Result,
    *,
    normalized: Mapping[str, Path],
    folds: Sequence[int] = (-1,),
    config: ReportConfig,
    job: Job,
) -> None:
    """Metrics of one model with one fusion on the validation and test images, written as two tables.

    Parameters
    ----------
    images
        ``raw/images.parquet``.
    result
        The model and fusion, its stores and thresholds, and the tables to write, see ``IMAGE_COLUMNS`` and
        ``measures.SUMMARY_COLUMNS``. The second carries the pooled precision-recall curves in its metadata, ``curves``:
        split → class → ``[recall, precision]``. Images that lack a store are left out.
    normalized
        Image id → store.
    folds
        Fold of the model, or of each member of the ensemble: says which images validate, see `measured_split`.
    config
        Number of bootstrap samples.
    job
        Facts of the data set, record of origin with the seed, for the bootstrap.
    """
    record = job.record
    cuts = read_thresholds(result.thresholds, codes=record.codes)
    planes = {"normalized": normalized, "segmentation": result.segmentation, "probability": result.probability}
    measured = list(_measured(stores.read_table(images), codes=record.codes, planes=planes, folds=folds))
    rows = _image_rows(measured, cuts).assign(model=result.model, fusion=result.fusion)
    summaries, curves = [], {}
    for split in EVALUATED_SPLITS:
        part = [each for each in measured if each.split == split]
        if part:
            table, found = _summary(
                part,
                rows[rows["split"] == split],
                record=record,
                thresholds=cuts,
                draws=config.bootstrap,
                seed=job.seed,
            )
            summaries.append(table.assign(model=result.model, fusion=result.fusion))
            curves[split] = {code: points.tolist() for code, points in found.items()}
    summary = pd.concat(summaries) if summaries else pd.DataFrame()
    attributes = job.provenance.as_attributes()
    with file_in_progress(result.metrics_images) as path:
        stores.write_table(_typed(rows, IMAGE_COLUMNS), path, provenance=attributes)
    with file_in_progress(result.metrics_classes) as path:
        stores.write_table(_typed(summary, SUMMARY_COLUMNS), path, provenance=attributes, extra={"curves": curves})
