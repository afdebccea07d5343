"""Boxes lie on a map where they lie in the image, and how often a place is seen is counted exactly."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.report.pictures.patch_map import box_map, side_by_side, times_seen

SIDES = st.tuples(st.integers(1, 60), st.integers(1, 60))


@given(SIDES, st.integers(1, 4), st.lists(st.tuples(*[st.floats(0, 1)] * 4), max_size=12))
def test_how_often_a_place_is_seen_is_the_sum_of_the_boxes(picture, factor, corners):
    shape = picture[0] * factor, picture[1] * factor
    boxes = np.array(
        [
            [
                *np.minimum(start := np.floor((a * shape[0], b * shape[1])), np.array(shape) - 1).astype(int),
                *np.minimum(start + 1 + np.floor((c * 30, d * 30)), shape).astype(int),
            ]
            for a, b, c, d in corners
        ],
        dtype=np.int64,
    ).reshape(-1, 4)
    expected = np.zeros(shape, dtype=int)
    for y0, x0, y1, x1 in boxes:
        expected[y0:y1, x0:x1] += 1
    # The middle of a pixel of the picture: where it falls between two pixels of the image, the one after it.
    middle = factor // 2
    found = times_seen(boxes, shape=shape, picture=picture)
    assert np.array_equal(found, expected[middle::factor, middle::factor])


@pytest.fixture(scope="module")
def rows(world):
    frame = pd.read_parquet(world.inputs.indexes["guided"])
    return frame[frame["image_id"] == "eye_00"]


def painted(found, code, record):
    colour = np.array(record.classes[record.codes.index(code)].rgb)
    return (found == colour).all(axis=-1)


def test_a_box_is_framed_in_its_colour_where_it_lies(world, rows):
    store, one = world.inputs.normalized["eye_00"], rows[rows["target_class"] == "OD"].iloc[:1]
    bare = world.record.model_copy(update={"classes": world.record.classes})
    found = box_map(store, one, bare, side=190)
    assert found.boxes.shape == found.seen.shape == (150, 190, 3)
    y, x, height, width = one[["y", "x", "height", "width"]].iloc[0]
    mine = painted(found.boxes, "OD", bare)
    for line in (mine[y, x : x + width], mine[y + height - 1, x : x + width], mine[y : y + height, x]):
        assert line.all()
    none = box_map(store, one.iloc[:0], bare, side=190)
    changed = (found.boxes != none.boxes).any(axis=-1)
    inside = np.zeros_like(changed)
    inside[max(y - 3, 0) : y + height + 3, max(x - 3, 0) : x + width + 3] = True
    assert not changed[~inside].any()
    assert (found.most, found.patches) == (1, 1)
    assert (none.most, none.patches) == (0, 0)


def test_the_colours_of_the_classes_are_on_the_map_and_white_is_background(world, rows):
    found = box_map(world.inputs.normalized["eye_00"], rows, world.record, side=190)
    assert all(painted(found.boxes, code, world.record).any() for code in world.record.codes)
    assert (found.boxes == 255).all(axis=-1).any()
    assert found.most > 1
    assert found.patches == len(rows) == 15


def test_a_map_of_half_the_size_and_one_without_truth_are_drawn(world, rows):
    half = box_map(world.inputs.normalized["eye_00"], rows, world.record, side=95)
    assert half.boxes.shape == (75, 95, 3)
    plain = box_map(world.inputs.normalized["eye_05"], rows.iloc[:0], world.record, side=61)
    assert not any(painted(plain.boxes, code, world.record).any() for code in world.record.codes)
    sheet = side_by_side(half, title="eye")
    assert sheet.shape[1] > 2 * 95
    assert np.array_equal(sheet[-75:, :95], half.boxes)
    assert np.array_equal(sheet[-75:, -95:], half.seen)
