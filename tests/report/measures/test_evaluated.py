"""Evaluated images: what the model saw is not among them, and a class that nobody annotated is not asked for."""

import pandas as pd

from pipeline.report.measures.evaluated import EvaluatedImage, evaluated_images

TABLE = pd.DataFrame(
    {
        "image_id": ["t2", "d", "c", "t1", "p"],
        "group_id": ["g2", "gd", "gc", "g1", "gp"],
        "split": pd.Categorical(["test", "train", "validation", "test", "predict"]),
        "fold": [-1, 0, 1, -1, -1],
        "pixels_MA": [0, 7, 7, -1, -1],
        "pixels_EX": [3, 0, -1, 0, -1],
    }
)
TEST = [
    EvaluatedImage("t1", "g1", "test", ("EX",)),
    EvaluatedImage("t2", "g2", "test", ("EX", "MA")),
]


def evaluated(*folds: int) -> list[EvaluatedImage]:
    return list(evaluated_images(TABLE, codes=("EX", "MA"), folds=folds))


def test_images_come_by_split_and_id_with_the_classes_that_were_annotated():
    assert evaluated(-1) == [*TEST, EvaluatedImage("c", "gc", "validation", ("MA",))]


def test_a_fold_is_measured_on_its_own_images_and_an_ensemble_of_folds_on_the_test_alone():
    assert evaluated(0) == [*TEST, EvaluatedImage("d", "gd", "validation", ("EX", "MA"))]
    assert evaluated(0, 1) == TEST


def test_an_ensemble_of_folds_is_measured_on_the_images_of_its_members_where_these_speak_for_them():
    found = list(evaluated_images(TABLE, codes=("EX", "MA"), folds=(0, 1), out_of_fold=(0, 1)))
    validation = [("c", "gc", ("MA",)), ("d", "gd", ("EX", "MA"))]
    assert found == [*TEST, *(EvaluatedImage(image, group, "validation", held) for image, group, held in validation)]
