"""Each average is over what its name says."""

import math

import numpy as np
import pandas as pd
import pytest

from pipeline.arrays.metrics import Counts, average_precision, probability_histogram
from pipeline.report.measures.averages import (
    average_table,
    bootstrap_interval,
    class_table,
    count_table,
    group_counts,
    mean_over_classes,
    mean_over_lesions,
    pooled_dice,
    pooled_iou,
)
from pipeline.seeds import stream


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
    assert table["dice"].to_numpy()[:2] == pytest.approx([2 / 3, 0])
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


def test_counts_are_summed_per_group_in_text_order() -> None:
    table = count_table([("x", g, "MA", Counts(tp=i)) for i, g in enumerate(["q", "p", "q"])])
    np.testing.assert_array_equal(group_counts(table, "MA"), [[1, 0, 0, 0], [2, 0, 0, 0]])


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
