"""Rows that train and rows that validate."""

import pandas as pd
import pytest

from pipeline.errors import ModelError
from pipeline.model.rows import choose_rows, truth_pixels


def table(*rows: tuple[str, str, int, float]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["split", "strategy", "fold", "roi_fraction"])
    return frame.assign(pixels_MA=range(len(frame)), pixels_OD=-1)


DRAWN = table(
    ("train", "guided", 0, 0.9),
    ("train", "guided", 1, 0.0),
    ("validation", "grid", -1, 1.0),
    ("validation", "grid", -1, 0.0),
    ("test", "grid", -1, 1.0),
)
GRID = table(
    ("train", "grid", 0, 0.9),
    ("train", "grid", 1, 0.5),
    ("validation", "grid", 0, 1.0),
    ("validation", "grid", 1, 0.0),
    ("test", "grid", -1, 1.0),
)


def test_splits_decide_without_a_fold_and_grid_rows_outside_the_roi_are_left_out() -> None:
    chosen = choose_rows(DRAWN, fold=-1)
    assert chosen.training.index.tolist() == [0, 1]
    assert chosen.validation.index.tolist() == [2]


def test_a_fold_of_a_grid_holds_its_rows_out_of_both_splits() -> None:
    chosen = choose_rows(GRID, fold=0)
    assert chosen.training.index.tolist() == [1]
    assert chosen.validation.index.tolist() == [0, 2]


@pytest.mark.parametrize("fold", [-1, 0, 1])
def test_no_test_row_is_ever_seen(fold: int) -> None:
    chosen = choose_rows(GRID, fold=fold)
    assert "test" not in {*chosen.training["split"], *chosen.validation["split"]}
    assert not set(chosen.training.index) & set(chosen.validation.index)


def test_a_fold_of_a_guided_sampling_is_refused_with_the_way_out() -> None:
    with pytest.raises(ModelError, match=r"(?s)guided.*samplings\.\*\.fold"):
        choose_rows(DRAWN, fold=0)


def test_a_sampling_that_was_drawn_for_the_fold_has_its_splits() -> None:
    drawn = table(
        ("train", "guided", 1, 0.0),
        ("train", "balanced", 2, 0.9),
        ("validation", "grid", 0, 1.0),
        ("test", "grid", -1, 1.0),
    )
    chosen = choose_rows(drawn, fold=0)
    assert chosen.training.index.tolist() == [0, 1]
    assert chosen.validation.index.tolist() == [2]
    with pytest.raises(ModelError, match=r"samplings\.\*\.fold"):
        choose_rows(drawn, fold=1)


def test_a_fold_that_nobody_has_names_those_that_exist() -> None:
    with pytest.raises(ModelError, match=r"\[0, 1\]"):
        choose_rows(GRID, fold=7)


def test_nothing_to_learn_from_is_an_error() -> None:
    with pytest.raises(ModelError, match="No patch to learn from"):
        choose_rows(GRID[GRID["split"] == "test"], fold=-1)


def test_unknown_counts_are_no_negative_truth() -> None:
    assert truth_pixels(GRID, codes=("MA", "OD")) == 0 + 1 + 2 + 3 + 4
    assert truth_pixels(GRID.head(0), codes=("MA", "OD")) == truth_pixels(GRID, codes=("OD",)) == 0
