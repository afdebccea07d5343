"""Measures of the arms of an experiment: mean and spread over models, trivial answers, paired differences.

The models of an arm are its seeds or its folds. A measure of an arm is the mean over its models. A value of an image is
the mean over the models that measured it, so seeds do not count as images.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from pipeline.report.measures.paired import image_differences, on_originals, paired_differences
from pipeline.report.measures.summary import (
    MEASURES,
    NORMALISED,
    ORIGINAL,
    OVER_CLASSES,
    OVER_LESIONS,
    TRIVIAL,
    grids_of,
)

__all__ = [
    "COMPARED_BY_IMAGE",
    "SHORT",
    "ArmResult",
    "arm_differences",
    "arm_images",
    "arm_measures",
    "arm_row",
    "image_table",
]

COMPARED_BY_IMAGE = ("dice", "ap", "aupr11")
"""Measures of an image that are compared between arms."""
SHORT = {OVER_LESIONS: "lesions", OVER_CLASSES: "classes", "mean over classes with background": "all"}
"""Average → its name in columns of the table of arms."""
COLUMNS = tuple(name for name in MEASURES if not name.startswith(("dice_nowhere", "iou_image")))
"""Measures that have columns in the table of arms."""
KEYS = ["split", "image_id", "class_code"]
PLACE = ["split", "class_code", "average", "measure"]
FIELDS = (
    "class_code",
    "measure",
    "images",
    "groups",
    "first",
    "second",
    "difference",
    "low",
    "high",
    "better",
    "worse",
)
"""Fields of a paired difference in the table of differences."""
BOUNDS = ["low", "high"]
COUNTED = ["trivial", "models", "images", "groups"]


@dataclass(frozen=True, slots=True, eq=False)
class ArmResult:
    """Results of the models of one arm."""

    named: Mapping[str, Any]
    """First columns of the rows of the arm: experiment, arm, dataset, levels."""
    images: Sequence[pd.DataFrame]
    """Table of images of each model, ``report/{model}.{fusion}.images.parquet``."""
    summaries: Sequence[pd.DataFrame]
    """Table of classes of each, ``report/{model}.{fusion}.classes.parquet``."""
    lesions: tuple[str, ...]
    """Codes of the classes that averages over lesions are taken over."""
    steps: tuple[int, ...]
    """Steps that each model was trained for."""
    cost: Mapping[str, float]
    """Seconds and memory, as far as known."""


def arm_measures(arm: ArmResult) -> pd.DataFrame:
    """Measures of an arm, a row for each split, class (or average) and measure.

    Returns
    -------
    DataFrame
        Names of the arm, ``split``, ``grid``, ``class_code``, ``average``, ``measure``, ``value`` (mean over models),
        ``spread`` (standard deviation over models, NaN for one), ``low`` and ``high`` (bootstrap 95 % interval over groups,
        of a single model alone), ``trivial`` (the same measure of the answer that marks the whole roi, for Dice),
        ``models``, ``images``, ``groups``. On the grid of the originals, see `paired.on_originals`; ``grid`` is
        ``original`` if any image was rescaled, else ``normalised``, which is then the same.
    """
    tables = [on_originals(each) for each in arm.summaries]
    rows = pd.concat(tables).astype(dict.fromkeys(PLACE, str))
    grouped = rows.groupby(PLACE, sort=False)["value"]
    found = grouped.agg(["mean", "std"]).reset_index().rename(columns={"mean": "value", "std": "spread"})
    alone = len(tables) == 1
    found = found.merge(rows[[*PLACE, *BOUNDS]]) if alone else found.assign(**dict.fromkeys(BOUNDS, math.nan))
    found["trivial"] = _trivial(found)
    counts = _counts(arm)
    found[["images", "groups"]] = [counts[split] for split in found["split"]]
    named = found.assign(**arm.named, grid=_grid(tables), models=len(tables))
    return named[[*arm.named, "split", "grid", *PLACE[1:], "value", "spread", *BOUNDS, *COUNTED]]


def _grid(tables: Sequence[pd.DataFrame]) -> str:
    # With folds one model may have only images that were not rescaled.
    return ORIGINAL if any(ORIGINAL in grids_of(each) for each in tables) else NORMALISED


def _trivial(found: pd.DataFrame) -> list[float]:
    values = found.set_index(PLACE)["value"]
    keys = found[PLACE].itertuples(index=False)
    return [float(values.get((*place, TRIVIAL.get(measure, "")), math.nan)) for *place, measure in keys]


def _counts(arm: ArmResult) -> dict[str, tuple[int, int]]:
    """Split → images and groups that any model was measured on."""
    rows = pd.concat(arm.images).astype({"split": str, "image_id": str, "group_id": str})
    found = rows.groupby("split")[["image_id", "group_id"]].nunique()
    return {str(split): (int(images), int(groups)) for split, images, groups in found.itertuples()}


def arm_row(arm: ArmResult, measures: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """Row of an arm for each split: names, counts, steps, cost, and columns ``{measure}.{class or average}`` with ``….spread``.

    Parameters
    ----------
    arm
        The arm.
    measures
        Its table, see `arm_measures`.
    """
    for split, own in measures.groupby("split", sort=False):
        first = own.iloc[0]
        row = {**arm.named, "split": split, "grid": first["grid"], "models": first["models"]}
        row |= {"images": first["images"], "groups": first["groups"], "steps": max(arm.steps)}
        row |= {"steps_least": min(arm.steps), **arm.cost}
        for each in own[own["measure"].isin(COLUMNS)].to_dict("records"):
            name = f"{each['measure']}.{SHORT.get(each['average'], each['average']) or each['class_code']}"
            row |= {name: each["value"], f"{name}.spread": each["spread"]}
        yield row


def arm_images(arm: ArmResult) -> pd.DataFrame:
    """Values of the images of an arm on the grid of the originals, means over its models, with rows of the mean over lesions.

    Returns
    -------
    DataFrame
        ``split``, ``image_id``, ``class_code``, ``group_id`` and ``COMPARED_BY_IMAGE``; a mean over lesions
        covers the lesion classes in the image and has the name of the average as its class.
    """
    table = _mean_over_models([on_originals(each) for each in arm.images])
    return pd.concat([table, _over_lesions(table, arm.lesions)])


def _mean_over_models(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    rows = pd.concat(tables).astype(dict.fromkeys((*KEYS, "group_id"), str))
    how = {"group_id": "first", **dict.fromkeys(COMPARED_BY_IMAGE, "mean")}
    return rows.groupby(KEYS, sort=False, as_index=False).agg(how)


def _over_lesions(table: pd.DataFrame, lesions: Sequence[str]) -> pd.DataFrame:
    how = {"group_id": "first", **dict.fromkeys(COMPARED_BY_IMAGE, "mean")}
    rows = table[table["class_code"].isin(lesions)].groupby(["split", "image_id"], sort=False, as_index=False).agg(how)
    return rows.assign(class_code=OVER_LESIONS)


def arm_differences(base: ArmResult, arm: ArmResult, *, draws: int, seed: int) -> pd.DataFrame:
    """Paired differences of an arm against the base arm, a row for each split, class (or mean over lesions) and measure.

    Parameters
    ----------
    base, arm
        The arms.
    draws
        Bootstrap samples over groups.
    seed
        Seed of the resampling.

    Returns
    -------
    DataFrame
        Names of the arm, ``split``, ``class_code``, ``measure``, ``images``, ``groups``, ``base_value``, ``value``,
        ``difference`` (mean over images), ``low`` and ``high`` (95 % interval, NaN below 10 groups), ``better``,
        ``worse`` (images).
    """
    found = paired_differences(arm_images(base), arm_images(arm), draws=draws, seed=seed, measures=COMPARED_BY_IMAGE)
    rows = [[each.split, *(getattr(each, name) for name in FIELDS)] for each in found]
    table = pd.DataFrame(rows, columns=["split", *FIELDS]).rename(columns={"first": "base_value", "second": "value"})
    table[BOUNDS] = table[BOUNDS].astype("float64")
    return table.assign(**arm.named)[[*arm.named, *table.columns]]


def image_table(base: ArmResult, arm: ArmResult) -> pd.DataFrame:
    """Differences of an arm against the base arm in each image: ``base_value``, ``value``, ``difference``."""
    found = image_differences(arm_images(base), arm_images(arm), measures=COMPARED_BY_IMAGE)
    named = found.rename(columns={"first": "base_value", "second": "value"})
    return named.assign(**arm.named)[[*arm.named, *named.columns]]
