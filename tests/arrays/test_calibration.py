"""Calibration against torchmetrics and an eager definition over the pixels themselves."""

import math

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from pipeline.arrays.calibration import BINS, expected_error, mean_bin_error, reliability, reliability_curve
from pipeline.arrays.metrics import probability_histogram
from pipeline.seeds import stream

EDGES = np.linspace(0, 1, BINS + 1)


def eager(probability: np.ndarray, truth: np.ndarray) -> list[tuple[float, float, int]]:
    """Mean probability, share of truth and number of the pixels in each bin ``(low, high]`` that holds any; the first holds 0."""
    value = probability.astype(np.float64)
    number = np.searchsorted(EDGES[1:-1], value, side="left")
    held = [number == each for each in range(BINS)]
    return [(float(value[own].mean()), float(truth[own].mean()), int(own.sum())) for own in held if own.any()]


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 400), st.sampled_from([1, 4, 10, 1000]))
def test_errors_are_those_of_an_eager_definition(seed: int, size: int, steps: int) -> None:
    random = stream(seed, "tests", "calibration")
    probability = (random.integers(0, steps + 1, size) / steps).astype(np.float16)
    truth = random.random(size) < probability.astype(np.float64) ** 2
    truth[0] = True
    sums = reliability(probability_histogram(probability, truth))
    bins = eager(probability, truth)
    np.testing.assert_allclose(reliability_curve(sums).T, np.array(bins))
    weighted = sum(abs(frequency - confidence) * count for confidence, frequency, count in bins) / size
    assert expected_error(sums) == pytest.approx(weighted)
    plain = np.mean([abs(frequency - confidence) for confidence, frequency, _ in bins])
    assert mean_bin_error(sums) == pytest.approx(plain)


def test_the_expected_error_is_that_of_torchmetrics() -> None:
    import torch

    from pipeline.model.operators import prepare_torchvision

    prepare_torchvision()
    from torchmetrics.functional.classification import binary_calibration_error

    random = stream(2, "tests", "calibration")
    probability = random.random(5000).astype(np.float16)
    probability = probability[~np.isin(probability, EDGES.astype(np.float16))]  # the two sides of an edge differ
    truth = random.random(len(probability)) < probability.astype(np.float64) ** 2
    found = binary_calibration_error(
        torch.from_numpy(probability.astype(np.float32)), torch.from_numpy(truth.astype(np.int64)), n_bins=BINS
    )
    histogram = probability_histogram(probability, truth)
    assert expected_error(reliability(histogram)) == pytest.approx(float(found), abs=1e-6)


def test_sums_of_images_add_up() -> None:
    random = stream(3, "tests", "calibration")
    parts = [probability_histogram(random.random(50).astype(np.float16), random.random(50) < 0.5) for _ in range(3)]
    together = reliability(np.sum(parts, axis=0))
    assert together == pytest.approx(np.sum([reliability(part) for part in parts], axis=0))


def test_there_is_no_error_without_truth() -> None:
    sums = reliability(probability_histogram(np.full(9, 0.7, np.float16), np.zeros(9, np.bool_)))
    assert math.isnan(expected_error(sums))
    assert math.isnan(mean_bin_error(sums))
