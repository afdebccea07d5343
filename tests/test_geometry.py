import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import GeometryError
from pipeline.geometry import Box, aligned_boxes, clip_start, starts_1d, strips

BOXES = st.tuples(*[st.integers(-20, 20)] * 2, *[st.integers(0, 20)] * 2).map(
    lambda t: Box(t[0], t[1], t[0] + t[2], t[1] + t[3])
)


@given(st.integers(1, 300), st.integers(1, 64), st.data())
def test_windows_cover_every_pixel_and_stay_inside(length, window, data):
    stride = data.draw(st.integers(1, window))
    covered = np.zeros(length, int)
    starts = starts_1d(length, window, stride)
    for start in starts:
        assert start >= 0
        assert start + window <= max(length, window)
        covered[start : start + window] += 1
    assert covered.min() >= 1
    assert list(starts) == sorted(set(starts))


@pytest.mark.parametrize(("length", "window", "stride"), [(0, 1, 1), (10, 0, 1), (10, 4, 0), (10, 4, 5)])
def test_windows_that_would_leave_gaps_are_refused(length, window, stride):
    with pytest.raises(GeometryError, match="stride"):
        starts_1d(length, window, stride)


@given(BOXES, BOXES)
def test_an_intersection_is_the_set_of_common_pixels(first, second):
    def pixels(box):
        return {(y, x) for y in range(box.y0, box.y1) for x in range(box.x0, box.x1)}

    common = first.intersect(second)
    assert pixels(common) == pixels(first) & pixels(second)
    assert common.area == len(pixels(common))


@given(BOXES, BOXES)
def test_a_box_contains_another_exactly_if_it_does_not_cut_it(outer, inner):
    if inner.area:
        assert outer.contains(inner) == (outer.intersect(inner) == inner)


@given(st.integers(1, 50), st.integers(1, 50), st.integers(1, 20))
def test_aligned_boxes_and_strips_part_the_image(height, width, step):
    for boxes in (aligned_boxes(height, width, step), strips(height, width, step)):
        counts = np.zeros((height, width), int)
        for box in boxes:
            counts[box.slices] += 1
        assert (counts == 1).all()


@given(BOXES, st.integers(0, 9))
def test_a_halo_never_leaves_the_image(box, halo):
    image = Box(0, 0, 15, 15)
    grown = box.intersect(image).grow(halo, image)
    assert image.contains(grown)
    assert grown.contains(box.intersect(image))


@given(st.integers(-50, 50), st.integers(1, 30), st.integers(1, 60))
def test_a_clipped_start_is_the_nearest_that_fits(start, size, length):
    fitting = range(max(length - size, 0) + 1)
    assert clip_start(start, size, length) == min(fitting, key=lambda each: abs(each - start))


def test_a_box_that_ends_before_it_starts_is_refused():
    with pytest.raises(GeometryError, match="ends before"):
        Box(5, 0, 4, 1)
