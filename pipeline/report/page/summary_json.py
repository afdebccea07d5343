"""Summary of a report as JSON: headline figures with intervals, trivial answers beside them, extremes, warnings.

It repeats values of the Parquet tables beside it, in one file; the same run gives the same bytes.
"""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.report.measures.summary import COMPARED, average_of, on_grid
from pipeline.report.page.facts import Facts
from pipeline.report.page.sections.overlays import scores_of
from pipeline.report.page.tables.results import extremes
from pipeline.stores.documents import write_json

__all__ = ["HEADLINE", "summary_content", "write_summary_json"]

HEADLINE = (
    "dice_pooled",
    "dice_everywhere_pooled",
    "dice_nowhere_pooled",
    "iou_pooled",
    "ap_pooled",
    "aupr11_pooled",
    "dice_image_mean",
    "lesion_sensitivity_pooled",
    "lesion_precision_pooled",
    "lesion_f1_pooled",
    "false_lesions_per_image",
)
"""Measures in the file, of `pipeline.report.measures.summary.MEASURES`; the two in ``dice_*where`` are of trivial answers."""


def summary_content(facts: Facts, row: Mapping[str, Any]) -> dict[str, Any]:
    """Content of ``summary.json``.

    Parameters
    ----------
    facts
        Of the data set.
    row
        Of ``page.SUMMARY_FIELDS``, which comes first.

    Returns
    -------
    dict
        ``row`` without its picture; ``grid``; ``measures``: class code or name of an average → measure → ``value``,
        ``low``, ``high`` of the shown result on ``split`` and ``grid``; ``compared``: result → its main averages there;
        ``extremes``: best, median and worst image; ``warnings``; ``provenance``. Undefined values are null.
    """
    named = extremes(scores_of(facts), split=facts.split)
    return {
        **{
            name: _plain(value) if isinstance(value, float) else value
            for name, value in row.items()
            if name != "thumbnail"
        },
        "grid": facts.grid if facts.split else "",
        "measures": _measures(facts),
        "compared": {name: _averages(facts, name) for name in facts.summaries} if facts.split else {},
        "extremes": {name: {"image": each.image, "dice": _plain(each.dice)} for name, each in named.items()},
        "warnings": [
            {"kind": each.kind, "class": each.code, "serious": each.serious, "count": each.count, "said": each.advice}
            for each in facts.warnings
        ],
        "provenance": facts.provenance.as_attributes(),
    }


def write_summary_json(facts: Facts, row: Mapping[str, Any], output: Path) -> None:
    """File ``summary.json``, written; parameters as of `summary_content`."""
    write_json(summary_content(facts, row), output)


def _plain(value: float) -> float | None:
    return None if math.isnan(value) else value


def _measures(facts: Facts) -> dict[str, dict[str, dict[str, float | None]]]:
    if facts.choice is None or not facts.split:
        return {}
    summary = facts.summaries[facts.choice.result.name]
    rows = on_grid(summary[(summary["split"] == facts.split) & summary["measure"].isin(HEADLINE)], facts.grid)
    found: dict[str, dict[str, dict[str, float | None]]] = {}
    for row in rows.to_dict("records"):
        values = {name: _plain(float(row[name])) for name in ("value", "low", "high")}
        found.setdefault(str(row["class_code"]) or str(row["average"]), {})[str(row["measure"])] = values
    return found


def _averages(facts: Facts, name: str) -> dict[str, float | None]:
    """Main averages of a result; none for measures on another grid."""
    return {
        text: _plain(
            average_of(facts.summaries[name], split=facts.split, average=average, measure=measure, grid=facts.grid)
        )
        for text, average, measure in COMPARED
    }
