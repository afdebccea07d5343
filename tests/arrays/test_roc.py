"""Area under the ROC curve against the rank-sum statistic of SciPy."""

import math

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from scipy.stats import mannwhitneyu

from pipeline.arrays.metrics import probability_histogram
from pipeline.arrays.roc import highest_probability, images_histogram, roc_auc
from pipeline.seeds import stream


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(2, 80), st.sampled_from([1, 5, 1000]))
def test_the_area_is_that_of_the_rank_sum_statistic(seed: int, size: int, steps: int) -> None:
    random = stream(seed, "tests", "roc")
    highest = (random.integers(0, steps + 1, size) / steps).astype(np.float16).astype(np.float64)
    held = random.random(size) < 0.5
    held[:2] = True, False
    statistic = mannwhitneyu(highest[held], highest[~held], method="asymptotic").statistic
    expected = statistic / (held.sum() * (~held).sum())
    assert roc_auc(images_histogram(highest, held)) == pytest.approx(expected)


@pytest.mark.parametrize("held", [True, False])
def test_images_of_one_kind_alone_have_no_area(held: bool) -> None:
    assert math.isnan(roc_auc(images_histogram(np.array([0.25, 0.5]), np.array([held, held]))))


def test_an_image_ranks_by_its_largest_probability() -> None:
    probability = np.array([0.25, -0.0, 0.75, 0.5], np.float16)
    assert highest_probability(probability_histogram(probability, np.zeros(4, np.bool_))) == 0.75
    within = np.array([True, True, False, False])
    assert highest_probability(probability_histogram(probability, np.zeros(4, np.bool_), within)) == 0.25
    assert highest_probability(np.zeros((2, 15361), np.int64)) == 0
