"""Page of experiments with its tables: for each comparison the arms, their differences, and the limits of these.

Like the pages of data sets it opens from disk and loads only the pictures and the script of charts beside it.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline.config.manifest import DatasetRecord
from pipeline.counts import first_names, number_of
from pipeline.report.experiments import ArmTables, experiment_tables, read_arm, write_tables
from pipeline.report.measures.intervals import LEAST_GROUPS
from pipeline.report.measures.summary import OVER_LESIONS
from pipeline.report.page.render import render
from pipeline.report.page.tables.experiments import (
    IMAGE_MEASURES,
    arms_table,
    class_tables,
    difference_table,
    image_difference_table,
    published_table,
)
from pipeline.report.pictures.differences import differences_plot
from pipeline.report.pictures.figures import results_compared
from pipeline.report.pictures.store_pictures import Shot
from pipeline.stores.atomic import folder_in_progress
from pipeline.stores.provenance import Provenance

__all__ = ["statements", "write_experiments"]

MEASURED = ("test", "validation")
NAMED = 6
"""Most arms of a number of steps that are named."""

STUDY_ENCODER = "efficientnet-b0 (imagenet)"


def statements(
    results: pd.DataFrame,
    *,
    seeds: Sequence[int],
    folds: int,
    encoders: Sequence[str],
    sample: bool,
    other_pixels: bool = False,
) -> list[str]:
    """Sentences on what the figures of a comparison can and cannot show.

    Parameters
    ----------
    results
        Rows of its arms.
    seeds
        Seeds that each arm was trained with.
    folds
        Number of folds; 0 for none.
    encoders
        Encoders of the arms, each with the source of its weights in brackets.
    sample
        Whether the images are synthetic.
    other_pixels
        Whether arms were measured on different grids: slides, rescaled differently.
    """
    said = [_steps_said(results)]
    said += _grids_said(results, other_pixels=other_pixels)
    said.append(
        f"{'Encoders' if len(encoders) > 1 else 'Encoder'}, with the source of the weights: {', '.join(encoders)}."
    )
    if set(encoders) != {STUDY_ENCODER}:
        said[-1] += f" The study's is {STUDY_ENCODER}, whose weights a hub holds."
    models = int(results["models"].max())
    kinds = [number_of(len(seeds), "seed")] * (len(seeds) > 1) + [number_of(folds, "fold")] * bool(folds)
    said.append(
        f"Each arm is the mean of {models} models ({' times '.join(kinds)}); the spread is their standard deviation."
        if models > 1
        else "One training an arm: how much another seed would change is not known, and a difference may be no more than that."
    )
    for split, own in results.groupby("split", sort=False):
        images, groups = int(own["images"].max()), int(own["groups"].max())
        said.append(
            f"Groups (patients) in {split}: {groups}, images: {images}; "
            + (
                "intervals are bootstraps over groups; they leave out how trainings vary."
                if groups >= LEAST_GROUPS
                else "below 10 groups there is no interval. Each image's difference is shown, and other patients may differ."
            )
        )
    if "test" in set(results["split"]):
        said.append("Validation images chose the weights and the thresholds; only the test images are independent.")
    else:
        said.append("No test image was measured: the figures are of images that chose the weights or the thresholds.")
    if len(set(results["smoothing"])) > 1:
        said.append(
            "Smoothing changes masks, and so Dice; AUPR is of the maps before it, and is the same in arms that differ in smoothing alone."
        )
    if (others := results["arm"].nunique() - 1) > 1:
        said.append(f"{others} arms are held against one: by chance alone the best of so many looks better than it is.")
    return said + (
        ["The images are synthetic: the figures speak of the code, not of eyes or tissue."] if sample else []
    )


def _steps_said(results: pd.DataFrame) -> str:
    arms = results.drop_duplicates("arm").groupby(["steps_least", "steps"])["arm"].agg(list)
    numbers = [f"{least:,}" if least == most else f"{least:,} to {most:,}" for least, most in arms.index]
    if len(arms) == 1 and arms.index[0][0] == arms.index[0][1]:
        return f"All arms were trained for the same number of steps: {numbers[0]}."
    each = "; ".join(f"{said} ({first_names(names, most=NAMED)})" for said, names in zip(numbers, arms, strict=True))
    return f"The models were trained for different numbers of steps, so what comes of more steps is in the differences: {each}."


def _grids_said(results: pd.DataFrame, *, other_pixels: bool) -> list[str]:
    if other_pixels:
        text = "Slides are measured on the grid of their normalised image, and these arms rescale them differently"
        return [f"{text}: their figures are of different pixels, and no difference comes of the arms alone."]
    if len(set(results["grid"])) > 1:
        return [
            "All figures and differences are on the grid of the original images; an arm that rescales none has no other."
        ]
    return []


def _splits(results: pd.DataFrame) -> list[str]:
    return [split for split in MEASURED if (results["split"] == split).any()]


def _plots(name: str, tables: ArmTables, record: DatasetRecord, *, split: str, folder: Path) -> list[Shot]:
    own = tables.measures[(tables.measures["split"] == split) & tables.measures["class_code"].isin(record.codes)]
    dice = own[own["measure"] == "dice_pooled"].assign(result=own["arm"])
    spread = dice["spread"].notna()
    dice = dice.assign(
        low=dice["low"].where(~spread, dice["value"] - dice["spread"]),
        high=dice["high"].where(~spread, dice["value"] + dice["spread"]),
    )
    shots = [
        results_compared(dice, record, title=f"Dice per class, {split}", folder=folder, name=f"{name}.classes.{split}")
    ]
    for measure in ("ap", "dice"):
        images, means = (
            each[(each["split"] == split) & (each["measure"] == measure) & (each["class_code"] == OVER_LESIONS)]
            for each in (tables.image_differences, tables.differences)
        )
        if len(means):
            title, file = f"{IMAGE_MEASURES[measure]}, lesions of an image, {split}", f"{name}.{measure}.{split}"
            text = IMAGE_MEASURES[measure]
            shots.append(differences_plot(images, means, title=title, measure=text, folder=folder, name=file))
    return shots


def _section(
    name: str, experiment: Mapping[str, Any], tables: ArmTables, record: DatasetRecord, *, folder: Path
) -> dict[str, Any]:
    """Content of the section of one comparison, its plots written."""
    results, splits, codes = tables.results, _splits(tables.results), record.codes
    base = results.loc[results["base"], "arm"].iloc[0]
    varied = {
        axis: list(dict.fromkeys(arm["levels"][axis] for arm in experiment["arms"]))
        for axis in experiment["arms"][0]["levels"]
    }
    return {
        "name": name,
        "title": record.title,
        "base": base,
        "varied": [(axis, ", ".join(levels)) for axis, levels in varied.items() if len(levels) > 1],
        "kept": [(axis, levels[0]) for axis, levels in varied.items() if len(levels) == 1],
        "arms": results["arm"].nunique(),
        "statements": statements(
            results,
            seeds=experiment["seeds"],
            folds=experiment["folds"],
            encoders=experiment["encoders"],
            sample=record.adaptor == "phantom",
            other_pixels=record.adaptor == "slide" and not experiment["rescaled_alike"],
        ),
        "published": published_table(experiment["published"], tables.measures, split=splits[0], codes=codes),
        "parts": [
            {
                "split": split,
                "arms": arms_table(results, split=split),
                "classes": class_tables(tables.measures, split=split, codes=codes),
                "differences": [
                    difference_table(tables.differences, split=split, measure=measure, codes=codes)
                    for measure in IMAGE_MEASURES
                ],
                "images": [
                    image_difference_table(tables.image_differences, split=split, measure=measure)
                    for measure in IMAGE_MEASURES
                ],
                "shots": _plots(name, tables, record, split=split, folder=folder),
            }
            for split in splits
        ],
    }


def write_experiments(
    experiments: Mapping[str, Mapping[str, Any]],
    *,
    records: Mapping[str, Mapping[str, Any]],
    draws: int,
    results: Path,
    origin: Provenance,
    page: Path,
    figures: Path,
) -> None:
    """Tables and page of all comparisons, written.

    Parameters
    ----------
    experiments
        Name → arms and their facts, see `pipeline.config.depends_experiments`.
    records
        Data set → its facts, as plain values.
    draws
        Bootstrap samples over groups.
    results
        Folder of all results, including those of the arms.
    origin
        Record of origin, with the seed.
    page, figures
        ``results/experiments/index.html`` and the folder of its pictures.
    """
    known = {entry: DatasetRecord.model_validate(record) for entry, record in records.items()}
    tables = {}
    for name, each in experiments.items():
        arms = [read_arm(name, arm, record=known[arm["dataset"]], results=results) for arm in each["arms"]]
        tables[name] = experiment_tables(arms, draws=draws, seed=origin.seed)
    write_tables(list(tables.values()), page.parent, provenance=origin.as_attributes())
    with folder_in_progress(figures, digest=origin.digest) as folder:
        sections = [
            _section(name, each, tables[name], known[each["arms"][0]["dataset"]], folder=folder)
            for name, each in experiments.items()
        ]
    render("experiments.html", {"sections": sections, "folder": figures.name, "seed": origin.seed}, page)
