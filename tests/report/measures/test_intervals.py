"""Bootstrap intervals: when there is one, what it holds, how wide it is."""

import numpy as np
import pytest

from pipeline.arrays.metrics import Counts, average_precision, probability_histogram
from pipeline.report.measures.intervals import bootstrap_interval
from pipeline.seeds import stream


def pooled_dice(total: np.ndarray) -> float:
    return Counts(*map(int, total)).dice


def pooled_iou(total: np.ndarray) -> float:
    return Counts(*map(int, total)).iou


def patients(number: int) -> np.ndarray:
    return stream(3, "patients").integers(1, 100, size=(number, 4))


def test_below_ten_groups_there_is_no_interval() -> None:
    assert bootstrap_interval(patients(9), pooled_dice, rng=stream(0, "b")) is None
    assert bootstrap_interval(patients(10), pooled_dice, rng=stream(0, "b")) is not None


def test_the_interval_is_repeatable_and_holds_the_value_of_all_groups() -> None:
    groups = patients(40)
    first = bootstrap_interval(groups, pooled_iou, rng=stream(0, "b"))
    assert first == bootstrap_interval(groups, pooled_iou, rng=stream(0, "b"))
    assert first is not None
    assert first[0] < pooled_iou(groups.sum(axis=0)) < first[1]
    wide = bootstrap_interval(groups, pooled_iou, rng=stream(0, "b"), level=0.999)
    assert wide is not None
    assert wide[0] <= first[0] < first[1] <= wide[1]


def test_the_interval_of_a_mean_is_that_of_the_normal_approximation() -> None:
    values = stream(5, "values").integers(0, 1000, size=400)
    interval = bootstrap_interval(values[:, None], lambda total: float(total[0]) / 400, rng=stream(0, "b"), n=2000)
    assert interval is not None
    half = 1.96 * values.std() / np.sqrt(400)
    assert np.abs(np.array(interval) - values.mean()) == pytest.approx([half, half], rel=0.1)


def test_groups_that_are_alike_give_an_interval_of_no_width() -> None:
    interval = bootstrap_interval(np.tile([3, 1, 1, 5], (12, 1)), pooled_dice, rng=stream(0, "b"), n=50)
    assert interval == (0.75, 0.75)


def test_draws_without_a_value_are_left_out() -> None:
    groups = np.zeros((12, 4), dtype=np.int64)
    assert bootstrap_interval(groups, pooled_dice, rng=stream(0, "b"), n=50) is None
    groups[0] = [1, 0, 1, 0]
    assert bootstrap_interval(groups, pooled_dice, rng=stream(0, "b"), n=50) == pytest.approx((2 / 3, 2 / 3))


def test_an_interval_of_average_precision_comes_from_histograms_per_group() -> None:
    rng = stream(1, "h")
    groups = np.stack(
        [probability_histogram(rng.random(200).astype(np.float16), rng.random(200) < 0.3) for _ in range(10)]
    )
    interval = bootstrap_interval(groups, average_precision, rng=stream(0, "b"), n=30)
    assert interval is not None
    assert interval[0] < average_precision(groups.sum(axis=0)) < interval[1]
