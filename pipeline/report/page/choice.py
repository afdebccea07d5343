"""Choice of the result that a page shows in full, by the rule of `pipeline.config.shown`, and the best one in validation."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from pipeline import stores
from pipeline.config.manifest import DatasetRecord
from pipeline.report.measures.average_words import average_words, named_measure
from pipeline.report.measures.out_of_fold import OUT_OF_FOLD, read_measures
from pipeline.report.measures.summary import OVER_CLASSES, OVER_LESIONS, average_of
from pipeline.report.paths import Result

__all__ = ["MEASURED_SPLITS", "Choice", "choose", "summaries_of", "validated_alike"]

MEASURED_SPLITS = ("test", "validation", OUT_OF_FOLD)
"""In the order of a page."""

CLEAR = 0.02
"""Dice by which another result is clearly better in validation."""


@dataclass(frozen=True, slots=True)
class Choice:
    """Result that the page shows in full."""

    result: Result
    reason: str
    average: str
    """The average shown with it."""
    better: str = ""
    """A sentence on a result that was clearly better in validation; empty without one."""


def summaries_of(results: Sequence[Result]) -> dict[str, pd.DataFrame]:
    """Summary tables of classes and averages, by name of the result, with splits as `MEASURED_SPLITS` names them."""
    return {result.name: read_measures(result.metrics_classes, result) for result in results}


def validated_alike(results: Sequence[Result]) -> bool:
    """Test for comparable results: whether all were validated on the same images, unlike models of different folds."""
    tables = (stores.read_table(result.metrics_images) for result in results)
    held = {frozenset(table.loc[table["split"] == "validation", "image_id"].astype(str)) for table in tables}
    return len(held - {frozenset()}) <= 1


def choose(
    results: Sequence[Result],
    summaries: Mapping[str, pd.DataFrame],
    *,
    shown: tuple[str, str],
    record: DatasetRecord,
    alike: bool = True,
) -> Choice | None:
    """Result to show in full, and a sentence on it and on the best one in validation; None without results.

    Parameters
    ----------
    results
        Every model and fusion.
    summaries
        Name of a result → its table of classes and averages.
    shown
        Model and fusion that the configuration shows first.
    record
        Classes, for the words.
    alike
        Whether all were validated on the same images; else the sentence says that their scores do not rank them.
    """
    if not results:
        return None
    chosen = next((each for each in results if (each.model, each.fusion) == shown), results[0])
    said = f"Shown in full: {chosen.name}, which pages of images, lesionmap view and predict show first, too."
    for average in (OVER_LESIONS, OVER_CLASSES):
        scores = {each.name: _validated(summaries[each.name], average=average) for each in results}
        ranked = {name: score for name, score in scores.items() if not math.isnan(score)}
        if ranked:
            dice = named_measure("Dice", average_words(average, record))
            dice += "," if "," in dice else ""  # The second one of a pair around the words for the average.
            scored = _best(ranked, chosen=chosen.name, dice=dice, alike=alike)
            clear = alike and max(ranked.values()) - ranked.get(chosen.name, 0.0) > CLEAR
            return Choice(chosen, said, average, scored) if clear else Choice(chosen, f"{said} {scored}", average)
    return Choice(chosen, f"{said} Nothing could be validated.", OVER_LESIONS)


def _validated(summary: pd.DataFrame, *, average: str) -> float:
    split = OUT_OF_FOLD if (summary["split"] == OUT_OF_FOLD).any() else "validation"
    return average_of(summary, split=split, average=average, measure="dice_pooled")


def _best(ranked: Mapping[str, float], *, chosen: str, dice: str, alike: bool) -> str:
    own = ranked.get(chosen, math.nan)
    if not alike:
        said = "" if math.isnan(own) else f"Pooled over its validation images, {dice} is {own:.3f}. "
        return f"{said}Models of different folds were validated on different images, which ranks none."
    best = max(ranked, key=lambda name: ranked[name])
    if len(ranked) == 1 or own == ranked[best]:
        return f"Pooled over its validation images, {dice} is {ranked[best]:.3f}{', the highest' if len(ranked) > 1 else ''}."
    other = f"has {own:.3f}" if not math.isnan(own) else "was not validated"
    return f"Pooled over validation images, {dice} is highest for {best}, {ranked[best]:.3f}; {chosen} {other}."
