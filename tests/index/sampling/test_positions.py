"""Patches lie where their strategy says, and a draw depends on nothing but its address."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from pipeline.arrays.components import whole_components
from pipeline.arrays.raster import Raster
from pipeline.config import GuidedSampling
from pipeline.errors import StoreError
from pipeline.index.candidates import Lesions
from pipeline.index.image import open_image
from pipeline.index.sampling.frequency import anchor_weights
from pipeline.index.sampling.positions import (
    STRIP_ROWS,
    anchors,
    around,
    background_boxes,
    component_order,
    grid_boxes,
    jittered,
    member_strips,
    pixel_positions,
)

ADDRESS = {"seed": 1, "image_id": "i", "code": "MA"}


def lesions_of(mask):
    columns = whole_components(mask)[1].columns()
    names = ("area", "y0", "x0", "y1", "x1", "first_y", "first_x")
    return Lesions(np.arange(len(columns["area"])), *(np.asarray(columns[name], np.int64) for name in names))


def drawn(lesions, count, by="components", **address):
    return anchors(lesions, **(ADDRESS | address), count=count, by=by)


def random_mask(seed, height=30, width=40, share=0.2):
    return np.random.Generator(np.random.PCG64(seed)).random((height, width)) < share


@settings(max_examples=50, deadline=None)
@given(
    height=st.integers(1, 90),
    width=st.integers(1, 90),
    patch=st.integers(1, 40),
    overlap=st.sampled_from([0, 0.25, 0.6]),
)
def test_the_grid_covers_every_pixel_inside_the_image(height, width, patch, overlap):
    boxes = grid_boxes(height, width, patch=patch, overlap=overlap)
    covered = np.zeros((height, width), bool)
    for y0, x0, y1, x1 in boxes:
        assert 0 <= y0 < y1 <= height
        assert 0 <= x0 < x1 <= width
        assert (y1 - y0, x1 - x0) == (min(patch, height), min(patch, width))
        covered[y0:y1, x0:x1] = True
    assert covered.all()
    assert len(np.unique(boxes, axis=0)) == len(boxes)


def test_the_grid_steps_by_the_patch_without_the_overlap_and_moves_the_last_one_back():
    boxes = grid_boxes(512, 1000, patch=512, overlap=0.25)
    assert boxes.tolist() == [[0, 0, 512, 512], [0, 384, 512, 896], [0, 488, 512, 1000]]


@settings(max_examples=40, deadline=None)
@given(components=st.integers(1, 12), short=st.integers(0, 40), longer=st.integers(0, 40), seed=st.integers(0, 99))
def test_the_order_of_components_keeps_its_prefix_and_takes_each_once_per_cycle(components, short, longer, seed):
    long = component_order(seed, "i", "MA", components=components, count=short + longer)
    assert component_order(seed, "i", "MA", components=components, count=short).tolist() == long[:short].tolist()
    for at in range(0, len(long) - components + 1, components):
        assert sorted(long[at : at + components]) == list(range(components))


@pytest.mark.parametrize("by", ["components", "pixels"])
def test_a_larger_quota_keeps_the_former_draws(by):
    lesions = lesions_of(random_mask(0))
    few, many = drawn(lesions, 7, by), drawn(lesions, 300, by)
    for short, long in zip(few, many, strict=True):
        np.testing.assert_array_equal(short, long[:7])


def test_another_seed_image_or_class_draws_otherwise():
    lesions = lesions_of(random_mask(0))
    places = [
        drawn(lesions, 20, **change)[0].tolist() for change in ({}, {"seed": 2}, {"image_id": "j"}, {"code": "HE"})
    ]
    assert len({tuple(place) for place in places}) == 4


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 999), share=st.floats(0.02, 0.7), by=st.sampled_from(["components", "pixels"]))
def test_anchors_are_the_named_pixels_of_the_named_components(seed, share, by):
    mask = random_mask(seed, share=share)
    mask[3, 3] = True
    lesions = lesions_of(mask)
    place, pixel, _ = drawn(lesions, 30, by)
    found = pixel_positions(Raster.of(mask), lesions, place=place, pixel=pixel)
    labels = ndimage.label(mask, np.ones((3, 3)))[0]
    for (y, x), at, number in zip(found, place, pixel, strict=True):
        member = labels == labels[lesions.first_y[at], lesions.first_x[at]]
        assert [y, x] == np.argwhere(member)[number].tolist()


def test_every_component_is_equally_likely_however_small_and_every_pixel_of_it():
    mask = np.zeros((20, 20), bool)
    mask[0, 0] = mask[5:9, 5:10] = True
    lesions = lesions_of(mask)
    place, pixel, _ = drawn(lesions, 2000)
    assert np.bincount(place).tolist() == [1000, 1000]
    assert np.bincount(pixel[place == 1], minlength=20).min() > 20  # 50 expected
    by_pixels = np.bincount(drawn(lesions, 2100, "pixels")[0])
    assert by_pixels[0] == pytest.approx(100, abs=40)


def test_small_components_are_drawn_in_proportion_to_their_weights_and_the_first_draws_stay():
    mask = np.zeros((20, 20), bool)
    mask[0, 0] = mask[5:9, 5:10] = True  # 1 and 20 pixels
    lesions = lesions_of(mask)
    weights = anchor_weights(lesions, GuidedSampling(strategy="guided", area_power=0.5))
    assert weights[0] / weights[1] == pytest.approx(20**0.5)
    options = {**ADDRESS, "by": "components", "weights": weights}
    place, pixel, chance = anchors(lesions, count=4000, **options)
    assert np.bincount(place)[0] / 4000 == pytest.approx(20**0.5 / (1 + 20**0.5), abs=0.03)
    assert ((pixel >= 0) & (pixel < lesions.area[place])).all()
    for short, long in zip(anchors(lesions, count=500, **options), (place, pixel, chance), strict=True):
        np.testing.assert_array_equal(short, long[:500])
    np.testing.assert_array_equal(chance, anchors(lesions, **ADDRESS, by="components", count=4000)[2])
    few, _, _ = anchors(lesions, count=6, most=3, **options)
    assert np.bincount(few).tolist() == [3, 3]


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 99), most=st.integers(1, 4), share=st.floats(0, 1), by=st.sampled_from(["components", "pixels"])
)
def test_no_component_is_drawn_more_often_than_allowed_and_the_first_draws_stay(seed, most, share, by):
    lesions = lesions_of(random_mask(seed, share=0.1))
    whole = most * len(lesions)
    count = round(share * whole)
    place, pixel, chance = anchors(lesions, **ADDRESS, count=count, by=by, most=most)
    assert np.bincount(place, minlength=1).max() <= most
    assert ((pixel >= 0) & (pixel < lesions.area[place])).all()
    for short, long in zip(
        (place, pixel, chance), anchors(lesions, **ADDRESS, count=whole, by=by, most=most), strict=True
    ):
        np.testing.assert_array_equal(short, long[:count])
    free, _, _ = anchors(lesions, **ADDRESS, count=count, by=by)
    first = [np.count_nonzero(free[: at + 1] == free[at]) <= most for at in range(count)]
    until = first.index(False) if False in first else count
    np.testing.assert_array_equal(place[:until], free[:until])


def test_a_component_taller_than_a_strip_is_told_apart_from_what_lies_in_its_box():
    mask = np.zeros((STRIP_ROWS + 60, 12), bool)
    mask[2:-2, 2] = mask[2:-2, 9] = mask[-3, 2:10] = True  # a U over two strips
    mask[10:20, 5] = mask[STRIP_ROWS + 10 : STRIP_ROWS + 20, 6] = True  # lesions between its arms
    lesions = lesions_of(mask)
    place = np.repeat(np.arange(len(lesions)), lesions.area)
    pixel = np.concatenate([np.arange(area) for area in lesions.area])
    found = pixel_positions(Raster.of(mask), lesions, place=place, pixel=pixel)
    labels = ndimage.label(mask, np.ones((3, 3)))[0]
    expected = [np.argwhere(labels == labels[y, x]) for y, x in zip(lesions.first_y, lesions.first_x, strict=True)]
    np.testing.assert_array_equal(found, np.concatenate(expected))


def test_a_table_of_another_truth_is_refused():
    mask = np.zeros((20, 20), bool)
    mask[4:8, 4:8] = True
    lesions = lesions_of(mask)
    mask[5, 4:8] = False
    with pytest.raises(StoreError, match="does not belong to the truth"):
        list(member_strips(Raster.of(mask), lesions, 0))


@settings(max_examples=50, deadline=None)
@given(data=st.data(), height=st.integers(1, 60), width=st.integers(1, 60), patch=st.integers(1, 70))
def test_a_patch_holds_its_anchor_lies_in_the_image_and_is_centred_where_it_can_be(data, height, width, patch):
    anchor = np.array([[data.draw(st.integers(0, height - 1)), data.draw(st.integers(0, width - 1))]])
    wish = anchor + np.array([data.draw(st.tuples(*[st.integers(-90, 90)] * 2))])
    [[y0, x0, y1, x1]] = around(wish, keep=anchor, height=height, width=width, patch=patch)
    assert (y1 - y0, x1 - x0) == (min(patch, height), min(patch, width))
    for start, end, at, centre, length in (
        (y0, y1, *anchor[:, 0], *wish[:, 0], height),
        (x0, x1, *anchor[:, 1], *wish[:, 1], width),
    ):
        assert 0 <= start <= at < end <= length
        wanted = centre - (end - start) // 2
        if 0 <= wanted <= length - (end - start) and wanted <= at < wanted + end - start:
            assert start == wanted


def test_jitter_takes_every_whole_number_of_its_range_and_no_other():
    found = jittered(np.linspace(0, 1, 5000, endpoint=False), most=3)
    assert np.unique(found).tolist() == [-3, -2, -1, 0, 1, 2, 3]
    assert np.bincount(found + 3).min() > 700
    assert not jittered(np.array([0.0, 0.9]), most=0).any()


def test_background_boxes_hold_no_truth_are_centred_in_the_roi_and_keep_their_prefix(make, picture, scatter):
    truth = scatter(2, height=80, width=90)
    roi = np.zeros((80, 90), np.uint8)
    roi[:, 30:] = 1
    image = open_image(make(i=picture(truth, roi=roi)).normalized["i"])
    boxes = background_boxes(image, seed=0, wanted=10, patch=16)
    allowed = {
        (y, x)
        for y in range(80 - 15)
        for x in range(90 - 15)
        if roi[y + 8, x + 8] and not truth[:, y : y + 16, x : x + 16].any()
    }
    starts = [(int(y), int(x)) for y, x in boxes[:, :2]]
    assert len(starts) == len(set(starts))
    assert set(starts) <= allowed
    assert len(starts) > 0.4 * len(allowed)
    more = background_boxes(image, seed=0, wanted=2000, patch=16)
    assert len(more) > len(boxes)
    np.testing.assert_array_equal(more[: len(boxes)], boxes)
