"""Every row of the patch index keeps its promises, and draws depend on nothing but their address."""

from collections import Counter

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from pipeline.config import GridSampling, GuidedSampling
from pipeline.index.sampling.frequency import class_quotas
from pipeline.index.schema import columns

CODES = ("MA", "HE", "SE")
GRID = GridSampling(strategy="grid", patch=32)


def guided(**settings):
    return GuidedSampling(**({"strategy": "guided", "patch": 32, "jitter": 8, "total": 40} | settings))


def components(plane):
    return ndimage.label(plane, np.ones((3, 3)))[1]


def check_rows(frame, data):
    """What must hold for every row, checked pixel by pixel."""
    for row in frame.itertuples():
        picture = data.pictures[row.image_id]
        height, width = picture.shape
        inside = slice(row.y, row.y + row.height), slice(row.x, row.x + row.width)
        assert 0 <= row.y < row.y + row.height <= height
        assert 0 <= row.x < row.x + row.width <= width
        truth, area = picture.truth[(..., *inside)], row.height * row.width
        assert [getattr(row, f"pixels_{code}") for code in CODES] == truth.sum(axis=(1, 2)).tolist()
        assert row.is_positive == truth.any()
        assert row.truth_fraction == np.float32(truth.any(axis=0).sum() / area)
        assert row.roi_fraction == np.float32(picture.field_of_view[inside].sum() / area)
        if row.anchor_y >= 0:
            assert picture.truth[CODES.index(row.target_class), row.anchor_y, row.anchor_x]
            assert row.y <= row.anchor_y < row.y + row.height
            assert row.x <= row.anchor_x < row.x + row.width
            assert row.jitter_y == row.y + row.height // 2 - row.anchor_y
            assert row.jitter_x == row.x + row.width // 2 - row.anchor_x
        else:
            assert (row.anchor_x, row.jitter_y, row.jitter_x) == (-1, 0, 0)
            assert row.target_class == "background" or pd.isna(row.target_class)


def drawn_ids(frame, image_id):
    rows = frame[(frame["image_id"] == image_id) & (frame["strategy"] == "guided") & ~frame["coverage"]]
    return rows.set_index("patch_id")[["y", "x", "height", "width", "anchor_y", "anchor_x", "jitter_y", "jitter_x"]]


@settings(max_examples=8, deadline=None)
@given(
    seed=st.integers(0, 999),
    beta=st.sampled_from([0, 0.5, 1, 2]),
    anchors=st.sampled_from(["components", "pixels"]),
    patch=st.sampled_from([16, 24, 100]),
    share=st.sampled_from([0, 0.2]),
)
def test_every_row_and_every_count_of_random_data_sets_holds(make, picture, scatter, seed, beta, anchors, patch, share):
    truths = {name: scatter(seed + at, height=33 + 7 * at, width=40) for at, name in enumerate("tuv")}
    truths["t"][0, 0, 0] = truths["u"][1, -1, -1] = 1
    data = make(
        {name: picture(truth, split="validation" if name == "v" else "train") for name, truth in truths.items()}
    )
    sampling = guided(beta=beta, anchors=anchors, patch=patch, background_share=share, cover="all", total=25)
    frame = data.index(sampling, seed=seed)
    check_rows(frame, data)
    counts = {code: sum(components(truths[name][at]) for name in "tu") for at, code in enumerate(CODES)}
    wanted = class_quotas(counts, total=25 - round(25 * share), beta=beta)
    found = Counter(frame[~frame["coverage"]]["target_class"].dropna())
    assert {code: found[code] for code in CODES} == wanted
    assert found["background"] <= round(25 * share)
    assert set(frame[frame["split"] == "validation"]["strategy"]) == {"grid"}


def test_another_image_leaves_the_draws_of_every_other_image_as_they_were(several):
    with_all = several.index(guided(total=60, background_share=0.2))
    without = several.index(guided(total=60, background_share=0.2), ids=("a", "b", "v"))
    for image_id in "ab":
        before, after = drawn_ids(without, image_id), drawn_ids(with_all, image_id)
        assert set(after.index) < set(before.index)
        pd.testing.assert_frame_equal(before.loc[after.index], after)


def test_the_draws_do_not_depend_on_beta_and_a_larger_total_keeps_them(several):
    few = several.index(guided(total=12, beta=0.5))
    many = several.index(guided(total=120, beta=1))
    for image_id in "abc":
        before, after = drawn_ids(few, image_id), drawn_ids(many, image_id)
        assert set(before.index) <= set(after.index)
        pd.testing.assert_frame_equal(before, after.loc[before.index])


def test_the_same_seed_gives_the_same_rows_in_any_order_of_input_and_another_seed_does_not(several):
    sampling = guided(background_share=0.2, cover="all")
    first = several.index(sampling, seed=3)
    pd.testing.assert_frame_equal(first, several.index(sampling, seed=3, backwards=True))
    other = several.index(sampling, seed=4)
    assert not first[["y", "x"]].equals(other[["y", "x"]])


def test_validation_and_test_rows_are_the_same_grid_for_every_sampling(several):
    plain, drawn = several.index(GRID), several.index(guided())
    rest = ["test", "validation"]
    columns_ = [column.name for column in columns(CODES)]
    for split in rest:
        left, right = (frame[frame["split"] == split][columns_].reset_index(drop=True) for frame in (plain, drawn))
        pd.testing.assert_frame_equal(left, right)
    assert set(plain["strategy"]) == {"grid"}
    check_rows(plain, several)


def test_with_cover_every_training_lesion_is_held_even_those_below_the_area_filter(several):
    frame = several.index(guided(total=9, least_area=20, cover="all"))
    assert frame["coverage"].any()
    assert set(frame[frame["coverage"]]["split"]) == {"train"}
    assert (frame.loc[frame["coverage"], "draw_weight"] == 0).all()
    for image_id in "abc":
        rows = frame[frame["image_id"] == image_id]
        found = pd.read_parquet(several.candidates[image_id])
        for lesion in found[(found["y1"] - found["y0"] <= 32) & (found["x1"] - found["x0"] <= 32)].itertuples():
            held = (rows["y"] <= lesion.y0) & (lesion.y1 <= rows["y"] + rows["height"])
            held &= (rows["x"] <= lesion.x0) & (lesion.x1 <= rows["x"] + rows["width"])
            assert held.any()


def test_components_outside_the_area_limits_give_no_anchor(several):
    frame = several.index(guided(least_area=4, most_area=40))
    for row in frame[frame["strategy"] == "guided"].itertuples():
        labels = ndimage.label(several.pictures[row.image_id].truth[CODES.index(row.target_class)], np.ones((3, 3)))[0]
        assert 4 <= (labels == labels[row.anchor_y, row.anchor_x]).sum() <= 40


@pytest.mark.parametrize("anchors", ["components", "pixels"])
def test_quotas_hold_in_the_rows_and_what_they_cost_is_noted(several, anchors):
    limits = {"most_per_image": 9, "most_per_group": 8, "most_per_component": 2}
    frame = several.index(guided(total=200, background_share=0.2, anchors=anchors, **limits))
    rows = frame[frame["strategy"] == "guided"]
    assert rows.groupby(["group_id", "target_class"], observed=True).size().max() <= 8
    for (image_id, code), part in rows[rows["target_class"] != "background"].groupby(
        ["image_id", "target_class"], observed=True
    ):
        labels = ndimage.label(several.pictures[image_id].truth[CODES.index(code)], np.ones((3, 3)))[0]
        drawn = labels[part["anchor_y"], part["anchor_x"]]
        assert np.bincount(drawn).max() <= 2
    summary = several.summary()
    short = {each["class"] for each in summary["short"]}
    assert short == {
        code for code, wanted in summary["requested"].items() if (rows["target_class"] == code).sum() < wanted
    }
    assert short >= {"MA", "background"}
    assert all(any(note.lower().startswith(code.lower()) for note in summary["notes"]) for code in short)
    check_rows(frame, several)


@pytest.mark.parametrize("anchors", ["components", "pixels"])
def test_the_draw_weight_is_the_chance_of_the_anchors_component(several, anchors):
    frame = several.index(guided(anchors=anchors))
    for code in CODES:
        rows = frame[frame["target_class"] == code]
        tables = [pd.read_parquet(several.candidates[key]) for key in "abc"]
        areas = pd.concat([each[each["class_code"] == code]["area"] for each in tables])
        allowed = areas / areas.sum() if anchors == "pixels" else areas * 0 + 1 / len(areas)
        assert set(rows["draw_weight"]) <= set(allowed.astype("float32"))
    assert (frame.loc[frame["strategy"] == "grid", "draw_weight"] == 1).all()


def test_a_patch_larger_than_the_image_is_the_image(several):
    frame = several.index(guided(patch=80))
    for image_id, (height, width) in ((key, each.shape) for key, each in several.pictures.items()):
        rows = frame[frame["image_id"] == image_id]
        assert set(rows["height"]) == {min(80, height)}
        assert set(rows["width"]) == {min(80, width)}
    check_rows(frame, several)


def test_single_pixels_in_the_corners_are_drawn_with_the_patch_inside(make, picture):
    truth = np.zeros((3, 50, 60), np.uint8)
    truth[0, [0, 0, -1, -1], [0, -1, 0, -1]] = 1
    data = make(i=picture(truth))
    frame = data.index(guided(total=40))
    assert set(zip(frame["y"], frame["x"], strict=True)) == {(0, 0), (0, 28), (18, 0), (18, 28)}
    assert set(frame["pixels_MA"]) == {1}
    check_rows(frame, data)
