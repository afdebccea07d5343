"""What a model did not learn from may choose its thresholds, and nothing else may."""

import pandas as pd
import pytest

from pipeline.model.held_out import held_out, measured_split

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
