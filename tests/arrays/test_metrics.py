"""Streamed measures are those of the pixels themselves."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.arrays.metrics import (
    HISTOGRAM_BINS,
    Counts,
    average_precision,
    counts,
    counts_at,
    dice_curve,
    probability_histogram,
    threshold_counts,
    trapezoid_aupr,
)
from pipeline.errors import ModelError
from pipeline.seeds import stream
from tests.arrays.probabilities import Mask, Probability, eager_dice, sample, samples


def eager_average_precision(probability: Probability, truth: Mask) -> float:
    """Σ (R_n − R_{n−1}) P_n, one step per distinct probability, from high to low."""
    if not truth.any():
        return math.nan
    total, recall_before = 0.0, 0.0
    for threshold in np.unique(probability)[::-1]:
        prediction = probability >= threshold
        recall = (prediction & truth).sum() / truth.sum()
        total += (recall - recall_before) * (prediction & truth).sum() / prediction.sum()
        recall_before = recall
    return total


@settings(deadline=None, max_examples=50)
@given(samples)
def test_average_precision_is_the_step_wise_sum_over_pixels(pixels: tuple[Probability, Mask]) -> None:
    found = average_precision(probability_histogram(*pixels))
    assert found == pytest.approx(eager_average_precision(*pixels), abs=1e-12, nan_ok=True)


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_specificity_precision_and_recall_are_those_of_torchmetrics(share: float) -> None:
    import torch

    from pipeline.model.operators import prepare_torchvision

    prepare_torchvision()  # torchmetrics imports it
    from torchmetrics.functional.classification import binary_precision, binary_recall, binary_specificity

    rng = stream(8, "tests", "specificity")
    truth, mask = rng.random(200) < share, rng.random(200) < 0.4
    found, pair = counts(truth, mask), (torch.from_numpy(mask).int(), torch.from_numpy(truth).int())
    reference = {"specificity": binary_specificity, "precision": binary_precision, "recall": binary_recall}
    for name, measure in reference.items():
        value = getattr(found, name)
        # Where there is nothing to divide by, theirs is 0 and ours undefined.
        assert float(measure(*pair)) == pytest.approx(0 if math.isnan(value) else value, abs=1e-6)
    assert math.isnan(found.specificity) == (share == 1)


def eager_trapezoid_aupr(probability: Probability, truth: Mask) -> float:
    """Masks of the pixels above each threshold, precision 1 without any, and NumPy's trapezoid over recall."""
    if not truth.any():
        return math.nan
    points = []
    for threshold in np.linspace(0, 1, 11):
        mask = probability.astype(np.float64) > threshold
        hits = (mask & truth).sum()
        points.append((hits / truth.sum(), hits / mask.sum() if mask.any() else 1.0))
    recall, precision = np.array(points[::-1]).T
    return float(np.trapezoid(precision, recall))


@settings(deadline=None, max_examples=50)
@given(samples)
def test_the_aupr_of_11_thresholds_is_the_trapezoid_under_their_points(pixels: tuple[Probability, Mask]) -> None:
    found = trapezoid_aupr(threshold_counts(probability_histogram(*pixels)))
    assert found == pytest.approx(eager_trapezoid_aupr(*pixels), abs=1e-12, nan_ok=True)


def test_the_two_auprs_of_one_map_differ_by_as_much_as_two_methods_do() -> None:
    probability, truth = sample(4000, levels=1000, share=0.02, seed=3)
    histogram = probability_histogram(np.where(truth, np.sqrt(probability), probability).astype(np.float16), truth)
    assert trapezoid_aupr(threshold_counts(histogram)) > average_precision(histogram) + 0.005


def test_counts_above_the_11_thresholds_add_up_over_images_and_hold_every_truth_pixel() -> None:
    parts = [probability_histogram(*sample(300, levels=40, share=0.3, seed=seed)) for seed in (4, 5)]
    np.testing.assert_array_equal(threshold_counts(sum(parts)), sum(map(threshold_counts, parts)))
    counted = threshold_counts(parts[0])
    np.testing.assert_array_equal(counted[0] + counted[2], parts[0][1].sum())
    assert (np.diff(counted[:2], axis=1) <= 0).all()


@pytest.mark.parametrize(
    ("probability", "truth", "expected"),
    [
        ([0.9, 0.1], [1, 0], 1.0),
        ([0.1, 0.9], [1, 0], 0.5),
        ([0.5, 0.5, 0.5, 0.5], [1, 0, 0, 0], 0.25),
        ([0.1, 0.4, 0.35, 0.8], [0, 0, 1, 1], 0.5 * 1 + 0.5 * 2 / 3),
    ],
)
def test_average_precision_of_a_perfect_an_inverted_a_constant_and_a_mixed_map(
    probability: list[float], truth: list[int], expected: float
) -> None:
    histogram = probability_histogram(np.array(probability, np.float16), np.array(truth, bool))
    assert average_precision(histogram) == pytest.approx(expected, abs=1e-15)


def test_a_histogram_counts_each_probability_and_adds_up_over_blocks() -> None:
    probability, truth = sample(600, levels=50, share=0.3, seed=1)
    whole = probability_histogram(probability.reshape(20, 30), truth.reshape(20, 30))
    parts = sum(probability_histogram(probability[a : a + 77], truth[a : a + 77]) for a in range(0, 600, 77))
    np.testing.assert_array_equal(whole, parts)
    assert whole.shape == (2, HISTOGRAM_BINS)
    assert whole.dtype == np.int64
    values = np.arange(HISTOGRAM_BINS, dtype=np.uint16).view(np.float16)
    for row, side in zip(whole, (~truth, truth), strict=True):
        np.testing.assert_array_equal(np.repeat(values, row), np.sort(probability[side]))


def test_only_pixels_within_count_whatever_lies_outside() -> None:
    probability, truth = sample(100, levels=9, share=0.4, seed=2)
    within = np.arange(100) % 3 > 0
    expected = probability_histogram(probability[within], truth[within])
    probability[~within] = np.nan
    np.testing.assert_array_equal(probability_histogram(probability, truth, within), expected)


def test_every_float16_from_zero_to_one_has_its_bin_and_negative_zero_is_zero() -> None:
    every = np.arange(HISTOGRAM_BINS, dtype=np.uint16).view(np.float16)
    assert (every[0], every[-1]) == (0.0, 1.0)
    histogram = probability_histogram(every, np.ones(HISTOGRAM_BINS, bool))
    np.testing.assert_array_equal(histogram[1], 1)
    assert probability_histogram(np.array([-0.0], np.float16), np.array([False]))[0, 0] == 1


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, -0.01, -6e-8, 1.001, 7.0])
def test_what_is_no_probability_is_refused(value: float) -> None:
    with pytest.raises(ModelError, match=r"numbers in \[0, 1\]"):
        probability_histogram(np.array([0.5, value], np.float16), np.array([True, False]))


def test_another_dtype_is_refused() -> None:
    with pytest.raises(ModelError, match="float16"):
        probability_histogram(np.array([0.5], np.float32), np.array([True]))


@pytest.mark.parametrize("within", [None, np.ones(3, bool)])
def test_maps_of_different_shapes_are_refused(within: Mask | None) -> None:
    size = 3 if within is None else 2
    with pytest.raises(ModelError, match="same pixels"):
        probability_histogram(np.zeros(size, np.float16), np.zeros(2, bool), within)


@settings(deadline=None, max_examples=50)
@given(samples, st.floats(0, 1))
def test_counts_of_the_histogram_are_counts_of_the_mask(pixels: tuple[Probability, Mask], threshold: float) -> None:
    probability, truth = pixels
    expected = counts(truth, probability.astype(np.float64) >= threshold)
    assert counts_at(probability_histogram(probability, truth), threshold) == expected


@settings(deadline=None, max_examples=50)
@given(samples)
def test_the_curve_holds_the_dice_at_each_probability_that_occurs(pixels: tuple[Probability, Mask]) -> None:
    thresholds, dice = dice_curve(probability_histogram(*pixels))
    np.testing.assert_array_equal(thresholds, np.unique(pixels[0]))
    np.testing.assert_allclose(dice, [eager_dice(*pixels, threshold) for threshold in thresholds], rtol=1e-14)


def test_counts_have_the_measures_of_their_definition() -> None:
    truth = np.array([1, 1, 1, 0, 0, 0, 0], bool)
    prediction = np.array([1, 1, 0, 1, 0, 0, 0], bool)
    found = counts(truth, prediction)
    assert found == Counts(tp=2, fp=1, fn=1, tn=3)
    assert (found.dice, found.iou, found.precision, found.recall) == (4 / 6, 2 / 4, 2 / 3, 2 / 3)
    assert counts(truth, prediction, np.arange(7) != 2) == Counts(tp=2, fp=1, fn=0, tn=3)
    assert sum([found, found], Counts()) == Counts(tp=4, fp=2, fn=2, tn=6)


def test_counts_within_are_counts_of_the_pixels_within() -> None:
    truth, prediction, within = stream(6, "masks").random((3, 40, 30)) < 0.5
    assert counts(truth, prediction, within) == counts(truth[within], prediction[within])


@pytest.mark.parametrize(
    ("count", "defined"),
    [
        (Counts(tn=9), set()),
        (Counts(fp=3), {"precision"}),
        (Counts(fn=3), {"dice", "iou", "recall"}),
    ],
)
def test_a_measure_without_a_value_is_nan_and_one_with_nothing_right_is_zero(count: Counts, defined: set[str]) -> None:
    for name in ("dice", "iou", "precision", "recall"):
        value = getattr(count, name)
        assert value == 0 if name in defined else math.isnan(value)
