"""Paired differences: image by image, against pandas and the bootstrap of SciPy."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import bootstrap

from pipeline.report.measures.paired import paired_differences
from pipeline.seeds import stream


def table(values: dict[str, float], *, code: str = "MA", split: str = "test", groups: int = 1000) -> pd.DataFrame:
    rows = [
        {
            "split": split,
            "image_id": image,
            "group_id": f"g{int(image[1:]) % groups}",
            "class_code": code,
            "dice": value,
        }
        for image, value in values.items()
    ]
    return pd.DataFrame(rows, columns=["split", "image_id", "group_id", "class_code", "dice"]).assign(ap=math.nan)


GRIDS = {"normalised": 0.25, "original": 0.5}
VALUES = st.dictionaries(st.integers(0, 20), st.floats(0, 1) | st.just(math.nan), max_size=9)


@given(VALUES, VALUES)
def test_only_images_with_both_values_count(first, second):
    one, other = ({f"i{key}": value for key, value in each.items()} for each in (first, second))
    both = sorted(key for key in one.keys() & other.keys() if not math.isnan(one[key] + other[key]))
    found = paired_differences(table(one), table(other))
    assert len(found) == bool(both)
    for each in found:
        change = np.array([other[key] - one[key] for key in both])
        assert (each.measure, each.images) == ("dice", len(both))
        assert each.difference == pytest.approx(change.mean(), abs=1e-12)
        assert each.second - each.first == pytest.approx(each.difference, abs=1e-12)
        assert (each.better, each.worse) == ((change > 0).sum(), (change < 0).sum())
        assert each.low is None


def test_splits_and_classes_stay_apart():
    first = pd.concat([table({"i1": 0.5}, code=code, split=split) for code in "AB" for split in ("test", "validation")])
    second = first.assign(dice=[0.6, 0.7, 0.8, 0.9])
    found = {(each.split, each.class_code): each.difference for each in paired_differences(first, second)}
    expected = {("test", "A"): 0.1, ("validation", "A"): 0.2, ("test", "B"): 0.3, ("validation", "B"): 0.4}
    assert found == pytest.approx(expected)


def test_the_interval_from_ten_groups_on_is_that_of_scipy():
    random = stream(0, "test", "paired")
    one, other = ({f"i{at}": value for at, value in enumerate(random.random(40))} for _ in range(2))
    (found,) = paired_differences(table(one), table(other), draws=4000)
    change = np.array([other[key] - one[key] for key in one])
    expected = bootstrap((change,), np.mean, n_resamples=4000, method="percentile", rng=1).confidence_interval
    assert (found.low, found.high) == pytest.approx(tuple(expected), abs=0.02)
    assert (found.images, found.groups) == (40, 40)


def test_images_of_a_patient_are_drawn_together():
    one = {f"i{at}": 0.0 for at in range(100)}
    other = {f"i{at}": float(at % 10 < 5) for at in range(100)}
    (apart,), (together,) = (paired_differences(table(one, groups=g), table(other, groups=g)) for g in (100, 10))
    assert (together.groups, together.difference) == (10, apart.difference)
    assert together.high - together.low > 2 * (apart.high - apart.low)
    assert paired_differences(table(one, groups=9), table(other, groups=9))[0].low is None


def test_an_image_counts_once_whatever_the_number_of_grids():
    one = pd.concat([table({"i1": value, "i2": value}).assign(grid=grid) for grid, value in GRIDS.items()])
    other = one.assign(dice=one["dice"] + [0.0, 0.1, 0.2, 0.4])
    (found,) = paired_differences(one, other)
    assert (found.images, found.first) == (2, GRIDS["original"])
    assert found.difference == pytest.approx(0.3)


@pytest.mark.parametrize("swapped", [False, True])
@pytest.mark.parametrize("named", [False, True], ids=["no grid named", "normalised alone"])
def test_a_result_that_was_not_rescaled_is_held_against_the_original_grid_of_one_that_was(named, swapped):
    plain, rescaled = {"i1": 0.5, "i2": 0.7}, {"i1": 0.6, "i2": 0.9}
    one = table(plain).assign(grid="normalised") if named else table(plain)
    other = pd.concat(
        [table({"i1": 0.1, "i2": 0.1}).assign(grid="normalised"), table(rescaled).assign(grid="original")]
    )
    (found,) = paired_differences(other, one) if swapped else paired_differences(one, other)
    assert (found.images, found.groups) == (2, 2)
    assert found.difference == pytest.approx(-0.15 if swapped else 0.15)
    assert sorted([found.first, found.second]) == pytest.approx([0.6, 0.75])


def test_two_results_that_were_not_rescaled_are_held_against_each_other_as_they_are():
    one = table({"i1": 0.25}).assign(grid="normalised")
    for other in (one.assign(dice=0.5), table({"i1": 0.5})):
        (found,) = paired_differences(one, other)
        assert (found.images, found.difference) == (1, 0.25)


def test_the_trivial_answer_is_meant_over_the_same_images_and_is_known_of_the_dice_alone():
    first = table({"i1": 0.5, "i2": 0.6, "i3": math.nan}).assign(dice_everywhere=[0.1, 0.3, 0.9], ap=0.5)
    second = table({"i1": 0.7, "i2": 0.6}).assign(dice_everywhere=[0.1, 0.5], ap=0.5)
    dice, precision = paired_differences(first, second)
    assert (dice.everywhere_first, dice.everywhere_second) == pytest.approx((0.2, 0.3))
    assert math.isnan(precision.everywhere_first)
    (without,) = paired_differences(table({"i1": 0.5}), table({"i1": 0.5}))
    assert math.isnan(without.everywhere_first)
