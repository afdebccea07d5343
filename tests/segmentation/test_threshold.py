"""Thresholds come from validation pixels, or say why they do not."""

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings

from pipeline.arrays.metrics import counts_at, probability_histogram
from pipeline.seeds import stream
from pipeline.segmentation.threshold import ThresholdFit, best_threshold, fit_thresholds
from tests.arrays.probabilities import Mask, Probability, eager_dice, samples


def histogram(probability: list[float], truth: list[int]) -> np.ndarray:
    return probability_histogram(np.array(probability, np.float16), np.array(truth, bool))


@settings(deadline=None, max_examples=50)
@given(samples)
def test_no_threshold_above_zero_has_a_higher_dice_than_the_best(pixels: tuple[Probability, Mask]) -> None:
    probability, truth = pixels
    threshold, dice = best_threshold(probability_histogram(probability, truth))
    if not truth.any():
        assert threshold == 0.5
        assert math.isnan(dice)
        return
    candidates = [value for value in np.unique(probability).tolist() if value > 0]
    assert dice == pytest.approx(max([eager_dice(probability, truth, value) for value in candidates], default=0.0))
    assert threshold > 0
    assert float(np.float16(threshold)) == threshold
    assert eager_dice(probability, truth, threshold) == pytest.approx(dice)


def fitted(probability: list[float], truth: list[int]) -> tuple[float, float]:
    return best_threshold(histogram(probability, truth), default=0.3)


def test_the_threshold_lies_in_the_middle_of_the_gap() -> None:
    assert fitted([0.0, 0.25, 0.75, 1.0], [0, 0, 1, 1]) == (0.5, 1.0)


def test_of_equal_dice_the_lowest_threshold_wins() -> None:
    # At 0.75: 1 of 2 found, none wrong: 2/3. At 0.25: 2 of 2 found, 2 wrong: 4/6.
    assert fitted([0.0, 0.25, 0.25, 0.25, 0.75], [0, 0, 0, 1, 1]) == (0.125, 2 / 3)


def test_between_neighbouring_float16_numbers_the_upper_one_is_the_threshold() -> None:
    low, high = np.array([0x3001, 0x3002], np.uint16).view(np.float16).tolist()
    assert fitted([low, high], [0, 1]) == (high, 1.0)
    low, high = np.array([0x3002, 0x3003], np.uint16).view(np.float16).tolist()
    assert fitted([low, high], [0, 1]) == (high, 1.0)


def test_where_all_truth_has_probability_zero_the_default_is_kept() -> None:
    assert fitted([0.0, 0.0, 0.5], [1, 1, 0]) == (0.3, 0.0)
    assert fitted([0.0, 0.0], [1, 0]) == (0.3, 0.0)


def test_each_class_has_the_threshold_of_its_highest_dice() -> None:
    fits = fit_thresholds({"MA": histogram([0.1, 0.2, 0.4], [0, 1, 1]), "OD": histogram([0.5, 0.6, 1.0], [0, 0, 1])})
    assert list(fits) == ["MA", "OD"]
    assert 0.1 < fits["MA"].threshold <= 0.2
    assert 0.6 < fits["OD"].threshold <= 1.0
    assert [(fit.dice, fit.positives, fit.fitted, fit.reason) for fit in fits.values()] == [
        (1.0, 2, True, ""),
        (1.0, 1, True, ""),
    ]


def test_the_dice_is_that_of_the_pooled_pixels_at_the_threshold() -> None:
    rng = stream(0, "threshold")
    truth = rng.random(3000) < 0.2
    pooled = probability_histogram((rng.random(3000) * 0.5 + truth * 0.3).astype(np.float16), truth)
    fit = fit_thresholds({"EX": pooled})["EX"]
    assert fit.dice == counts_at(pooled, fit.threshold).dice
    assert fit.positives == truth.sum()
    assert fit.dice > max(counts_at(pooled, 0.5).dice, counts_at(pooled, 0.1).dice)


def test_a_class_without_truth_keeps_the_default_and_says_so() -> None:
    fit = fit_thresholds({"SE": histogram([0.1, 0.9], [0, 0])}, default=0.4)["SE"]
    assert (fit.threshold, fit.positives, fit.fitted) == (0.4, 0, False)
    assert math.isnan(fit.dice)
    assert "no truth" in fit.reason


def test_a_class_that_the_network_never_sees_keeps_the_default_and_says_so() -> None:
    fit = fit_thresholds({"SE": histogram([0.0, 0.0, 0.9], [1, 1, 0])}, default=0.4)["SE"]
    assert (fit.threshold, fit.dice, fit.positives, fit.fitted) == (0.4, 0.0, 2, False)
    assert "probability 0" in fit.reason


def test_fits_are_strict_json() -> None:
    fits = fit_thresholds({"MA": histogram([0.25, 0.75], [0, 1]), "SE": histogram([0.1], [0])})
    document = json.loads(json.dumps({code: fit.as_dict() for code, fit in fits.items()}, allow_nan=False))
    assert document["MA"] == {"threshold": 0.5, "dice": 1.0, "positives": 1, "fitted": True, "reason": ""}
    assert document["SE"]["dice"] is None
    assert set(document["SE"]) == set(ThresholdFit.__dataclass_fields__)
