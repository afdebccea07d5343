"""Pictures lose no lesion, errors are counted right, and colours are the fixed ones."""

import cv2
import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from pipeline.arrays.raster import Raster
from pipeline.geometry import Box
from pipeline.report.pictures import reduce
from pipeline.report.pictures.overlays import (
    CONTOUR,
    ERROR_COLOURS,
    contour,
    dimmed,
    draw_masks,
    errors,
    heat,
    interesting_box,
    outline,
)
from pipeline.report.pictures.reduce import error_kinds, picture_shape, reduce_masks
from pipeline.seeds import stream

SIZES = st.tuples(st.integers(1, 60), st.integers(1, 60), st.integers(1, 70), st.integers(1, 40), st.integers(0, 99))


@given(SIZES)
@settings(deadline=None, max_examples=50)
def test_reduced_masks_equal_any_over_each_rectangle_for_every_block_size(sizes):
    height, width, side, block, seed = sizes
    mask = stream(seed, "masks").random((2, height, width)) < 0.1
    shape = picture_shape(height, width, side=side)
    expected = np.zeros((2, *shape), dtype=bool)
    for y in range(height):
        for x in range(width):
            expected[:, y * shape[0] // height, x * shape[1] // width] |= mask[:, y, x]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reduce, "BLOCK", block)
        found = reduce_masks(Raster.of(mask), classes=2, picture=shape, judged=(0, 1))
    assert np.array_equal(found.truth, expected)
    assert found.masks is None
    assert found.errors is None


@given(SIZES)
@settings(deadline=None, max_examples=30)
def test_errors_of_a_picture_count_every_pixel_of_the_image_once(sizes):
    height, width, side, block, seed = sizes
    truth, masks = stream(seed, "errors").random((2, 3, height, width)) < 0.3
    shape = picture_shape(height, width, side=side)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reduce, "BLOCK", block)
        found = reduce_masks(Raster.of(truth), Raster.of(masks), classes=3, picture=shape, judged=(0, 1, 2))
    assert np.array_equal(found.errors.sum(axis=(1, 2)), error_kinds(truth, masks).sum(axis=(1, 2)))
    assert found.errors.sum() == (truth | masks).any(axis=0).sum()


def test_each_kind_of_error_is_what_its_name_says():
    truth = np.array([[1, 0, 1, 1, 0], [0, 0, 0, 0, 0]], dtype=bool)[:, None]
    masks = np.array([[1, 1, 0, 0, 0], [0, 0, 0, 1, 0]], dtype=bool)[:, None]
    kinds = error_kinds(truth, masks)[:, 0]
    assert kinds.argmax(axis=0)[:4].tolist() == [0, 1, 2, 3]
    assert kinds.sum(axis=0).tolist() == [1, 1, 1, 1, 0]


def test_pixels_that_nobody_is_sure_of_are_neither_hit_nor_error():
    truth, masks, ignored = stream(0, "errors").random((3, 2, 40, 30)) < 0.4
    rasters = Raster.of(truth), Raster.of(masks)
    found = reduce_masks(*rasters, classes=2, picture=(40, 30), judged=(0, 1), ignored=Raster.of(ignored[:1]))
    assert np.array_equal(found.errors, error_kinds(truth, masks) & ~ignored[0])
    assert np.array_equal(found.truth, truth)


def test_classes_that_nobody_annotated_are_no_errors():
    masks = np.ones((2, 4, 4), dtype=bool)
    found = reduce_masks(Raster.of(~masks), Raster.of(masks), classes=2, picture=(4, 4))
    assert not found.errors.any()


def test_a_line_lies_outside_the_mask_in_the_exact_colour():
    picture = np.full((20, 20, 3), 90, np.uint8)
    mask = np.zeros((20, 20), dtype=bool)
    mask[10, 10] = True
    drawn = outline(picture, mask, colour=(255, 0, 255), thickness=1)
    assert drawn[10, 10].tolist() == [90, 90, 90]
    assert {tuple(drawn[y, x]) for y, x in ((9, 10), (11, 10), (10, 9), (10, 11))} == {(255, 0, 255)}
    assert (drawn != 90).any(axis=2).sum() == 4


def test_the_class_of_higher_priority_is_drawn_on_top():
    picture, masks = np.zeros((9, 9, 3), np.uint8), np.zeros((2, 9, 9), dtype=bool)
    masks[0, 4, 4] = masks[1, 4, 4] = True
    drawn = draw_masks(picture, masks, colours=[(255, 0, 0), (0, 0, 255)], drawing_order=[1, 0], filled=False)
    assert drawn[3, 4].tolist() == [255, 0, 0]


def test_an_error_shows_where_as_many_pixels_are_hits():
    kinds = np.zeros((4, 1, 4), dtype=np.int64)
    kinds[:, 0, 0], kinds[:, 0, 1], kinds[:, 0, 2] = (5, 0, 5, 0), (6, 0, 5, 0), (0, 1, 0, 0)
    drawn = errors(np.full((1, 4, 3), 200, np.uint8), kinds)
    assert tuple(drawn[0, 0]) == ERROR_COLOURS["false_negative"]
    assert tuple(drawn[0, 1]) == ERROR_COLOURS["hit"]
    assert tuple(drawn[0, 2]) == ERROR_COLOURS["false_positive"]
    assert len(set(drawn[0, 3].tolist())) == 1


@pytest.mark.parametrize("level", [6, 60, 200])
def test_a_dark_picture_is_seen_under_errors_and_heat_maps(level):
    """Its structure spans a third of the grey levels of a bright one at least, and no ground hides the colours."""
    picture = np.full((40, 40, 3), level, np.uint8)
    picture[:, 20:] += np.uint8(48)
    ground = dimmed(picture).astype(int)
    assert np.ptp(ground) > 60
    assert ground.max() < min(max(colour) for colour in ERROR_COLOURS.values()) - 100


@pytest.mark.parametrize("level", [0, 90, 255])
def test_a_contour_stands_out_from_any_picture(level):
    mask = np.zeros((40, 40), bool)
    mask[10:30, 10:30] = True
    drawn = contour(np.full((40, 40, 3), level, np.uint8), mask, thickness=2)
    assert (drawn[~mask] == level).all()
    colours = [np.array(colour) for colour in CONTOUR]
    assert all((drawn == colour).all(axis=2).sum() > 40 for colour in colours)
    assert max(abs(int(colour.max()) - level) for colour in colours) > 120


def test_no_probability_leaves_the_dimmed_picture():
    picture = stream(0, "heat").integers(0, 255, (6, 6, 3)).astype(np.uint8)
    drawn = heat(picture, np.zeros((6, 6), np.float32))
    assert (np.ptp(drawn.astype(int), axis=2) == 0).all()
    assert heat(picture, np.ones((6, 6), np.float32)).min() > drawn.min()


@given(st.integers(1, 300), st.integers(1, 300), st.integers(1, 200), st.integers(0, 50))
@settings(deadline=None, max_examples=40)
def test_the_crop_lies_inside_the_image_and_is_as_large_as_fits(height, width, side, seed):
    shape = picture_shape(height, width, side=100)
    masks = stream(seed, "crop").random((2, *shape)) < 0.01
    box = interesting_box(masks, shape=(height, width), side=side)
    assert Box.of_shape(height, width).contains(box)
    assert (box.height, box.width) == (min(side, height), min(side, width))


def test_the_crop_goes_where_two_classes_are():
    masks = np.zeros((2, 200, 200), dtype=bool)
    masks[0, 20:30, 20:30] = masks[0, 150:155, 150:155] = masks[1, 156:160, 156:160] = True
    box = interesting_box(masks, shape=(800, 800), side=100)
    assert box.contains(Box(600, 600, 636, 636))


def test_outline_does_not_touch_its_input():
    picture = np.zeros((5, 5, 3), np.uint8)
    outline(picture, cv2.circle(np.zeros((5, 5), np.uint8), (2, 2), 1, 1) > 0, colour=(1, 2, 3))
    assert not picture.any()
