"""Evaluated images of a model: those of validation and test that it was not trained on, in the order of the tables."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

import pandas as pd

from pipeline.model.held_out import measured_split
from pipeline.words import EVALUATED_SPLITS

__all__ = ["EvaluatedImage", "evaluated_images"]


@dataclass(frozen=True)
class EvaluatedImage:
    """One image that a model is measured on."""

    image_id: str
    group_id: str
    split: str
    """``validation`` or ``test``, as it counts for the model."""
    annotated: tuple[str, ...]
    """Classes that somebody annotated in it, present or not."""


def evaluated_images(
    images: pd.DataFrame, *, codes: Sequence[str], folds: Collection[int], out_of_fold: Collection[int] = ()
) -> Iterator[EvaluatedImage]:
    """Evaluated images of a model or an ensemble, by split and id in text order.

    Parameters
    ----------
    images
        ``raw/images.parquet``.
    codes
        Classes of the data set.
    folds
        Fold of the model, or of each member of the ensemble, see `measured_split`.
    out_of_fold
        Folds whose images validate an ensemble of several, by maps of members that had not seen them.
    """
    counted = images.assign(split=measured_split(images, folds=folds, out_of_fold=out_of_fold))
    chosen = counted[counted["split"].isin(EVALUATED_SPLITS)].sort_values(["split", "image_id"])
    for row in chosen.to_dict("records"):
        annotated = tuple(code for code in codes if row[f"pixels_{code}"] >= 0)
        yield EvaluatedImage(str(row["image_id"]), str(row["group_id"]), str(row["split"]), annotated)
