"""Each average is over what its name says."""

import math

import numpy as np
import pandas as pd
import pytest

from pipeline.arrays.metrics import (
    Counts,
    average_precision,
    counts_at,
    probability_histogram,
    threshold_counts,
    trapezoid_aupr,
)
from pipeline.model.scores import selection_score
from pipeline.report.measures.averages import (
    average_table,
    class_table,
    count_table,
    mean_over_classes,
    mean_over_lesions,
)
from pipeline.report.measures.intervals import bootstrap_interval
from pipeline.seeds import stream
from pipeline.segmentation.threshold import best_threshold


def example() -> pd.DataFrame:
    """Two images; the second has no MA truth but a false one, and nobody has SE."""
    return count_table(
        [
            ("a", "p1", "MA", Counts(tp=4, fp=4, fn=0, tn=92)),
            ("b", "p1", "MA", Counts(tp=0, fp=7, fn=0, tn=93)),
            ("a", "p1", "OD", Counts(tp=30, fp=0, fn=0, tn=70)),
            ("b", "p1", "OD", Counts(tp=10, fp=10, fn=10, tn=70)),
            ("a", "p1", "SE", Counts(tn=100)),
            ("b", "p1", "SE", Counts(tn=100)),
            ("a", "p1", "background", Counts(tp=60, fp=0, fn=40)),
            ("b", "p1", "background", Counts(tp=60, fp=40, fn=0)),
        ]
    )


def test_a_row_holds_counts_and_their_measures() -> None:
    table = example()
    assert table[["image_id", "group_id", "class_code", "tp", "fp"]].to_numpy()[0].tolist() == ["a", "p1", "MA", 4, 4]
    assert table["dice"].to_numpy()[:2] == pytest.approx([2 / 3, math.nan], nan_ok=True)
    assert table["false_positive_area"].tolist() == [0, 7, 0, 0, 0, 0, 0, 0]
    assert table["recall"].isna().tolist() == [False, True, False, False, True, True, False, False]
    assert count_table([])["tp"].dtype == np.int64


def test_images_without_a_class_are_left_out_of_its_mean_but_pooled_and_reported() -> None:
    classes = class_table(example()).set_index("class_code")
    assert classes.index.tolist() == ["MA", "OD", "SE", "background"]
    lesion = classes.loc["MA"]
    assert (lesion["images"], lesion["images_without"], lesion["false_positive_area"]) == (1, 1, 7)
    assert lesion["dice_image_mean"] == pytest.approx(8 / 12)
    assert lesion["dice_pooled"] == pytest.approx(8 / 19)
    assert lesion["iou_pooled"] == pytest.approx(4 / 15)
    disc = classes.loc["OD"]
    assert disc["dice_image_mean"] == pytest.approx((1 + 0.5) / 2)
    assert disc["dice_pooled"] == pytest.approx(80 / 100)
    assert classes.loc["SE", ["dice_pooled", "dice_image_mean"]].isna().all()


def test_average_precision_is_taken_from_the_pooled_histogram_of_the_class() -> None:
    rng = stream(0, "averages")
    histogram = probability_histogram(rng.random(500).astype(np.float16), rng.random(500) < 0.2)
    classes = class_table(example(), histograms={"MA": histogram}).set_index("class_code")
    assert classes.loc["MA", "ap_pooled"] == average_precision(histogram)
    assert classes["ap_pooled"].isna().tolist() == [False, True, True, True]
    assert classes.loc["MA", "aupr11_pooled"] == trapezoid_aupr(threshold_counts(histogram))
    assert classes["aupr11_pooled"].isna().tolist() == [False, True, True, True]


def test_a_mean_over_classes_leaves_the_background_out_unless_asked() -> None:
    classes = class_table(example())
    without = mean_over_classes(classes, "iou_pooled")
    assert without.classes == ("MA", "OD")
    assert without.value == pytest.approx((4 / 15 + 40 / 60) / 2)
    with_background = mean_over_classes(classes, "iou_pooled", with_background=True)
    assert with_background.classes == ("MA", "OD", "background")
    assert with_background.value == pytest.approx((4 / 15 + 40 / 60 + 120 / 200) / 3)
    assert with_background.name == "iou_pooled, mean over classes with background"


def test_a_mean_over_lesions_leaves_anatomy_and_background_out() -> None:
    average = mean_over_lesions(class_table(example()), "dice_pooled", anatomy={"OD"})
    assert average.classes == ("MA",)
    assert average.value == pytest.approx(8 / 19)


def test_a_mean_over_nothing_is_nan() -> None:
    average = mean_over_classes(class_table(example()), "ap_pooled")
    assert math.isnan(average.value)
    assert average.classes == ()


def test_the_table_of_averages_names_each_and_counts_its_classes() -> None:
    averages = average_table(class_table(example()), anatomy={"OD"}).set_index("name")
    assert averages.index.is_unique
    assert averages.loc["dice_image_mean, mean over lesions", "value"] == pytest.approx(8 / 12)
    assert averages.loc["iou_pooled, mean over classes with background", "number"] == 3
    assert averages.loc["iou_pooled, mean over classes with background", "classes"] == "MA OD background"
    alone = class_table(example().query("class_code == 'MA'"))
    assert not average_table(alone, anatomy=()).name.str.contains("background").any()


def test_every_place_leaves_out_a_class_without_truth_whatever_was_predicted() -> None:
    """Epoch choice, learning rate, pooled and per-image measures, averages, bootstrap, thresholds: one rule."""
    found, absent = Counts(tp=4, fp=4, fn=2, tn=90), Counts(fp=7, tn=93)
    for measure in ("dice", "dice_and_miou"):
        assert selection_score([found, absent], measure=measure) == selection_score([found], measure=measure)
    rows = count_table([("a", "p", "MA", found), ("a", "p", "SE", absent)])
    classes = class_table(rows).set_index("class_code")
    for column in ("dice_pooled", "iou_pooled", "dice_image_mean", "iou_image_mean"):
        assert math.isnan(classes.loc["SE", column])
        assert mean_over_classes(class_table(rows), column).classes == ("MA",)
    assert classes.loc["SE", "false_positive_area"] == 7
    counted = np.array([absent.tp, absent.fp, absent.fn, absent.tn])
    groups, rng = np.tile(counted, (12, 1)), stream(0, "absent")
    assert bootstrap_interval(groups, lambda total: Counts(*map(int, total)).dice, rng=rng) is None
    histogram = probability_histogram(np.full(100, 0.9, np.float16), np.zeros(100, bool))
    assert math.isnan(average_precision(histogram))
    assert math.isnan(trapezoid_aupr(threshold_counts(histogram)))
    assert math.isnan(best_threshold(histogram)[1])
    assert math.isnan(counts_at(histogram, 0.5).dice)
