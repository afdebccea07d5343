"""Held-out images: those that a model did not learn from, on which thresholds are chosen and scores are measured.

A model of the split ``validation`` (fold −1) learned from ``train``; a model of fold k learned from all of ``train`` and
``validation`` but the images of fold k. Images of split ``test`` nobody learned from, and nothing is chosen on them.
"""

from collections.abc import Collection, Mapping

import pandas as pd

from pipeline.words import LEARNED_SPLITS

__all__ = ["held_out", "learned_images", "measured_images", "measured_split", "threshold_sources"]


def held_out(images: pd.DataFrame, *, fold: int) -> tuple[str, ...]:
    """Held-out images of a model, those that validate it, as ids in text order.

    Parameters
    ----------
    images
        ``raw/images.parquet``: ``image_id``, ``split``, and ``fold`` where folds are asked for.
    fold
        Fold of the model; −1 for the split validation.
    """
    validates = images["split"] == "validation"
    if fold >= 0:
        validates = images["split"].isin(LEARNED_SPLITS) & (images["fold"] == fold)
    return tuple(sorted(images.loc[validates, "image_id"].astype(str)))


def learned_images(images: pd.DataFrame, *, folds: Collection[int]) -> tuple[str, ...]:
    """Images that a model, or any member of an ensemble, learned from, as ids in text order.

    Parameters
    ----------
    images
        ``raw/images.parquet``.
    folds
        Fold of the model, or of each member; −1 for the split validation.
    """
    may = set(images.loc[images["split"].isin(LEARNED_SPLITS), "image_id"].astype(str))
    return tuple(sorted(set().union(*(may - set(held_out(images, fold=fold)) for fold in set(folds)))))


def measured_split(images: pd.DataFrame, *, folds: Collection[int]) -> "pd.Series[str]":
    """Split that each image counts in when a model, or an ensemble of models, is measured.

    Parameters
    ----------
    images
        ``raw/images.parquet``.
    folds
        Fold of the model, or of each member of an ensemble. Where they differ, every image outside the test was seen
        by some member, so that nothing validates the ensemble as a whole.

    Returns
    -------
    Series
        ``validation`` for held-out images, ``train`` for what was learned from, else as in the table.
    """
    split = images["split"].astype(str)
    learned, different = split.isin(LEARNED_SPLITS), set(folds)
    validates = held_out(images, fold=next(iter(different))) if len(different) == 1 else ()
    return split.mask(learned, "train").mask(images["image_id"].astype(str).isin(validates), "validation")


def threshold_sources(images: pd.DataFrame, *, name: str, members: Mapping[str, int]) -> tuple[tuple[str, str], ...]:
    """Maps that thresholds are chosen on, as pairs of a model and an image that it did not learn from.

    Parameters
    ----------
    images
        ``raw/images.parquet``.
    name
        Model or ensemble.
    members
        Model → its fold, for each member. With members of several folds no image is new to the ensemble, so each
        member speaks for the images that it did not see.
    """
    folds = set(members.values())
    sources = members if len(folds) > 1 else {name: next(iter(folds))}
    return tuple((model, image) for model, fold in sources.items() for image in held_out(images, fold=fold))


def measured_images(images: pd.DataFrame, *, folds: Collection[int], splits: Collection[str]) -> tuple[str, ...]:
    """Images that a model is measured on, as ids in text order: of the predicted splits, those that it did not see.

    Parameters
    ----------
    images
        ``raw/images.parquet``.
    folds
        Fold of the model, or of each member of an ensemble.
    splits
        Splits whose images have maps.
    """
    chosen = measured_split(images, folds=folds).isin({"validation", "test"} & set(splits))
    return tuple(sorted(images.loc[chosen, "image_id"].astype(str)))
