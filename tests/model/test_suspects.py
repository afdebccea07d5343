"""Suspected label errors: sure and wrong, away from the border of the truth, and no more than a patch may give."""

import numpy as np
import pytest

from pipeline.geometry import Box
from pipeline.model.suspects import LEAST, MOST, NEAR, suspects_of

SIZE = (60, 80)


def planes(*boxes: Box, value: float = 1.0, ground: float = 0.0) -> np.ndarray:
    found = np.full((1, *SIZE), ground, np.float32)
    for box in boxes:
        found[0][box.slices] = value
    return found


def found_in(p, truth, known=None, sure=0.9):
    return suspects_of(p, truth.astype(bool), np.ones(truth.shape, bool) if known is None else known, sure=sure)


def test_a_region_that_the_truth_lacks_is_unmarked_and_one_that_the_model_misses_is_unseen() -> None:
    lone, drawn = Box(5, 5, 9, 12), Box(40, 50, 50, 60)
    unmarked, unseen = found_in(planes(lone, value=0.99, ground=0.01), planes(drawn))
    assert (unmarked.kind, unmarked.box, unmarked.area) == ("unmarked", lone, 28)
    assert (unseen.kind, unseen.box, unseen.area) == ("unseen", drawn, 100)
    assert unmarked.surprise == pytest.approx(-28 * np.log(0.01), rel=1e-5)
    assert unmarked.probability == pytest.approx(0.99)
    assert unseen.surprise == pytest.approx(-100 * np.log(0.01), rel=1e-5)


def test_nothing_is_in_doubt_where_the_model_is_right_or_unsure() -> None:
    box = Box(20, 20, 30, 30)
    assert found_in(planes(box, value=0.99), planes(box)) == []
    assert found_in(planes(box, value=0.89), planes()) == []
    almost = planes(box, value=0.05)
    almost[0, 25, 25] = 0.2  # somewhere in the lesion it is not sure that there is none
    assert found_in(almost, planes(box)) == []


@pytest.mark.parametrize(("gap", "count"), [(0, 0), (NEAR - 1, 0), (NEAR, 1)])
def test_what_is_near_the_truth_is_a_matter_of_the_border(gap: int, count: int) -> None:
    truth = planes(Box(20, 20, 30, 30))
    p = np.maximum(truth, planes(Box(20, 30 + gap, 30, 36 + gap)))
    assert len(found_in(p, truth)) == count


def test_unknown_pixels_and_specks_are_in_no_doubt() -> None:
    box = Box(5, 5, 15, 15)
    assert found_in(planes(box), planes(), known=np.zeros((1, *SIZE), bool)) == []
    assert found_in(planes(Box(5, 5, 6, 5 + LEAST - 1)), planes()) == []


def test_the_most_surprising_regions_of_a_patch_are_kept() -> None:
    boxes = [Box(5 + 12 * at, 5, 9 + 12 * at, 10 + 4 * at) for at in range(MOST + 1)]
    found = found_in(planes(*boxes), planes())
    assert [each.box for each in found] == boxes[:0:-1]
