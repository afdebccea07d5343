"""Lesion-wise measures: hand-made counts, and tables of a run against SciPy's components."""

import math

import numpy as np
import pandas as pd
import pytest
from scipy.ndimage import label

from pipeline import stores
from pipeline.arrays.matching import THRESHOLDS
from pipeline.report.measures.lesion_wise import COUNTS, lesion_scores

CODES = ("MA", "EX", "SE", "OD")
EIGHT = np.ones((3, 3))


def counts(*numbers):
    return dict(zip(COUNTS, numbers, strict=True))


def test_scores_of_hand_made_counts():
    scores = lesion_scores(counts(8, 6, 0, 10, 4, 0), images=5)
    assert scores["lesion_sensitivity_pooled"] == pytest.approx(0.75)
    assert scores["lesion_precision_pooled"] == pytest.approx(0.6)
    assert scores["lesion_f1_pooled"] == pytest.approx(2 * 0.75 * 0.6 / 1.35)
    assert scores["false_lesions_per_image"] == pytest.approx(0.8)


@pytest.mark.parametrize(
    ("numbers", "sensitivity", "precision", "f1"),
    [
        ((0, 0, 0, 0, 0, 0), math.nan, math.nan, math.nan),
        ((3, 0, 0, 0, 0, 0), 0.0, math.nan, 0.0),
        ((0, 0, 0, 2, 2, 0), math.nan, 0.0, 0.0),
    ],
)
def test_absent_sides_go_by_one_rule(numbers, sensitivity, precision, f1):
    scores = lesion_scores(counts(*numbers), images=1)
    found = [scores[f"lesion_{name}_pooled"] for name in ("sensitivity", "precision", "f1")]
    assert found == pytest.approx([sensitivity, precision, f1], nan_ok=True)


@pytest.fixture(scope="module")
def measured(world):
    result = world.results[0]
    paths = result.metrics_images, result.metrics_classes, result.metrics_lesions
    return [pd.read_parquet(path) for path in paths], stores.table_metadata(result.metrics_classes)["froc"]


def test_lesions_of_every_image_are_those_of_scipy(measured, eyes):
    (images, _, lesions), _ = measured
    rows = images.set_index(["image_id", "class_code"])
    for eye in (each for each in eyes if each.split in ("validation", "test")):
        for at, code in enumerate(CODES):
            truth, mask = eye.truth[at] > 0, eye.probability[at] >= 0.5
            (one, count), (other, number) = label(truth, EIGHT), label(mask, EIGHT)
            found = [mask[one == n].mean() >= 0.2 for n in range(1, count + 1)]
            false = [truth[other == n].mean() < 0.2 for n in range(1, number + 1)]
            row = rows.loc[(eye.image_id, code)]
            assert (row.lesions, row.lesions_found) == (count, sum(found))
            assert (row.predicted_lesions, row.false_lesions) == (number, sum(false))
            own = lesions[(lesions.image_id == eye.image_id) & (lesions.class_code == code)]
            assert own[own.side == "truth"].matched.tolist() == found
            assert own[own.side == "predicted"].area_px.sum() == mask.sum()


def test_the_summary_sums_the_lesions_of_a_split(measured):
    (images, summary, _), _ = measured
    for code in CODES:
        own = images[(images.class_code == code) & (images.split == "test")]
        row = summary[
            (summary.class_code == code) & (summary.split == "test") & (summary.measure == "lesion_sensitivity_pooled")
        ].iloc[0]
        expected = own.lesions_found.sum() / own.lesions.sum() if own.lesions.sum() else math.nan
        assert row.value == pytest.approx(expected, nan_ok=True)


def test_froc_falls_with_the_threshold_in_what_it_finds_and_holds_the_operating_point(measured):
    (images, _, _), froc = measured
    for code, points in froc["normalised"]["test"].items():
        own = images[(images.class_code == code) & (images.split == "test")]
        assert points["threshold"] == list(THRESHOLDS)
        assert all(np.diff(points["sensitivity"]) <= 0)
        below, above = (
            np.interp(cut, points["threshold"], points["sensitivity"]) for cut in (THRESHOLDS[9], THRESHOLDS[10])
        )
        assert above <= own.lesions_found.sum() / own.lesions.sum() <= below


def test_the_background_has_no_lesions(measured):
    (images, _, _), _ = measured
    background = images[~images.class_code.isin(CODES)]
    assert len(background)
    assert background[list(COUNTS)].to_numpy().sum() == 0
