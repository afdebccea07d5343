"""Choice of the result that a page shows in full: made on validation images alone."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from pipeline import stores
from pipeline.report.measures.summary import OVER_CLASSES, OVER_LESIONS, average_of
from pipeline.report.paths import Result

__all__ = ["MEASURED_SPLITS", "Choice", "choose", "summaries_of", "validated_alike"]

MEASURED_SPLITS = ("test", "validation")
"""In the order in which a page shows them."""


@dataclass(frozen=True, slots=True)
class Choice:
    """Result that the page shows in full."""

    result: Result
    reason: str
    average: str
    """The average that it was chosen by."""


def summaries_of(results: Sequence[Result]) -> dict[str, pd.DataFrame]:
    """Summary tables of classes and averages, by name of the result."""
    return {result.name: stores.read_table(result.metrics_classes) for result in results}


def validated_alike(results: Sequence[Result]) -> bool:
    """Comparable results: whether all that were validated were so on the same images; models of different folds are not."""
    tables = (stores.read_table(result.metrics_images) for result in results)
    held = {frozenset(table.loc[table["split"] == "validation", "image_id"].astype(str)) for table in tables}
    return len(held - {frozenset()}) <= 1


def choose(results: Sequence[Result], summaries: Mapping[str, pd.DataFrame], *, alike: bool = True) -> Choice | None:
    """Best result, of the highest validation Dice; where nothing was validated, the first one.

    Where results were not validated ``alike``, the reason says that their scores do not rank them.
    """
    if not results:
        return None
    for average in (OVER_LESIONS, OVER_CLASSES):
        scores = [
            average_of(summaries[each.name], split="validation", average=average, measure="dice_pooled")
            for each in results
        ]
        ranked = [score for score in scores if not math.isnan(score)]
        if ranked:
            best = results[scores.index(max(ranked))]
            reason = (
                f"Shown in full: {best.name}, of the highest pooled validation Dice ({average}, {max(ranked):.3f})."
            )
            reason += (
                "" if alike else " Models of different folds were validated on different images, which ranks none."
            )
            return Choice(best, f"{reason} Test images had no part in this choice.", average)
    return Choice(
        results[0], f"Shown in full: {results[0].name}, the first, because nothing could be validated.", OVER_LESIONS
    )
