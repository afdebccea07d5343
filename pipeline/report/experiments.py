"""Tables of experiments: measures and paired differences, from the results of the arms."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline.config.manifest import DatasetRecord
from pipeline.model.card import read_card
from pipeline.model.recipe import training_length
from pipeline.report.measures.arms import ArmResult, arm_differences, arm_measures, arm_row, image_table
from pipeline.report.measures.times import job_figures
from pipeline.stores.atomic import file_in_progress
from pipeline.stores.model_files import HISTORY
from pipeline.stores.tables import read_table, write_table
from pipeline.words import lesions

__all__ = ["LEVELS", "ArmTables", "arm_cost", "experiment_tables", "read_arm", "write_tables"]

LEVELS = ("network", "sampling", "loss", "settings", "recipe", "smoothing", "fusion")
"""Columns of an arm: its level on each axis; empty for an axis that does not vary."""
FITTED, MAPPED = "model/model_fit/{model}.tsv", "probability/probability_image/{model}"
"""File that Snakemake writes for the training of a model, and folder of those for its maps, below that of its data set."""


@dataclass(frozen=True, slots=True, eq=False)
class ArmTables:
    """Tables of comparisons, see `pipeline.report.measures.arms`."""

    results: pd.DataFrame
    """A row for each arm and split."""
    measures: pd.DataFrame
    """A row for each arm, split, class or average, and measure."""
    differences: pd.DataFrame
    """A row for each arm except the base arm, split, class or mean over lesions, and measure."""
    image_differences: pd.DataFrame
    """A row for each of these and each image."""


def read_arm(experiment: str, arm: Mapping[str, Any], *, record: DatasetRecord, results: Path) -> ArmResult:
    """Results of one arm.

    Parameters
    ----------
    experiment
        Name of the comparison.
    arm
        ``name``, ``dataset``, ``base``, ``levels``, ``models``, those ``trained`` for them, ``fusion``.
    record
        Facts of its data set.
    results
        Folder of all results.
    """
    folder, fusion = results / str(arm["dataset"]), arm["fusion"]
    tables = {
        kind: [read_table(folder / "report" / f"{model}.{fusion}.{kind}.parquet") for model in arm["models"]]
        for kind in ("images", "classes")
    }
    levels = {axis: str(arm["levels"].get(axis, "")) for axis in LEVELS}
    named = {
        "experiment": experiment,
        "arm": arm["name"],
        "base": bool(arm["base"]),
        "dataset": arm["dataset"],
        **levels,
    }
    return ArmResult(
        named=named,
        images=tables["images"],
        summaries=tables["classes"],
        lesions=lesions({each.code: each.kind for each in record.classes}),
        steps=tuple(_steps(folder / "model" / model) for model in arm["trained"]),
        cost=arm_cost(
            results / ".benchmarks" / str(arm["dataset"]),
            {model: each["image_id"].unique() for model, each in zip(arm["models"], tables["images"], strict=True)},
            trained=arm["trained"],
        ),
    )


def _steps(model: Path) -> int:
    """Steps that a model was trained for: fewer than planned where its patience ended."""
    card, epochs = read_card(model), len(read_table(model / HISTORY))
    length = training_length(card.settings, rows=card.rows["training"])
    return min(length.steps, epochs * math.ceil(length.steps / length.epochs))


def arm_cost(benchmarks: Path, measured: Mapping[str, Iterable[str]], *, trained: Sequence[str]) -> dict[str, float]:
    """Seconds and memory of what an arm needs for its figures: its trainings, and the maps that are measured.

    Maps of other images, such as those of training images in which another model's hard negatives were found, do not
    count. Nor do models count as images: with folds each image has its maps once.

    Parameters
    ----------
    benchmarks
        ``results/.benchmarks/{dataset}``; files may be missing.
    measured
        Model → images whose maps of it are measured.
    trained
        Models that were trained for them.

    Returns
    -------
    dict
        ``train_seconds`` of one training, mean over those known; ``maps_seconds`` of the maps of all measured images in
        all fusions, of each the mean over the models that are measured on it, NaN where that of an image is not known;
        ``train_memory_mb`` and ``maps_memory_mb``, the largest memory of a job in MiB. NaN where nothing is known.
    """
    fitted = _jobs({model: benchmarks / FITTED.format(model=model) for model in trained})
    folders = {model: benchmarks / MAPPED.format(model=model) for model in measured}
    paths = [(str(image), folders[model] / f"{image}.tsv") for model, images in measured.items() for image in images]
    mapped = pd.concat([_jobs({image: path}) for image, path in paths] or [_jobs({})])
    of_images = mapped.groupby("of")["seconds"].mean().reindex(list(dict.fromkeys(image for image, _ in paths)))
    return {
        "train_seconds": float(fitted["seconds"].mean()),
        "train_memory_mb": float(fitted["memory_mb"].max()),
        "maps_seconds": float(of_images.sum(skipna=False)) if len(of_images) else math.nan,
        "maps_memory_mb": float(mapped["memory_mb"].max()),
    }


def _jobs(paths: Mapping[str, Path]) -> pd.DataFrame:
    rows = [{"of": name, **each} for name, path in paths.items() for each in job_figures(path)]
    return pd.DataFrame(rows, columns=["of", "seconds", "memory_mb"]).astype({"seconds": float, "memory_mb": float})


def experiment_tables(arms: Sequence[ArmResult], *, draws: int, seed: int) -> ArmTables:
    """Tables of one comparison.

    Parameters
    ----------
    arms
        Its arms, the base arm first.
    draws
        Bootstrap samples over groups, for the differences.
    seed
        Seed of the resampling.
    """
    measures = [arm_measures(arm) for arm in arms]
    rows = [row for arm, own in zip(arms, measures, strict=True) for row in arm_row(arm, own)]
    base, *others = arms
    return ArmTables(
        pd.DataFrame(rows),
        pd.concat(measures, ignore_index=True),
        pd.concat([arm_differences(base, arm, draws=draws, seed=seed) for arm in others], ignore_index=True),
        pd.concat([image_table(base, arm) for arm in others], ignore_index=True),
    )


def write_tables(tables: Sequence[ArmTables], folder: Path, *, provenance: Mapping[str, Any]) -> None:
    """Write of all comparisons as Parquet and CSV: ``results``, ``measures``, ``differences``, ``image_differences``.

    Parameters
    ----------
    tables
        Those of each comparison.
    folder
        ``results/experiments``.
    provenance
        Record of origin.
    """
    for name in ("results", "measures", "differences", "image_differences"):
        whole = pd.concat([getattr(each, name) for each in tables], ignore_index=True)
        with file_in_progress(folder / f"{name}.parquet") as path:
            write_table(whole, path, provenance=provenance)
        with file_in_progress(folder / f"{name}.csv") as path:
            whole.to_csv(path, index=False, float_format="%.6g", lineterminator="\n")
