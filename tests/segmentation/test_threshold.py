"""Thresholds come from validation pixels, or say why they do not."""

import json
import math

import numpy as np

from pipeline.arrays.metrics import counts_at, probability_histogram
from pipeline.seeds import stream
from pipeline.segmentation.threshold import ThresholdFit, fit_thresholds


def histogram(probability: list[float], truth: list[int]) -> np.ndarray:
    return probability_histogram(np.array(probability, np.float16), np.array(truth, bool))


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
