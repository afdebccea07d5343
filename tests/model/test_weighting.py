"""Class weights: given ones, and those of the pixels of the index."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from pipeline.config import ModelSettings
from pipeline.model.card import read_card
from pipeline.model.rows import choose_rows
from pipeline.model.weighting import class_weights, index_weights


def rows(**pixels: list[int]) -> pd.DataFrame:
    return pd.DataFrame({"height": [100, 100], "width": [50, 50], **pixels})


def test_rare_classes_weigh_more_and_no_weight_exceeds_that_of_an_absent_class() -> None:
    found = index_weights(rows(pixels_MA=[10, 0], pixels_OD=[900, 100], pixels_SE=[0, 0]), codes=("MA", "OD", "SE"))
    shares = {"background": (10_000 - 1010) / 10_000, "MA": 0.001, "OD": 0.1, "SE": 0.0}
    assert found == pytest.approx({code: 1 / np.log(1.02 + share) for code, share in shares.items()})
    assert found["background"] < found["OD"] < found["MA"] < found["SE"] < 51


def test_a_patch_in_which_nobody_looked_for_a_class_says_nothing_of_its_share_nor_of_background() -> None:
    def weights(**pixels: list[int]) -> dict[str, float]:
        return index_weights(rows(**pixels), codes=("MA", "OD"))

    partly = weights(pixels_MA=[50, -1], pixels_OD=[900, 100])
    shares = {"background": 1 - 950 / 5000, "MA": 50 / 5000, "OD": 1000 / 10_000}
    assert partly == pytest.approx({code: 1 / np.log(1.02 + share) for code, share in shares.items()})
    apart = weights(pixels_MA=[50, -1], pixels_OD=[-1, 100])
    shares = {"background": 1 - 150 / 5000, "MA": 50 / 5000, "OD": 100 / 5000}
    assert apart == pytest.approx({code: 1 / np.log(1.02 + share) for code, share in shares.items()})


def test_weights_follow_the_outputs_and_a_class_that_is_not_named_weighs_one(record: Callable) -> None:
    table, given = rows(pixels_MA=[10, 0], pixels_OD=[900, 100]), ModelSettings(class_weights={"OD": 0.2})
    assert list(class_weights(given, rows=table, record=record()).items()) == [
        ("background", 1),
        ("MA", 1),
        ("OD", 0.2),
    ]
    assert class_weights(given, rows=table, record=record("multilabel")) == {"MA": 1, "OD": 0.2}
    assert class_weights(ModelSettings(), rows=table, record=record()) == {}


def test_the_card_holds_the_weights_that_trained(bench: Callable, quick: ModelSettings) -> None:
    tiny = bench()
    folder = tiny.train("out", settings=quick.model_copy(update={"class_weights": "index", "epochs": 1}))
    expected = index_weights(choose_rows(tiny.frame, fold=-1).training, codes=("MA", "OD"))
    assert read_card(folder).class_weights == pytest.approx(expected)
