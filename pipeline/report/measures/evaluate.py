"""Metrics of one model with one fusion: per image in blocks, then per split, centre and group, written as four tables.

Truth, masks and probabilities are compared on the pixel grid of the normalised image, over all its pixels, and after
rescaling on that of the original too. Integer counts and histograms are kept, so the size of an image does not matter
and nothing is rounded. A class that nobody annotated in an image is left out for that image, and so are uncertain
pixels.
"""

import logging
import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline import stores
from pipeline.arrays.confusion import LabelRule, label_ious
from pipeline.arrays.label_map import precedence
from pipeline.arrays.surface import Ruler
from pipeline.config import ReportConfig
from pipeline.config.manifest import DatasetRecord
from pipeline.normalized.data_warnings import outside_warnings
from pipeline.report.measures.averages import OVER_ALL, class_table
from pipeline.report.measures.evaluated import evaluated_images
from pipeline.report.measures.image import ImageMeasure, Rules, measure_image
from pipeline.report.measures.image_rows import (
    IMAGE_COLUMNS,
    Measured,
    confusions,
    grouped,
    image_rows,
    lesion_rows,
    pooled_confusion,
    pooled_histograms,
    reliabilities,
    responses,
)
from pipeline.report.measures.intervals import curve, intervals
from pipeline.report.measures.lesion_wise import LESION_COLUMNS
from pipeline.report.measures.mismatches import mismatches
from pipeline.report.measures.model_folder import write_model_measures
from pipeline.report.measures.original_grid import TruthFiles, grey_levels, original_planes
from pipeline.report.measures.out_of_fold import OutOfFold, image_thresholds
from pipeline.report.measures.parts import PART_COLUMNS, part_rows
from pipeline.report.measures.strata import strata
from pipeline.report.measures.summary import (
    NORMALISED,
    ORIGINAL,
    OVER_CLASSES,
    OVER_LESIONS,
    SUMMARY_COLUMNS,
    average_rows,
    class_rows,
)
from pipeline.report.measures.surfaces import tolerance_px
from pipeline.report.paths import Result
from pipeline.report.run_warnings import left_out, mismatch_warnings, model_warnings, validation_warnings
from pipeline.stores.atomic import file_in_progress
from pipeline.stores.image_store import ignored_array, image_notes
from pipeline.stores.job import Job
from pipeline.stores.probability_store import open_probability
from pipeline.words import BACKGROUND, EVALUATED_SPLITS

__all__ = ["write_metrics"]

log = logging.getLogger(__name__)

Curves: TypeAlias = dict[str, dict[str, list[list[float]]]]
"""Split → class → recall and precision."""


def _on_normalised(
    paths: Mapping[str, Path], *, codes: tuple[str, ...], annotated: tuple[str, ...], rules: Rules
) -> ImageMeasure:
    ignored = ignored_array(paths["normalized"])
    planes = {
        "truth": stores.open_array(paths["normalized"], "truth"),
        "roi": stores.open_array(paths["normalized"], "roi"),
        "masks": stores.open_array(paths["segmentation"], "masks"),
        "probability": open_probability(paths["probability"]),
        "grey": grey_levels(paths["normalized"]),
    } | ({} if ignored is None else {"ignore": ignored})
    return measure_image(planes, codes=codes, annotated=annotated, rules=rules)


def _on_original(
    truth: TruthFiles,
    paths: Mapping[str, Path],
    *,
    record: DatasetRecord,
    annotated: tuple[str, ...],
    rules: Rules,
) -> ImageMeasure | None:
    with original_planes(truth, paths, record=record) as planes:
        if planes is None:
            return None
        return measure_image(planes, codes=record.codes, annotated=annotated, rules=rules)


def _measured(
    table: pd.DataFrame,
    *,
    record: DatasetRecord,
    planes: Mapping[str, Mapping[str, Path]],
    truths: Mapping[str, TruthFiles],
    folds: Sequence[int],
    out_of_fold: Collection[int],
    config: ReportConfig,
) -> Iterator[tuple[Measured, ImageMeasure | None]]:
    """Images with their measures, and with those on the grid of the original if that differs."""
    for each in evaluated_images(table, codes=record.codes, folds=folds, out_of_fold=out_of_fold):
        image, annotated = each.image_id, each.annotated
        if missing := [stage for stage, paths in planes.items() if image not in paths]:
            log.warning("%s is not measured: no result of %s", image, ", ".join(missing))
            continue
        paths = {stage: found[image] for stage, found in planes.items()}
        mapping = image_notes(paths["normalized"])["mapping"]
        pixel_um = mapping.get("pixel_size_um") or record.pixel_size_um
        rules = Rules(
            config.match,
            Ruler(tolerance=tolerance_px(config.surface_tolerance, pixel_um=pixel_um)),
            LabelRule(precedence(record), record.task == "multiclass"),
        )
        scaled = replace(rules.ruler, height=1 / mapping["factor_y"], width=1 / mapping["factor_x"])
        measure = _on_normalised(paths, codes=record.codes, annotated=annotated, rules=replace(rules, ruler=scaled))
        original = (
            _on_original(truths[image], paths, record=record, annotated=annotated, rules=rules)
            if image in truths
            else None
        )
        yield Measured(image, each.group_id, each.split, measure, pixel_um or math.nan), original


def _by_grid(found: Sequence[tuple[Measured, ImageMeasure | None]]) -> dict[str, list[Measured]]:
    """Measured images by grid; the original's grid exists if any image was rescaled, and then has all images."""
    grids = {NORMALISED: [each for each, _ in found]}
    if any(original is not None for _, original in found):
        grids[ORIGINAL] = [replace(each, measure=original or each.measure) for each, original in found]
    return grids


def _typed(frame: pd.DataFrame, columns: Mapping[str, str]) -> pd.DataFrame:
    return frame.reindex(columns=list(columns)).astype(dict(columns)).reset_index(drop=True)


def _summary(
    measured: list[Measured],
    images: pd.DataFrame,
    *,
    record: DatasetRecord,
    thresholds: Mapping[str, float],
    draws: int,
    seed: int,
) -> tuple[pd.DataFrame, dict[str, NDArray[np.float64]]]:
    """Rows of one split, and its precision-recall curves."""
    pooled = pooled_histograms(measured, record.codes)
    matrix, _ = pooled_confusion(measured)
    ious = {} if matrix is None else label_ious(matrix, [BACKGROUND, *record.codes])
    classes = class_table(images, histograms=pooled, labels=ious)
    anatomy = [each.code for each in record.classes if each.kind == "anatomy"]
    averaged = {OVER_CLASSES: list(record.codes), OVER_LESIONS: [code for code in record.codes if code not in anatomy]}
    if (images["class_code"] == BACKGROUND).any():
        averaged[OVER_ALL] = [*record.codes, BACKGROUND]
    bounds = intervals(
        grouped(measured, images, codes=record.codes), averaged=averaged, draws=draws, key=(seed, measured[0].split)
    )
    rows = [
        *class_rows(classes, bounds=bounds, thresholds=thresholds),
        *average_rows(classes, anatomy=anatomy, bounds=bounds),
    ]
    table = pd.DataFrame(rows).assign(split=measured[0].split, groups=len({each.group_id for each in measured}))
    return table, {code: curve(histogram) for code, histogram in pooled.items()}


def _shared(thresholds: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Thresholds common to several images; NaN for a class where members of folds have different ones."""
    return {
        code: value if all(each[code] == value for each in thresholds) else math.nan
        for code, value in thresholds[0].items()
    }


def _tables(
    measured: list[Measured],
    *,
    record: DatasetRecord,
    thresholds: Mapping[str, Mapping[str, float]],
    config: ReportConfig,
    seed: int,
) -> tuple[pd.DataFrame, list[pd.DataFrame], Curves]:
    """Rows of all images on one grid, summaries of the splits, and the curves of each."""
    rows = image_rows(measured, thresholds)
    summaries: list[pd.DataFrame] = []
    curves: Curves = {}
    for split in EVALUATED_SPLITS:
        part = [each for each in measured if each.split == split]
        if part:
            own = rows[rows["split"] == split]
            cuts = _shared([thresholds[each.image_id] for each in part])
            table, found = _summary(part, own, record=record, thresholds=cuts, draws=config.bootstrap, seed=seed)
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
    out_of_fold: OutOfFold | None = None,
    config: ReportConfig,
    job: Job,
    folder: Path | None = None,
) -> None:
    """Metrics of one model with one fusion on the validation and test images, written as four tables.

    Parameters
    ----------
    images
        ``raw/images.parquet``.
    result
        The model and fusion, its stores and thresholds, and the tables to write, see ``IMAGE_COLUMNS``,
        ``measures.summary.SUMMARY_COLUMNS``, ``LESION_COLUMNS`` and ``PART_COLUMNS``. The second carries in its
        metadata the pooled precision-recall curves on the grid of the normalised images, ``curves``: split → class →
        ``[recall, precision]``, and ``froc``: grid → split → class → thresholds, sensitivity, false positives per
        image, and likewise ``reliability``: confidence, frequency, pixels of each bin, ``strata``: see
        `measures.strata`, and ``confusion``: labels, pixels by truth and prediction. Images that lack a store are left
        out.
    normalized
        Image id → store; those of training images too, for the warnings beside the card.
    truths
        Image id → files of its truth, where it is to be measured on the grid of its original too.
    folds
        Fold of the model, or of each member of the ensemble; it decides which images validate, see `measured_split`.
    out_of_fold
        Members that validate an ensemble of several folds: the stores and thresholds of their images come from them.
        The tables of images and classes then have ``out_of_fold`` in their metadata: image → member.
    config
        Number of bootstrap samples, rules of matching lesions and of comparing borders.
    job
        Facts of the data set, record of origin with the seed, for the bootstrap.
    folder
        Folder of the model, which gets ``measures.{fusion}.json``; None for none.
    """
    record, named = job.record, {"model": result.model, "fusion": result.fusion}
    apart = out_of_fold or OutOfFold({}, {})
    planes = {"normalized": normalized, "segmentation": result.segmentation, "probability": result.probability}
    table = stores.read_table(images)
    options: dict[str, Any] = {"folds": folds, "out_of_fold": apart.folds.values(), "config": config}
    found = list(_measured(table, record=record, planes=planes, truths=truths or {}, **options))
    members = apart.members(table)
    cuts = image_thresholds([each.image_id for each, _ in found], result.thresholds, members, apart, codes=record.codes)
    rows, summaries, curves, lesions, parts = [], [], {}, [], []
    centres = dict(zip(table["image_id"].astype(str), table["centre"].astype(str), strict=True))
    anatomy = [each.code for each in record.classes if each.kind == "anatomy"]
    kept: dict[str, dict[str, Any]] = {}
    for grid, measured in _by_grid(found).items():
        own, found_summaries, drawn = _tables(measured, record=record, thresholds=cuts, config=config, seed=job.seed)
        rows.append(own.assign(grid=grid, **named))
        summaries += [each.assign(grid=grid, **named) for each in found_summaries]
        of_parts = part_rows(measured, own, centres=centres, codes=record.codes, anatomy=anatomy)
        parts.append(of_parts.assign(grid=grid, **named))
        curves[grid] = drawn
        of_lesions = lesion_rows(measured)
        lesions.append(of_lesions.assign(grid=grid, **named))
        kept.setdefault("strata", {})[grid] = strata(of_lesions, record.codes)
        for name, of in (("froc", responses), ("reliability", reliabilities), ("confusion", confusions)):
            kept.setdefault(name, {})[grid] = of(measured, record.codes)
    summary = pd.concat(summaries) if summaries else pd.DataFrame()
    held = {each.image_id: members[each.image_id] for each, _ in found if each.image_id in members}
    noted = {"out_of_fold": held} if held else {}
    attributes, extra = job.provenance.as_attributes(), {"curves": curves[NORMALISED], **kept, **noted}
    typed = _typed(pd.concat(rows), IMAGE_COLUMNS)
    if folder is not None:  # Before the tables: once these exist, nothing makes the measures anew.
        warnings = [*mismatch_warnings(mismatches(typed)), *model_warnings(typed)]
        warnings += [*left_out(table), *outside_warnings(normalized)]
        warnings += validation_warnings(typed, table) if len(set(folds)) == 1 else []
        whole = _typed(summary, SUMMARY_COLUMNS)
        kinds: dict[str, Any] = {"fusion": result.fusion, "provenance": attributes, "members": held.values()}
        write_model_measures(folder, whole, warnings, **kinds)
    with file_in_progress(result.metrics_images) as path:
        stores.write_table(typed, path, provenance=attributes, extra=noted)
    with file_in_progress(result.metrics_parts) as path:
        stores.write_table(_typed(pd.concat(parts), PART_COLUMNS), path, provenance=attributes)
    with file_in_progress(result.metrics_lesions) as path:
        stores.write_table(_typed(pd.concat(lesions), LESION_COLUMNS), path, provenance=attributes)
    with file_in_progress(result.metrics_classes) as path:
        stores.write_table(_typed(summary, SUMMARY_COLUMNS), path, provenance=attributes, extra=extra)
