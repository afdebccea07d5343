"""The tables hold what an eager computation over whole images gives, and every average is what its name says."""

import json
import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from pipeline import stores
from pipeline.arrays.confusion import LabelRule
from pipeline.arrays.metrics import probability_histogram
from pipeline.config import ReportConfig
from pipeline.errors import StoreError
from pipeline.report.measures import image
from pipeline.report.measures.image import Rules, measure_image
from pipeline.report.measures.image_rows import IMAGE_COLUMNS
from pipeline.report.measures.intervals import curve
from pipeline.report.measures.summary import SUMMARY_COLUMNS
from pipeline.seeds import stream
from pipeline.words import BACKGROUND


def eager_average_precision(score, truth):
    order = np.argsort(-score.astype(np.float64).ravel(), kind="stable")
    score, truth = score.astype(np.float64).ravel()[order], truth.ravel()[order].astype(float)
    last = np.append(score[1:] != score[:-1], True)
    tp, seen = np.cumsum(truth)[last], np.arange(1, len(truth) + 1)[last]
    return float(np.sum(np.diff(tp, prepend=0) * tp / seen) / truth.sum()) if truth.any() else math.nan


@pytest.fixture(scope="module")
def tables(world):
    first = world.results[0]
    return pd.read_parquet(first.metrics_images), pd.read_parquet(first.metrics_classes)


def value(summary, split, measure, *, code="", average=""):
    wanted = (
        (summary.split == split)
        & (summary.measure == measure)
        & (summary.class_code == code)
        & (summary.average == average)
    )
    assert wanted.sum() == 1
    return summary.loc[wanted, "value"].item()


def test_tables_have_exactly_the_declared_columns_and_types(tables):
    for table, columns in zip(tables, (IMAGE_COLUMNS, SUMMARY_COLUMNS), strict=True):
        assert {name: str(dtype) for name, dtype in table.dtypes.items()} == columns


def test_counts_dice_iou_and_ap_of_each_image_equal_an_eager_computation(world, eyes, tables):
    images = tables[0].set_index(["image_id", "class_code"])
    for eye in eyes:
        if eye.split not in ("validation", "test"):
            continue
        for at, each in enumerate(world.record.classes):
            truth, mask = eye.truth[at] > 0, eye.probability[at] >= 0.5
            row = images.loc[(eye.image_id, each.code)]
            tp, fp, fn = (truth & mask).sum(), (mask & ~truth).sum(), (truth & ~mask).sum()
            assert (row.tp, row.fp, row.fn, row.truth_pixels) == (tp, fp, fn, truth.sum())
            expected = 2 * tp / (2 * tp + fp + fn) if truth.any() else math.nan
            np.testing.assert_allclose(row.dice, expected)
            np.testing.assert_allclose(row.ap, eager_average_precision(eye.probability[at], truth), rtol=1e-12)
            assert row.false_positive_area == (0 if truth.any() else fp)
            assert row.truth_outside_roi == (truth & (eye.roi == 0)).sum()


def test_pooled_measures_are_those_of_all_pixels_of_the_split_together(world, eyes, tables):
    test = [eye for eye in eyes if eye.split == "test"]
    for at, code in enumerate(world.record.codes):
        truth = np.concatenate([eye.truth[at].ravel() > 0 for eye in test])
        score = np.concatenate([eye.probability[at].ravel() for eye in test])
        mask = score >= 0.5
        both, either = (truth & mask).sum(), (truth | mask).sum()
        np.testing.assert_allclose(
            value(tables[1], "test", "iou_pooled", code=code), both / either if truth.any() else math.nan
        )
        np.testing.assert_allclose(
            value(tables[1], "test", "ap_pooled", code=code), eager_average_precision(score, truth)
        )


def test_mean_over_images_counts_only_images_that_hold_the_class(tables):
    images, summary = tables
    held = images[(images.split == "test") & (images.class_code == "EX") & (images.truth_pixels > 0)]
    assert len(held) == 1
    assert value(summary, "test", "dice_image_mean", code="EX") == pytest.approx(held.dice.mean())
    rows = summary[(summary.split == "test") & (summary.class_code == "EX")]
    assert set(rows.images) == {2}
    assert set(rows.images_with_truth) == {1}


def test_each_average_is_the_mean_over_the_classes_that_its_row_names(tables):
    summary = tables[1]
    for row in summary[summary.average != ""].itertuples():
        values = [value(summary, row.split, row.measure, code=code) for code in row.classes.split()]
        expected = np.mean(values) if values else math.nan
        assert row.value == pytest.approx(expected, nan_ok=True)
        assert row.label.startswith(row.average)


def test_lesion_averages_leave_anatomy_out_and_only_one_average_holds_the_background(tables):
    averages = tables[1][tables[1].average != ""]
    behind = averages.groupby(averages.average.astype(str)).classes.agg(lambda texts: set(" ".join(texts).split()))
    assert "OD" not in behind["mean over lesions"]
    assert "OD" in behind["mean over classes"]
    assert [name for name, classes in behind.items() if BACKGROUND in classes] == ["mean over classes with background"]


def test_block_size_does_not_change_what_is_measured(eyes, monkeypatch):
    eye = next(eye for eye in eyes if eye.split == "test")
    codes = ("MA", "EX", "SE", "OD")
    planes = {
        "truth": eye.truth,
        "masks": (eye.probability >= 0.5).astype(np.uint8),
        "probability": eye.probability,
        "roi": eye.roi,
    }
    rules = Rules(labels=LabelRule((0, 1, 2, 3), multiclass=True))
    whole = measure_image(planes, codes=codes, annotated=codes, rules=rules)
    monkeypatch.setattr(image, "BLOCK", 37)
    pieces = measure_image(planes, codes=codes, annotated=codes, rules=rules)
    assert repr(whole.surfaces) == repr(pieces.surfaces)
    assert np.array_equal(whole.confusion, pieces.confusion)
    assert whole.counts == pieces.counts
    assert all(np.array_equal(whole.histograms[code], pieces.histograms[code]) for code in codes)


def test_pixels_that_nobody_is_sure_of_are_outside_of_every_measure(make, eyes, tmp_path):
    """Counts and Dice of NumPy's masked arrays, and average precision over the pixels that are kept."""
    unsure = []
    for at, each in enumerate(eyes):
        ignore = stream(at, "tests", "ignore").random(each.roi.shape) < 0.2
        ignore[20:70, 60:110] = True
        unsure.append(replace(each, ignore=(ignore & ~each.truth.any(axis=0)).astype(np.uint8)))
    images = pd.read_parquet(make(tmp_path, unsure, fusions=("none",)).results[0].metrics_images)
    rows = images.set_index(["image_id", "class_code"])
    for eye in (each for each in unsure if each.split in ("validation", "test")):
        for at, code in enumerate(("MA", "EX", "SE", "OD")):
            truth, mask = (
                np.ma.masked_array(each, eye.ignore > 0) for each in (eye.truth[at], eye.probability[at] >= 0.5)
            )
            row, both = rows.loc[(eye.image_id, code)], int((truth * mask).sum())
            assert (row.tp, row.fp, row.fn) == (both, mask.sum() - both, truth.sum() - both)
            assert row.pixels == truth.count()
            if truth.sum():
                assert row.dice == pytest.approx(2 * both / (truth.sum() + mask.sum()), rel=1e-12)
            kept = eye.ignore == 0
            expected = eager_average_precision(eye.probability[at][kept], eye.truth[at][kept])
            assert row.ap == pytest.approx(expected, rel=1e-12, nan_ok=True)
        assert rows.loc[(eye.image_id, BACKGROUND)].pixels == np.count_nonzero(eye.ignore == 0)


def test_where_nothing_is_ignored_all_is_measured_as_without_the_array(eyes):
    eye, codes = eyes[0], ("MA", "EX", "SE", "OD")
    masks = (eye.probability >= 0.5).astype(np.uint8)
    planes = {"truth": eye.truth, "masks": masks, "probability": eye.probability, "roi": eye.roi}
    plain = measure_image(planes, codes=codes, annotated=codes)
    found = measure_image(planes | {"ignore": np.zeros_like(eye.roi)}, codes=codes, annotated=codes)
    assert (found.counts, found.truth_outside_roi) == (plain.counts, plain.truth_outside_roi)
    assert all(np.array_equal(found.histograms[code], plain.histograms[code]) for code in codes)


def test_a_class_that_nobody_annotated_in_an_image_has_no_row_there_and_no_background(make, eyes, tmp_path):
    partly = [replace(eye, annotated=(True, True, False, True)) if eye.image_id == "eye_03" else eye for eye in eyes]
    made = make(tmp_path, partly, fusions=("none",))
    images = pd.read_parquet(made.results[0].metrics_images)
    assert set(images[images.image_id == "eye_03"].class_code) == {"MA", "EX", "OD"}
    assert set(images[images.image_id == "eye_04"].class_code) == {"MA", "EX", "SE", "OD", BACKGROUND}


def test_pooled_measures_of_a_class_are_those_of_the_images_in_which_it_was_looked_for(make, eyes, tmp_path):
    partly = [replace(eye, annotated=(True, False, True, True)) if eye.image_id == "eye_04" else eye for eye in eyes]
    made = make(tmp_path, partly, fusions=("none",))
    summary = pd.read_parquet(made.results[0].metrics_classes)
    for at, code in enumerate(made.record.codes):
        known = [eye for eye in partly if eye.split == "test" and (code != "EX" or eye.image_id != "eye_04")]
        truth = np.concatenate([eye.truth[at].ravel() > 0 for eye in known])
        score = np.concatenate([eye.probability[at].ravel() for eye in known]).astype(np.float64)
        if truth.any():
            found = {name: value(summary, "test", f"{name}_pooled", code=code) for name in ("ap", "dice", "iou")}
            both, either = (truth & (score >= 0.5)).sum(), (truth | (score >= 0.5)).sum()
            assert found["ap"] == pytest.approx(eager_average_precision(score, truth))
            assert found["dice"] == pytest.approx(2 * both / (both + either))
            assert found["iou"] == pytest.approx(both / either)
    assert sum(eye.split == "test" for eye in partly) == 2


def test_intervals_appear_from_ten_groups_on_and_hold_the_value(make, make_eye, tmp_path):
    many = [make_eye(number, "test", height=40, width=40) for number in range(11)]
    made = make(tmp_path, many, fusions=("none",))
    summary = pd.read_parquet(made.results[0].metrics_classes)
    for measure in ("dice_pooled", "iou_pooled", "ap_pooled", "aupr11_pooled"):
        row = summary[(summary.class_code == "OD") & (summary.measure == measure)].iloc[0]
        assert row.low <= row.value <= row.high
        assert row.high - row.low < 0.5
    for measure in ("dice_pooled", "ap_pooled", "aupr11_pooled"):
        row = summary[(summary.average == "mean over lesions") & (summary.measure == measure)].iloc[0]
        assert row.low <= row.value <= row.high


def test_below_ten_groups_there_is_no_interval(tables):
    assert tables[1][["low", "high"]].isna().all().all()


def test_maps_of_another_size_than_the_image_are_refused(eyes):
    eye, codes = eyes[0], ("MA", "EX", "SE", "OD")
    planes = {"truth": eye.truth, "masks": eye.truth, "probability": eye.probability[:, 1:], "roi": eye.roi}
    with pytest.raises(StoreError, match="array probability"):
        measure_image(planes, codes=codes, annotated=codes)


def test_the_same_input_gives_the_same_tables(make, eyes, tmp_path):
    first, second = (make(tmp_path / name, eyes, fusions=("none",)).results[0] for name in "ab")
    for name in ("metrics_images", "metrics_classes"):
        assert getattr(first, name).read_bytes() == getattr(second, name).read_bytes()


def test_curves_fall_on_the_exact_precision_and_recall_and_end_at_full_recall():
    histogram = np.zeros((2, 15361), dtype=np.int64)
    histogram[1, [15000, 9000]] = 3, 1
    histogram[0, [15000, 12000]] = 1, 4
    assert np.allclose(curve(histogram)[:2], [[0.75, 1], [0.75, 4 / 9]])
    assert curve(np.zeros((2, 15361), dtype=np.int64)).shape == (3, 0)


def test_what_reaches_a_threshold_of_a_curve_has_its_recall_and_precision():
    random = stream(0, "curve")
    probability, truth = random.uniform(size=150).astype(np.float16), random.integers(0, 2, 150).astype(bool)
    points = curve(probability_histogram(probability, truth)).T
    assert len(points) > 50
    for recall, precision, threshold in points:
        predicted = probability >= threshold
        assert recall == pytest.approx(truth[predicted].sum() / truth.sum())
        assert precision == pytest.approx(truth[predicted].mean())


def test_no_annotated_image_gives_empty_tables_with_all_columns(make, make_eye, tmp_path):
    made = make(tmp_path, [make_eye(0, "train"), make_eye(1, "predict")], fusions=("none",))
    assert list(pd.read_parquet(made.results[0].metrics_images).columns) == list(IMAGE_COLUMNS)
    assert list(pd.read_parquet(made.results[0].metrics_classes).columns) == list(SUMMARY_COLUMNS)
    assert json.dumps(stores.table_metadata(made.results[0].metrics_classes)["curves"]) == "{}"


def test_zero_bootstrap_samples_switch_intervals_off(make, make_eye, tmp_path):
    many = [make_eye(number, "test", height=24, width=24) for number in range(10)]
    summary = pd.read_parquet(
        make(tmp_path, many, fusions=("none",), config=ReportConfig(bootstrap=0)).results[0].metrics_classes
    )
    assert summary.low.isna().all()


def test_dice_of_trivial_answers_is_that_of_the_whole_roi_and_of_an_empty_mask(world, eyes, tables):
    images, summary = tables[0].set_index(["image_id", "class_code"]), tables[1]
    test = [eye for eye in eyes if eye.split == "test"]
    for at, code in enumerate(world.record.codes):
        both = [(eye.truth[at] > 0, eye.roi > 0) for eye in test]
        dice = [2 * (t & r).sum() / (t.sum() + r.sum()) if t.any() else math.nan for t, r in both]
        np.testing.assert_allclose([images.loc[(eye.image_id, code)].dice_everywhere for eye in test], dice)
        truth, roi = (np.concatenate([pair[of].ravel() for pair in both]) for of in (0, 1))
        pooled = 2 * (truth & roi).sum() / (truth.sum() + roi.sum()) if truth.any() else math.nan
        np.testing.assert_allclose(value(summary, "test", "dice_everywhere_pooled", code=code), pooled)
        none = value(summary, "test", "dice_nowhere_pooled", code=code)
        assert none == 0 if truth.any() else math.isnan(none)
    background = images.loc[(test[0].image_id, BACKGROUND)]
    lesions = (test[0].truth > 0).any(axis=0)
    assert background.dice_everywhere == pytest.approx(2 * (~lesions).sum() / (lesions.size + (~lesions).sum()))
