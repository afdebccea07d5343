"""What is counted inside a window is what a plain recount finds, for any strips."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.arrays.raster import Raster
from pipeline.index import box_sums as module
from pipeline.index.box_sums import box_sums, truth_counts
from pipeline.index.image import open_image


def random_boxes(random, n, height, width):
    y, x = (np.sort(random.integers(0, length + 1, (n, 2)), axis=1) for length in (height, width))
    boxes = np.stack([y[:, 0], x[:, 0], y[:, 1], x[:, 1]], axis=1)
    return boxes[(boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1])]


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 999), height=st.integers(1, 40), width=st.integers(1, 40), rows=st.integers(1, 41))
def test_window_sums_equal_a_plain_recount_for_any_strip_height(seed, height, width, rows):
    random = np.random.Generator(np.random.PCG64(seed))
    planes = random.integers(0, 2, (2, height, width)).astype(np.uint8)
    boxes = random_boxes(random, 30, height, width)
    found = box_sums(Raster.of(planes), boxes, planes=2, rows=rows)
    assert found.tolist() == [planes[:, y0:y1, x0:x1].sum(axis=(1, 2)).tolist() for y0, x0, y1, x1 in boxes]


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 999), width=st.integers(1, 40), rows=st.integers(1, 41), columns=st.integers(1, 41))
def test_large_values_add_up_exactly_for_any_division_into_bands(seed, width, rows, columns):
    random = np.random.Generator(np.random.PCG64(seed))
    planes = random.integers(-(2**31), 2**31, (1, 30, width)).astype(np.int32)
    boxes = random_boxes(random, 30, 30, width)

    def read(box):
        assert box.width <= columns
        return np.ascontiguousarray(planes[(..., *box.slices)])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "COLUMNS", columns)
        found = box_sums(Raster((30, width), read), boxes, planes=1, rows=rows)[:, 0]
    assert found.tolist() == [int(planes[0, y0:y1, x0:x1].sum(dtype=np.int64)) for y0, x0, y1, x1 in boxes]


def test_strips_that_no_box_touches_are_not_read():
    asked = []

    def read(box):
        asked.append(box.y0)
        return np.ones((1, box.height, box.width), np.uint8)

    boxes = np.array([[12, 0, 18, 5], [41, 2, 49, 9]])
    box_sums(Raster((60, 10), read), boxes, planes=1, rows=10)
    assert asked == [10, 40]


def test_truth_any_class_and_roi_are_counted_exactly_where_classes_overlap(make, picture, scatter):
    truth = scatter(8, height=60, width=70, count=12)
    truth[1, 5:30, 5:30] = truth[0, 10:40, 10:40] = 1
    roi = (scatter(9, height=60, width=70, classes=1, count=12)[0] == 0).astype(np.uint8)
    image = open_image(make(i=picture(truth, roi=roi)).normalized["i"])
    boxes = random_boxes(np.random.Generator(np.random.PCG64(1)), 80, 60, 70)
    planes = np.concatenate([truth, truth.any(axis=0, keepdims=True), roi[None]]).astype(np.int64)
    expected = [planes[:, y0:y1, x0:x1].sum(axis=(1, 2)).tolist() for y0, x0, y1, x1 in boxes]
    groups = [[0], [1], [2], [0, 1, 2]]
    assert truth_counts(image, boxes, groups=groups).tolist() == expected
