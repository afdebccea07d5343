"""Measures in the folder of a model: its scores, those of trivial answers, and warnings.

They lie beside ``card.json``, which stays unchanged after training, because maps record its digest.
"""

import math
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline.raw.data_warnings import DataWarning
from pipeline.report.measures.summary import on_grid
from pipeline.stores.documents import write_json
from pipeline.stores.model_files import measures_file

__all__ = ["model_measures", "write_model_measures"]

SCORES = (
    "dice_pooled",
    "dice_everywhere_pooled",
    "dice_nowhere_pooled",
    "iou_pooled",
    "ap_pooled",
    "dice_image_mean",
    "dice_everywhere_image_mean",
)


def model_measures(summary: pd.DataFrame, warnings: Sequence[DataWarning]) -> dict[str, Any]:
    """Scores of one model and fusion on the grid of the normalised images, as JSON values.

    Parameters
    ----------
    summary
        Rows of `measures.summary.SUMMARY_COLUMNS`.
    warnings
        Warnings for the reader.

    Returns
    -------
    dict
        ``splits``: split → class code or name of an average → measure → value, null where undefined; ``warnings``.
    """
    rows = on_grid(summary)
    splits: dict[str, dict[str, dict[str, float | None]]] = {}
    for row in rows[rows["measure"].isin(SCORES)].to_dict("records"):
        place = splits.setdefault(str(row["split"]), {}).setdefault(str(row["class_code"] or row["average"]), {})
        place[str(row["measure"])] = None if math.isnan(row["value"]) else float(row["value"])
    return {"splits": splits, "warnings": [each.advice for each in warnings]}


def write_model_measures(
    folder: Path,
    summary: pd.DataFrame,
    warnings: Sequence[DataWarning],
    *,
    fusion: str,
    provenance: Mapping[str, Any],
    members: Collection[str] = (),
) -> None:
    """Measures written as ``measures.{fusion}.json`` into the folder of a model, if it exists.

    ``members`` are those that validated it out of fold; the file lists them as ``out_of_fold``, if any.
    """
    if folder.is_dir():
        apart = {"out_of_fold": sorted(set(members))} if members else {}
        content = {**model_measures(summary, warnings), **apart, "provenance": dict(provenance)}
        write_json(content, measures_file(folder, fusion=fusion))
