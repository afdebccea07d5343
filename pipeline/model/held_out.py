"""Held-out images: those that a model was not trained on, used to choose thresholds and measure scores.

A model of the split ``validation`` (fold −1) is trained on ``train``; a model of fold k on all of ``train`` and
``validation`` except the images of fold k. No model is trained on images of split ``test``, and nothing is chosen on
them.
"""

from collections.abc import Collection, Mapping

import pandas as pd

from pipeline.words import LEARNED_SPLITS

__all__ = [
    "false_positive_sources",
    "held_out",
    "learned_images",
    "listed_images",
    "measured_images",
    "measured_sources",
    "measured_split",
    "threshold_sources",
    "unseen_by",
]


def held_out(images: pd.DataFrame, *, fold: int) -> tuple[str, ...]:
    """Held-out images of a model, which validate it, as ids in text order.

    Parameters
    ----------
    images
        ``raw/images.parquet``: ``image_id``, ``split``, and ``fold`` where folds are used.
    fold
        Fold of the model; −1 for the split validation.
    """
    validates = images["split"] == "validation"
    if fold >= 0:
        validates = images["split"].isin(LEARNED_SPLITS) & (images["fold"] == fold)
    return tuple(sorted(images.loc[validates, "image_id"].astype(str)))


def learned_images(images: pd.DataFrame, *, folds: Collection[int]) -> tuple[str, ...]:
    """Images that a model or any member of an ensemble was trained on, as ids in text order.

    Parameters
    ----------
    images
        ``raw/images.parquet``.
    folds
        Fold of the model, or of each member; −1 for the split validation.
    """
    may = set(images.loc[images["split"].isin(LEARNED_SPLITS), "image_id"].astype(str))
    return tuple(sorted(set().union(*(may - set(held_out(images, fold=fold)) for fold in set(folds)))))


def measured_split(
    images: pd.DataFrame, *, folds: Collection[int], out_of_fold: Collection[int] = ()
) -> "pd.Series[str]":
    """Split that each image counts in when a model, or an ensemble of models, is measured.

    Parameters
    ----------
    images
        ``raw/images.parquet``.
    folds
        Fold of the model, or of each member of an ensemble. Where folds differ, some member has seen every image
        outside the test split, so nothing validates the ensemble as a whole.
    out_of_fold
        Folds whose images still validate such an ensemble, with the maps of members that had not seen them.

    Returns
    -------
    Series
        ``validation`` for held-out images, ``train`` for images trained on, else as in the table.
    """
    split = images["split"].astype(str)
    learned, different = split.isin(LEARNED_SPLITS), set(folds)
    validating = different if len(different) == 1 else set(out_of_fold)
    validates = {image for fold in validating for image in held_out(images, fold=fold)}
    return split.mask(learned, "train").mask(images["image_id"].astype(str).isin(validates), "validation")


def threshold_sources(images: pd.DataFrame, *, name: str, members: Mapping[str, int]) -> tuple[tuple[str, str], ...]:
    """Maps on which thresholds are chosen, as pairs of a model and an image that it was not trained on.

    Parameters
    ----------
    images
        ``raw/images.parquet``.
    name
        Model or ensemble.
    members
        Model → its fold, for each member. With members of several folds no image is new to the ensemble, so each member
        gives the maps of the images that it did not see.
    """
    folds = set(members.values())
    sources = members if len(folds) > 1 else {name: next(iter(folds))}
    return tuple((model, image) for model, fold in sources.items() for image in held_out(images, fold=fold))


def listed_images(images: pd.DataFrame, *, folds: Collection[int]) -> tuple[str, ...]:
    """Images whose false positives may be listed as hard negatives, as ids in text order; never those of split ``test``.

    Parameters
    ----------
    images
        ``raw/images.parquet``.
    folds
        Fold of the model, or of each member of an ensemble. Without folds the result is the images of split ``train``,
        which the model was trained on; with folds, the images that these hold out, on which models of other folds are
        trained.
    """
    numbers = {fold for fold in folds if fold >= 0}
    if not numbers:
        return tuple(sorted(images.loc[images["split"] == "train", "image_id"].astype(str)))
    return tuple(sorted(set().union(*(held_out(images, fold=fold) for fold in numbers))))


def false_positive_sources(
    images: pd.DataFrame, *, name: str, members: Mapping[str, int]
) -> tuple[tuple[str, str], ...]:
    """Maps whose false positives are listed, as pairs of a model and an image, see `listed_images`.

    Parameters
    ----------
    images
        ``raw/images.parquet``.
    name
        Model or ensemble.
    members
        Model → its fold, for each member. With folds each image gets the maps of the members that did not see it.
    """
    of_folds = {model: fold for model, fold in members.items() if fold >= 0}
    if not of_folds:
        return tuple((name, image) for image in listed_images(images, folds=()))
    # An ensemble whose members hold out the same images counts as a whole.
    sources = {name: next(iter(of_folds.values()))} if len(set(members.values())) == 1 else of_folds
    return tuple((model, image) for model, fold in sources.items() for image in held_out(images, fold=fold))


def measured_images(
    images: pd.DataFrame, *, folds: Collection[int], splits: Collection[str], out_of_fold: Collection[int] = ()
) -> tuple[str, ...]:
    """Images that a model is measured on, as ids in text order: images of the predicted splits that it did not see.

    Parameters
    ----------
    images
        ``raw/images.parquet``.
    folds
        Fold of the model, or of each member of an ensemble.
    splits
        Splits whose images have maps.
    out_of_fold
        Folds whose images validate an ensemble of several folds, see `measured_split`.
    """
    split = measured_split(images, folds=folds, out_of_fold=out_of_fold)
    return tuple(sorted(images.loc[split.isin({"validation", "test"} & set(splits)), "image_id"].astype(str)))


def measured_sources(
    images: pd.DataFrame,
    *,
    name: str,
    folds: Collection[int],
    out_of_fold: Mapping[str, int],
    splits: Collection[str],
) -> tuple[tuple[str, str], ...]:
    """Maps on which scores are measured, as pairs of a model and an image, each image once, in text order.

    Parameters
    ----------
    images
        ``raw/images.parquet``.
    name
        Model or ensemble; it gives the maps of the test images and of those that all its members hold out.
    folds
        Its fold, or that of each member.
    out_of_fold
        Model → fold, for models that give the maps of the images of their folds; empty where there is one fold.
    splits
        Splits whose images have maps.
    """
    members = unseen_by(images, out_of_fold)
    measured = measured_images(images, folds=folds, splits=splits, out_of_fold=out_of_fold.values())
    return tuple((members.get(image, name), image) for image in measured)


def unseen_by(images: pd.DataFrame, out_of_fold: Mapping[str, int]) -> dict[str, str]:
    """Image → the model that had not seen it, of models that hold out different folds."""
    return {image: model for model, fold in out_of_fold.items() for image in held_out(images, fold=fold)}
