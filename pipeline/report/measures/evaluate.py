"""Metrics of one model with one fusion: image by image in blocks, summed up per split, written as two tables.

Truth, masks and probabilities are compared on the pixel grid of the normalised image, over all of its pixels, and on that
of the original too where it was rescaled. What is kept is integer counts and histograms, so the size of an image does not
matter and nothing is rounded. A class that nobody annotated in an image is left out of that image altogether, and so are
pixels that nobody is sure of.
"""

import logging
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline import stores
from pipeline.arrays.metrics import Histogram, average_precision, threshold_counts, trapezoid_aupr
from pipeline.arrays.trivial import everywhere, nowhere
from pipeline.config import ReportConfig
from pipeline.config.manifest import DatasetRecord
from pipeline.model.held_out import measured_split
from pipeline.report.measures.averages import class_table, count_table
from pipeline.report.measures.image import ImageMeasure, measure_image
from pipeline.report.measures.intervals import curve, intervals
from pipeline.report.measures.model_folder import write_model_measures
from pipeline.report.measures.original_grid import TruthFiles, original_planes
from pipeline.report.measures.summary import (
    NORMALISED,
    ORIGINAL,
    OVER_CLASSES,
    OVER_LESIONS,
    SUMMARY_COLUMNS,
    average_rows,
    class_rows,
)
from pipeline.report.paths import Result
from pipeline.report.run_warnings import left_out, model_warnings, unseen_warnings, validation_warnings
from pipeline.segmentation.threshold_file import read_thresholds
from pipeline.stores.atomic import file_in_progress
from pipeline.stores.image_store import ignored_array
from pipeline.stores.job import Job
from pipeline.stores.probability_store import open_probability
from pipeline.words import EVALUATED_SPLITS

__all__ = ["IMAGE_COLUMNS", "write_metrics"]

log = logging.getLogger(__name__)

Curves: TypeAlias = dict[str, dict[str, list[list[float]]]]
"""Split → class → recall and precision."""

IMAGE_COLUMNS = {
    "model": "category",
    "fusion": "category",
    "split": "category",
    "grid": "category",
    "image_id": "category",
    "group_id": "category",
    "class_code": "category",
    "threshold": "float64",
    "pixels": "int64",
    "truth_pixels": "int64",
    "truth_outside_roi": "int64",
    "roi_pixels": "int64",
    "truth_in_roi": "int64",
    "predicted_in_roi": "int64",
    "tp": "int64",
    "fp": "int64",
    "fn": "int64",
    "tn": "int64",
    "dice": "float64",
    "dice_everywhere": "float64",
    "dice_nowhere": "float64",
    "iou": "float64",
    "precision": "float64",
    "recall": "float64",
    "ap": "float64",
    "aupr11": "float64",
    "false_positive_area": "int64",
}
"""One row per grid, image and class. Counts are pixels of the grid that are not ignored: `normalised`, and where images were
rescaled `original` beside it. `false_positive_area` is `fp` where the image does not hold the class, else 0; ratios are NaN
where undefined; `threshold` is NaN for the background. `dice_everywhere` and `dice_nowhere` are those of the trivial answers
that mark every pixel of the roi, or none; for the background `*_in_roi` and `roi_pixels` are of the whole image."""


@dataclass(frozen=True, slots=True)
class _Measured:
    image_id: str
    group_id: str
    split: str
    measure: ImageMeasure


def _on_normalised(paths: Mapping[str, Path], *, codes: tuple[str, ...], annotated: tuple[str, ...]) -> ImageMeasure:
    ignored = ignored_array(paths["normalized"])
    planes = {
        "truth": stores.open_array(paths["normalized"], "truth"),
        "roi": stores.open_array(paths["normalized"], "roi"),
        "masks": stores.open_array(paths["segmentation"], "masks"),
        "probability": open_probability(paths["probability"]),
    } | ({} if ignored is None else {"ignore": ignored})
    return measure_image(planes, codes=codes, annotated=annotated)


def _on_original(
    truth: TruthFiles, paths: Mapping[str, Path], *, record: DatasetRecord, annotated: tuple[str, ...]
) -> ImageMeasure | None:
    with original_planes(truth, paths, record=record) as planes:
        return None if planes is None else measure_image(planes, codes=record.codes, annotated=annotated)


def _measured(
    table: pd.DataFrame,
    *,
    record: DatasetRecord,
    planes: Mapping[str, Mapping[str, Path]],
    truths: Mapping[str, TruthFiles],
    folds: Sequence[int],
) -> Iterator[tuple[_Measured, ImageMeasure | None]]:
    """Images with their measures, and those on the grid of the original where that is another one."""
    counted = table.assign(split=measured_split(table, folds=folds))
    usable = counted[counted["split"].isin(EVALUATED_SPLITS)].sort_values(["split", "image_id"])
    for row in usable.to_dict("records"):
        image = str(row["image_id"])
        if missing := [stage for stage, paths in planes.items() if image not in paths]:
            log.warning("%s is not measured: no result of %s", image, ", ".join(missing))
            continue
        paths = {stage: found[image] for stage, found in planes.items()}
        annotated = tuple(code for code in record.codes if row[f"pixels_{code}"] >= 0)
        measure = _on_normalised(paths, codes=record.codes, annotated=annotated)
        truth = truths.get(image)
        original = None if truth is None else _on_original(truth, paths, record=record, annotated=annotated)
        yield _Measured(image, str(row["group_id"]), str(row["split"]), measure), original


def _by_grid(found: Sequence[tuple[_Measured, ImageMeasure | None]]) -> dict[str, list[_Measured]]:
    """Measured images by grid; the original's where any image was rescaled, and there with all images."""
    grids = {NORMALISED: [each for each, _ in found]}
    if any(original is not None for _, original in found):
        grids[ORIGINAL] = [replace(each, measure=original or each.measure) for each, original in found]
    return grids


def _typed(frame: pd.DataFrame, columns: Mapping[str, str]) -> pd.DataFrame:
    return frame.reindex(columns=list(columns)).astype(dict(columns)).reset_index(drop=True)


def _image_rows(measured: list[_Measured], thresholds: Mapping[str, float]) -> pd.DataFrame:
    rows = count_table(
        (each.image_id, each.group_id, code, count) for each in measured for code, count in each.measure.counts.items()
    )
    pairs = [(each, code) for each in measured for code in each.measure.counts]
    found = [each.measure.histograms.get(code) for each, code in pairs]
    truth = rows["tp"] + rows["fn"]
    regions = [each.measure.regions[code] for each, code in pairs]
    counts = [each.measure.counts[code] for each, code in pairs]
    return rows.assign(
        split=[each.split for each, _ in pairs],
        threshold=[thresholds.get(code, math.nan) for _, code in pairs],
        pixels=truth + rows["fp"] + rows["tn"],
        truth_pixels=truth,
        truth_outside_roi=[each.measure.truth_outside_roi.get(code, 0) for each, code in pairs],
        roi_pixels=[each.pixels for each in regions],
        truth_in_roi=[each.truth for each in regions],
        predicted_in_roi=[each.predicted for each in regions],
        dice_everywhere=[everywhere(count, region).dice for count, region in zip(counts, regions, strict=True)],
        dice_nowhere=[nowhere(count).dice for count in counts],
        ap=[math.nan if each is None else average_precision(each) for each in found],
        aupr11=[math.nan if each is None else trapezoid_aupr(threshold_counts(each)) for each in found],
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


def _tables(
    measured: list[_Measured],
    *,
    record: DatasetRecord,
    thresholds: Mapping[str, float],
    config: ReportConfig,
    seed: int,
) -> tuple[pd.DataFrame, list[pd.DataFrame], Curves]:
    """Rows of all images on one grid, summaries of the splits, and the curves of each."""
    rows = _image_rows(measured, thresholds)
    summaries: list[pd.DataFrame] = []
    curves: Curves = {}
    for split in EVALUATED_SPLITS:
        part = [each for each in measured if each.split == split]
        if part:
            own = rows[rows["split"] == split]
            table, found = _summary(part, own, record=record, thresholds=thresholds, draws=config.bootstrap, seed=seed)
            summaries.append(table)
            curves[split] = {code: points.tolist() for code, points in found.items()}
    return rows, summaries, curves


def write_metrics(
    images: Path,
    result: Result,
    *,
    normalized: Mapping[str, Path],
    truths: Mapping[str, TruthFiles] | None = None,
    folds: Sequence[int] = (-1,),
    config: ReportConfig,
    job: Job,
    folder: Path | None = None,
) -> None:
    """Metrics of one model with one fusion on the validation and test images, written as two tables.

    Parameters
    ----------
    images
        ``raw/images.parquet``.
    result
        The model and fusion, its stores and thresholds, and the tables to write, see ``IMAGE_COLUMNS`` and
        ``measures.SUMMARY_COLUMNS``. The second carries the pooled precision-recall curves on the grid of the normalised
        images in its metadata, ``curves``: split → class → ``[recall, precision]``. Images that lack a store are left out.
    normalized
        Image id → store.
    truths
        Image id → files of its truth, where it is to be measured on the grid of its original too.
    folds
        Fold of the model, or of each member of the ensemble: says which images validate, see `measured_split`.
    config
        Number of bootstrap samples.
    job
        Facts of the data set, record of origin with the seed, for the bootstrap.
    folder
        Folder of the model, which gets ``measures.{fusion}.json``; None for none.
    """
    record, named = job.record, {"model": result.model, "fusion": result.fusion}
    cuts = read_thresholds(result.thresholds, codes=record.codes)
    planes = {"normalized": normalized, "segmentation": result.segmentation, "probability": result.probability}
    table = stores.read_table(images)
    found = list(_measured(table, record=record, planes=planes, truths=truths or {}, folds=folds))
    rows, summaries, curves = [], [], {}
    for grid, measured in _by_grid(found).items():
        own, parts, drawn = _tables(measured, record=record, thresholds=cuts, config=config, seed=job.seed)
        rows.append(own.assign(grid=grid, **named))
        summaries += [part.assign(grid=grid, **named) for part in parts]
        curves[grid] = drawn
    summary = pd.concat(summaries) if summaries else pd.DataFrame()
    attributes, extra = job.provenance.as_attributes(), {"curves": curves[NORMALISED]}
    typed = _typed(pd.concat(rows), IMAGE_COLUMNS)
    with file_in_progress(result.metrics_images) as path:
        stores.write_table(typed, path, provenance=attributes)
    with file_in_progress(result.metrics_classes) as path:
        stores.write_table(_typed(summary, SUMMARY_COLUMNS), path, provenance=attributes, extra=extra)
    if folder is not None:
        warnings = [*model_warnings(typed), *left_out(table), *unseen_warnings(typed)]
        warnings += validation_warnings(typed) if len(folds) == 1 else []
        write_model_measures(
            folder, _typed(summary, SUMMARY_COLUMNS), warnings, fusion=result.fusion, provenance=attributes
        )
