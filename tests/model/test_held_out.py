"""What a model did not learn from may choose its thresholds, and nothing else may."""

import pandas as pd
import pytest

from pipeline.model.held_out import (
    false_positive_sources,
    held_out,
    learned_images,
    listed_images,
    measured_sources,
    measured_split,
)

TABLE = pd.DataFrame(
    {
        "image_id": ["d", "c", "b", "a", "t", "p"],
        "split": pd.Categorical(["train", "train", "validation", "train", "test", "predict"]),
        "fold": [0, 1, 1, 0, -1, -1],
    }
)


@pytest.mark.parametrize(("fold", "expected"), [(-1, ("b",)), (0, ("a", "d")), (1, ("b", "c")), (2, ())])
def test_a_fold_holds_out_its_images_of_both_splits(fold, expected):
    assert held_out(TABLE, fold=fold) == expected


@pytest.mark.parametrize(
    ("folds", "validates"), [((-1,), "b"), ((-1, -1), "b"), ((0,), "da"), ((0, 0), "da"), ((0, 1), ""), ((-1, 0), "")]
)
def test_what_a_member_has_seen_validates_no_ensemble(folds, validates):
    split = dict(zip(TABLE["image_id"], measured_split(TABLE, folds=folds), strict=True))
    assert [image for image in split if split[image] == "validation"] == list(validates)
    assert (split["t"], split["p"]) == ("test", "predict")
    assert {split[image] for image in "abcd" if image not in validates} <= {"train"}


@pytest.mark.parametrize(
    "members",
    [{"m": 0}, {"a": 0, "b": 0}, {"a": 0, "b": 1}, {"a": 1, "b": 0, "c": 0}, {"a": -1, "b": 0}],
)
def test_with_folds_no_false_positive_comes_from_a_map_of_a_model_that_trained_on_the_image(members):
    sources = false_positive_sources(TABLE, name="m", members=members)
    assert {image for _, image in sources} == set(listed_images(TABLE, folds=members.values())) != set()
    for model, image in sources:
        folds = [members[model]] if model in members else members.values()
        assert image not in learned_images(TABLE, folds=folds)
        assert image not in {"t", "p"}


def test_an_ensemble_of_folds_is_measured_on_each_image_once_by_a_model_that_had_not_seen_it():
    kinds = {"name": "m", "folds": (0, 1), "out_of_fold": {"a": 0, "b": 1}}
    found = measured_sources(TABLE, splits=("validation", "test"), **kinds)
    assert found == (("a", "a"), ("b", "b"), ("b", "c"), ("a", "d"), ("m", "t"))
    assert measured_sources(TABLE, splits=("test",), **kinds) == (("m", "t"),)
    assert measured_sources(TABLE, splits=("validation", "test"), **(kinds | {"out_of_fold": {}})) == (("m", "t"),)


def test_a_model_is_measured_on_its_own_maps():
    found = measured_sources(TABLE, name="m", folds=(1,), out_of_fold={}, splits=("validation", "test"))
    assert found == (("m", "b"), ("m", "c"), ("m", "t"))


def test_without_folds_false_positives_are_those_of_the_training_images():
    for members in ({"m": -1}, {"a": -1, "b": -1}):
        assert false_positive_sources(TABLE, name="m", members=members) == (("m", "a"), ("m", "c"), ("m", "d"))
