"""Image-wise AUC and calibration in the tables of a run, against SciPy and an eager definition."""

import math

import numpy as np
import pandas as pd
import pytest
from scipy.stats import mannwhitneyu

from pipeline import stores
from pipeline.arrays.calibration import expected_error, mean_bin_error, reliability
from pipeline.arrays.metrics import probability_histogram
from pipeline.report.page.tables.image_wise import image_wise_table

CODES = ("MA", "EX", "SE", "OD")


@pytest.fixture(scope="module")
def tables(world):
    result = world.results[0]
    return pd.read_parquet(result.metrics_images), pd.read_parquet(result.metrics_classes)


def value(summary, code, measure):
    own = summary[(summary.split == "test") & (summary.class_code == code) & (summary.measure == measure)]
    return own["value"].item()


def test_the_auc_ranks_the_test_images_by_their_largest_probability(tables, eyes):
    tested = [eye for eye in eyes if eye.split == "test"]
    for at, code in enumerate(CODES):
        highest = np.array([float(eye.probability[at].max()) for eye in tested])
        held = np.array([eye.truth[at].any() for eye in tested])
        expected = math.nan
        if held.any() and not held.all():
            expected = mannwhitneyu(highest[held], highest[~held]).statistic / (held.sum() * (~held).sum())
        assert value(tables[1], code, "image_auc") == pytest.approx(expected, nan_ok=True)


def test_calibration_errors_pool_the_pixels_of_the_split(tables, eyes):
    tested = [eye for eye in eyes if eye.split == "test"]
    for at, code in enumerate(CODES):
        probability = np.concatenate([eye.probability[at].ravel() for eye in tested])
        truth = np.concatenate([eye.truth[at].ravel() > 0 for eye in tested])
        sums = reliability(probability_histogram(probability, truth))
        for measure, of in (("ece_pooled", expected_error), ("ace_pooled", mean_bin_error)):
            assert value(tables[1], code, measure) == pytest.approx(of(sums), nan_ok=True)


def test_curves_are_kept_for_the_classes_that_have_truth(world, tables):
    kept = stores.table_metadata(world.results[0].metrics_classes)["reliability"]["normalised"]["test"]
    images = tables[0][tables[0].split == "test"]
    held = images[images.truth_pixels > 0].class_code.unique()
    assert set(kept) == set(held) & set(CODES)
    for points in kept.values():
        assert sum(points["pixels"]) == sum(images[images.class_code == "MA"].pixels)


def test_the_table_says_why_there_is_no_auc(world, tables):
    table = image_wise_table(tables[1], world.record, split="test")
    rows = {row[0].chips[0][0]: row for row in table.rows}
    assert rows["MA"][3].hint == "undefined: all images hold the class"
    assert rows["SE"][3].hint == "undefined: no image holds the class"
    assert 0 <= float(rows["EX"][3].text) <= 1
