"""Index rows for training and for validation of a model.

Training takes the rows drawn for the split ``train``, validation the grid of the split ``validation``. Grid rows
without field of view or tissue are left out, as in inference.

With a fold k, the rows of fold k validate, and all other rows of both splits train. A guided or balanced sampling has
an index for each fold, with that fold as split ``validation``; an index drawn for the splits is refused with a fold.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from pipeline.errors import ModelError
from pipeline.model.order import Sides
from pipeline.words import LEARNED_SPLITS

__all__ = ["Rows", "choose_rows", "soft_sides", "truth_pixels"]


@dataclass(frozen=True, slots=True)
class Rows:
    """Training and validation rows of the index, in its order."""

    training: pd.DataFrame
    """At least one."""
    validation: pd.DataFrame
    """May be empty; then the last epoch is kept."""


def choose_rows(index: pd.DataFrame, *, fold: int) -> Rows:
    """Training and validation rows of an index, by split or by fold.

    Parameters
    ----------
    index
        Table of patches.
    fold
        Fold that validates; -1 for the split ``validation``.

    Raises
    ------
    ModelError
        No rows can train, or the sampling has no rows to validate the fold.
    """
    rows = index[_useful(index)]
    chosen = _by_split(rows) if fold < 0 else _by_fold(rows, fold)
    if chosen.training.empty:
        counts = index["split"].value_counts().to_dict()
        raise ModelError(
            "No patch to learn from.",
            where="model.rows",
            found=f"rows per split: {counts}",
            expected="at least one row to train on",
            remedy="Check the splits (raw), the sampling (index), and the fold of this model.",
        )
    return chosen


def _useful(index: pd.DataFrame) -> pd.Series:
    return (index["roi_fraction"] > 0) | (index["strategy"] != "grid")


def _by_split(rows: pd.DataFrame) -> Rows:
    return Rows(rows[rows["split"] == "train"], rows[rows["split"] == "validation"])


def _by_fold(rows: pd.DataFrame, fold: int) -> Rows:
    mine = rows[rows["split"].isin(LEARNED_SPLITS)]
    if (validates := mine["split"] == "validation").any() and (validates == (mine["fold"] == fold)).all():
        return _by_split(rows)  # The sampling was drawn for this fold.
    drawn = mine[mine["strategy"] != "grid"]
    if len(drawn):
        raise ModelError(
            "This sampling cannot be divided by folds.",
            where="model.models.*.fold",
            found=f"fold {fold}, and {len(drawn)} rows of strategy {drawn['strategy'].iloc[0]}",
            expected="grid rows only, which can train as well as validate",
            remedy="Draw the sampling for this fold (index.samplings.*.fold), or use fold -1.",
        )
    held = mine["fold"] == fold
    if not held.any():
        raise ModelError(
            "No patch belongs to the fold.",
            where="model.models.*.fold",
            found=f"fold {fold}",
            expected=f"one of {sorted(set(mine['fold']))}",
            remedy="Set raw.folds, or fold -1 for the splits.",
        )
    return Rows(mine[~held], mine[held])


def truth_pixels(rows: pd.DataFrame, *, codes: Iterable[str]) -> int:
    """Truth pixels of some classes in all rows together."""
    columns = [f"pixels_{code}" for code in codes]
    return int(rows[columns].clip(lower=0).to_numpy(dtype="int64").sum())


def soft_sides(rows: pd.DataFrame, *, notes: Mapping[str, Any]) -> Sides | None:
    """Sides and their ratio in batches for a soft balanced sampling; None where the rows have the ratio or need none.

    Parameters
    ----------
    rows
        Training rows.
    notes
        Metadata of the index.
    """
    config = notes.get("config", {})
    positive = rows["is_positive"].to_numpy(bool)
    if not config.get("soft") or not all(config["ratio"]) or positive.all() or not positive.any():
        return None
    return Sides(np.flatnonzero(positive), np.flatnonzero(~positive), (config["ratio"][0], config["ratio"][1]))
