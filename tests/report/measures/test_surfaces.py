"""Boundary measures in the tables of a run: pooled, averaged, in pixels of the original and in micrometres."""

import math

import numpy as np
import pandas as pd
import pytest

from pipeline.arrays.surface import BorderPixels, Ruler
from pipeline.config import ReportConfig
from pipeline.geometry import Box
from pipeline.report.measures.group_sums import Grouped
from pipeline.report.measures.intervals import intervals
from pipeline.report.measures.surfaces import ONE_SIDED, SURFACE_COLUMNS, surface_scores, tolerance_px
from pipeline.report.page.tables.surfaces import surfaces_table
from pipeline.seeds import stream

CODES = ("MA", "EX", "SE", "OD")


@pytest.fixture(scope="module")
def tables(world):
    result = world.results[0]
    return pd.read_parquet(result.metrics_images), pd.read_parquet(result.metrics_classes)


def value(summary, code, measure):
    own = summary[(summary.split == "test") & (summary.class_code == code) & (summary.measure == measure)]
    return own["value"].item()


def of_image(eye, at, ruler):
    borders = BorderPixels(*eye.roi.shape)
    borders.add(Box.of_shape(*eye.roi.shape), eye.truth[at] > 0, eye.probability[at] >= 0.5)
    return borders.result(ruler)


def test_every_row_has_the_borders_of_its_image(tables, eyes):
    rows = tables[0].set_index(["image_id", "class_code"])
    for eye in (each for each in eyes if each.split in ("validation", "test")):
        for at, code in enumerate(CODES):
            row, found = rows.loc[(eye.image_id, code)], of_image(eye, at, Ruler())
            assert (row.truth_border, row.predicted_border) == (found.truth, found.predicted)
            expected = found.dice, found.hd95, found.shift
            assert (row.surface_dice, row.hd95_px, row.border_shift_px) == pytest.approx(expected, nan_ok=True)
            assert math.isnan(row.hd95_um)


def test_pooled_and_mean_values_go_by_the_rule_of_absent_classes(tables, eyes):
    tested = [eye for eye in eyes if eye.split == "test"]
    for at, code in enumerate(CODES):
        found = [of_image(eye, at, Ruler()) for eye in tested]
        both = sum(each.truth + each.predicted for each in found)
        near = sum(each.truth_near + each.predicted_near for each in found)
        held = any(each.truth for each in found)
        assert value(tables[1], code, "surface_dice_pooled") == pytest.approx(
            near / both if held else math.nan, nan_ok=True
        )
        known = [each.hd95 for each in found if not math.isnan(each.hd95)]
        assert value(tables[1], code, "hd95_image_mean") == pytest.approx(
            np.mean(known) if known else math.nan, nan_ok=True
        )
        missed = sum(each.truth > 0 and not each.predicted for each in found)
        assert value(tables[1], code, "images_without_prediction") == missed
        alone = sum(each.predicted > 0 and not each.truth for each in found)
        assert value(tables[1], code, "images_without_truth_predicted") == alone


def test_lengths_are_pixels_of_the_original_and_micrometres(make, eyes, tmp_path):
    half = {"factor_y": 0.5, "factor_x": 0.25, "pixel_size_um": 3.0}
    eye = next(each for each in eyes if each.split == "test")
    config = ReportConfig(bootstrap=0, surface_tolerance="12 um")
    made = make(tmp_path, [eye], fusions=("none",), mapping=half, config=config).results[0].metrics_images
    row = pd.read_parquet(made).set_index("class_code").loc["OD"]
    found = of_image(eye, 3, Ruler(2.0, 4.0, 4.0))
    assert row.tolerance_px == 4
    assert (row.surface_dice, row.hd95_px, row.hd95_um) == pytest.approx((found.dice, found.hd95, 3 * found.hd95))
    assert row.border_shift_um == pytest.approx(3 * row.border_shift_px)


def test_a_tolerance_in_micrometres_needs_a_pixel_size():
    assert math.isnan(tolerance_px("12 um", pixel_um=None))
    assert tolerance_px("12 um", pixel_um=0.5) == 24
    assert tolerance_px("1.5 px", pixel_um=None) == 1.5


@pytest.mark.parametrize("wrong", ["2", "2 mm", "-1 px", "px", "2px", "nan px"])
def test_a_tolerance_without_a_unit_is_refused(wrong):
    with pytest.raises(ValueError, match="surface_tolerance"):
        ReportConfig(surface_tolerance=wrong)


def test_images_of_unknown_tolerance_have_no_part_in_the_pooled_value():
    empty = dict.fromkeys(SURFACE_COLUMNS, math.nan)
    counts = {"truth_border": 10, "predicted_border": 10, "truth_border_near": 4, "predicted_border_near": 6}
    rows = pd.DataFrame([empty | counts | {"tolerance_px": 2.0}, empty | counts | {"truth_border_near": 0}])
    assert surface_scores(rows)["surface_dice_pooled"] == 0.5
    assert math.isnan(surface_scores(rows[1:])["surface_dice_pooled"])


def test_the_table_shows_micrometres_only_where_they_are_known(world, tables):
    table = surfaces_table(tables[1], world.record, split="test", tolerance="2 px")
    assert [cell.text for cell in table.head] == [
        "Class",
        "Surface Dice",
        "per image",
        "HD95, px",
        "Grown, px",
        "Not predicted",
        "Predicted alone",
    ]
    known = tables[1].assign(value=tables[1]["value"].fillna(1.0))
    assert "HD95, µm" in [
        cell.text for cell in surfaces_table(known, world.record, split="test", tolerance="2 px").head
    ]


def test_images_of_one_side_alone_are_counted_each_way():
    borders = [(4, 0), (4, 0), (0, 9), (3, 3), (0, 0)]
    rows = pd.DataFrame([dict(zip(SURFACE_COLUMNS, (*each, 0, 0, 2.0), strict=False)) for each in borders])
    scores = surface_scores(rows.reindex(columns=list(SURFACE_COLUMNS)))
    assert [scores[name] for name in ONE_SIDED] == [2, 1]


def test_ten_patients_have_intervals_that_hold_the_value():
    random = stream(0, "tests", "surfaces")
    border = random.integers(5, 30, (2, 10))
    near = (border * random.random((2, 10))).astype(int)
    lengths = {name: random.random(10) for name in ("surface_dice", "hd95_px", "hd95_um", "border_shift_px")}
    rows = pd.DataFrame(
        {
            "group_id": [f"p{n}" for n in range(10)],
            "class_code": "OD",
            **dict.fromkeys(("tp", "fp", "fn", "tn"), 1),
            **dict(zip(SURFACE_COLUMNS, (*border, *near, np.full(10, 2.0)), strict=False)),
            **lengths,
            "border_shift_um": math.nan,
        }
    )
    found = intervals(Grouped(rows), averaged={}, draws=200, key=(0, "test"))
    for measure, score in surface_scores(rows).items():
        if measure == "border_shift_um_image_mean" or measure in ONE_SIDED:
            assert ("OD", measure) not in found
        else:
            low, high = found["OD", measure]
            assert low < score < high
