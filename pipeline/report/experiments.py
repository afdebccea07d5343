"""Tables of experiments: measures and paired differences, from the results of the arms."""

import math
from collections.abc import Mapping, Sequence
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
from pipeline.stores.tables import read_table, write_table
from pipeline.words import lesions

__all__ = ["LEVELS", "ArmTables", "experiment_tables", "read_arm", "write_tables"]

LEVELS = ("network", "sampling", "loss", "settings", "recipe", "smoothing", "fusion")
"""Columns of an arm: its level on each axis; empty for an axis that does not vary."""
FITTED, MAPPED = "model/model_fit/{model}.tsv", "probability/probability_image/{model}"
"""Files that Snakemake writes for the jobs of a model, in the folder of its data set."""


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
    cards = [read_card(folder / "model" / model) for model in arm["trained"]]
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
        steps=tuple(training_length(card.settings, rows=card.rows["training"]).steps for card in cards),
        cost=_cost(results / ".benchmarks" / str(arm["dataset"]), arm["models"], trained=arm["trained"]),
    )


def _cost(benchmarks: Path, models: Sequence[str], *, trained: Sequence[str]) -> dict[str, float]:
    """Seconds of one training and of the maps of one model in all fusions, and the largest memory of a job in MiB."""
    fitted = pd.DataFrame([each for model in trained for each in job_figures(benchmarks / FITTED.format(model=model))])
    paths = [path for model in models for path in sorted((benchmarks / MAPPED.format(model=model)).glob("*.tsv"))]
    mapped = pd.DataFrame([each for path in paths for each in job_figures(path)])
    return {
        "train_seconds": _sum(fitted, "seconds") / len(models),
        "train_memory_mb": _most(fitted, "memory_mb"),
        "maps_seconds": _sum(mapped, "seconds") / len(models),
        "maps_memory_mb": _most(mapped, "memory_mb"),
    }


def _sum(jobs: pd.DataFrame, column: str) -> float:
    return float(jobs[column].sum(min_count=1)) if len(jobs) else math.nan


def _most(jobs: pd.DataFrame, column: str) -> float:
    return float(jobs[column].max()) if len(jobs) else math.nan


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
