"""Intervals of averages of AUPRs: those of an eager bootstrap that draws whole patients, every class with the same ones."""

import math

import numpy as np
import pytest

from pipeline.arrays.metrics import average_precision, probability_histogram
from pipeline.report.measures.intervals import intervals
from pipeline.report.measures.mean_intervals import mean_intervals
from pipeline.seeds import stream
from tests.report.measures.eager import count_rows

CODES = ("MA", "EX", "SE")
DRAWS = 25


@pytest.fixture(scope="module")
def pixels() -> list[tuple[str, dict[str, tuple[np.ndarray, np.ndarray]]]]:
    """Two images of each of eleven patients: scores and truth of each class; one class is known in few and in none held."""
    rng, found = stream(4, "tests", "means"), []
    for at in range(22):
        group = f"p{at % 11:02d}"
        known = {"MA": 0.3, "EX": 0.1} | ({"SE": 0.0} if at < 3 else {})
        found.append(
            (
                group,
                {
                    code: (np.round(rng.random(60), 1).astype(np.float16), rng.random(60) < share)
                    for code, share in known.items()
                },
            )
        )
    return found


def eager(score: np.ndarray, truth: np.ndarray) -> float:
    if not truth.any():
        return math.nan
    cuts = np.unique(score)[::-1]
    tp = np.array([(truth & (score >= cut)).sum() for cut in cuts])
    precision = tp / np.array([(score >= cut).sum() for cut in cuts])
    return float((np.diff(tp, prepend=0) * precision).sum() / truth.sum())


def test_the_interval_of_a_mean_is_that_of_whole_patients_drawn_again(pixels):
    histograms = [(group, {code: probability_histogram(*pair) for code, pair in own.items()}) for group, own in pixels]
    groups = sorted({group for group, _ in pixels})
    averaged = {"mean over classes": CODES, "mean over lesions": ("EX",)}
    bounds = intervals(count_rows(pixels), histograms, averaged=averaged, draws=DRAWS, key=(7, "test"))
    rng = stream(7, "report", "bootstrap", "test", "averages", "ap_pooled")
    means: dict[str, list[float]] = {name: [] for name in averaged}
    for _ in range(DRAWS):
        drawn = [groups[at] for at in rng.integers(len(groups), size=len(groups))]
        taken = [own for each in drawn for group, own in pixels if group == each]
        for name, members in averaged.items():
            values = []
            for code in members:
                parts = [own[code] for own in taken if code in own]
                if parts:
                    values.append(eager(*(np.concatenate(each) for each in zip(*parts, strict=True))))
            means[name].append(float(np.nanmean(values)))
    for name in averaged:
        assert bounds[name, "ap_pooled"] == pytest.approx(tuple(np.quantile(means[name], [0.025, 0.975])))
        low, high = bounds[name, "aupr11_pooled"]
        assert 0 < low < high < 1


def test_a_class_without_any_truth_leaves_the_mean_to_the_others_and_none_gives_no_interval(pixels):
    histograms = [(group, {code: probability_histogram(*pair) for code, pair in own.items()}) for group, own in pixels]

    def sums(code: str):
        held = sorted({group for group, own in histograms if code in own})
        cubes = [sum(own[code] for group, own in histograms if group == each and code in own) for each in held]
        return held, np.stack(cubes), average_precision

    found = mean_intervals(
        histograms,
        {"ap": sums},
        averaged={"both": ("EX", "SE"), "one": ("EX",), "none": ("SE",)},
        draws=20,
        key=(0, "test"),
    )
    assert found["both", "ap"] == found["one", "ap"]
    assert ("none", "ap") not in found
