"""Fundus phantoms: repeatable, different from each other, and true about their lesions."""

import json

import numpy as np
import pytest
import skimage.data

from pipeline.raw.phantom import fundus
from pipeline.raw.phantom.fundus import CODES, fundus_phantom
from pipeline.raw.phantom.lesions import PAINTERS, Canvas, Ground
from pipeline.raw.phantom.shapes import Phantom, blob
from pipeline.seeds import stream

SIZE = 192
LESIONS = CODES[:-1]


@pytest.fixture(scope="module")
def phantoms() -> list[Phantom]:
    return [fundus_phantom(number, size=SIZE, seed=0) for number in range(8)]


def away_from_middle() -> np.ndarray:
    axis = np.arange(SIZE) - (SIZE - 1) / 2
    return np.hypot(axis[:, None], axis[None, :])


def test_the_same_number_size_and_seed_give_the_same_bytes(phantoms):
    again = fundus_phantom(5, size=SIZE, seed=0)
    assert np.array_equal(again.image, phantoms[5].image)
    assert all(np.array_equal(again.masks[code], phantoms[5].masks[code]) for code in CODES)
    assert again.facts == phantoms[5].facts


def test_another_number_or_seed_gives_another_image(phantoms):
    images = [phantom.image for phantom in phantoms] + [fundus_phantom(0, size=SIZE, seed=1).image]
    assert len({image.tobytes() for image in images}) == len(images)


@pytest.mark.parametrize("size", [64, 193])
def test_image_and_masks_have_the_size_that_was_asked_for(size):
    phantom = fundus_phantom(1, size=size, seed=0)
    assert phantom.image.shape == (size, size, 3)
    assert phantom.image.dtype == np.uint8
    assert tuple(phantom.masks) == CODES
    assert all(mask.shape == (size, size) and mask.dtype == bool for mask in phantom.masks.values())


def test_the_first_six_images_hold_every_class_at_least_twice(phantoms):
    for code in CODES:
        assert sum(phantom.masks[code].any() for phantom in phantoms[:6]) >= 2


def test_soft_exudates_are_in_half_of_the_images_and_the_disc_in_all(phantoms):
    assert sum(phantom.masks["SE"].any() for phantom in phantoms) == 4
    assert all(phantom.masks["OD"].any() for phantom in phantoms)


def test_every_eighth_image_has_no_lesion(phantoms):
    assert not any(phantoms[7].masks[code].any() for code in LESIONS)


def test_facts_count_the_lesions_that_the_masks_show_and_are_json(phantoms):
    for phantom in phantoms:
        counts = json.loads(json.dumps(phantom.facts))["lesions"]
        assert {code for code in LESIONS if counts[code]} == {code for code in LESIONS if phantom.masks[code].any()}


def test_masks_lie_inside_the_field_of_view_and_lesions_off_the_disc(phantoms):
    for phantom in phantoms:
        outside = away_from_middle() > phantom.facts["field_radius"]
        assert not any((mask & outside).any() for mask in phantom.masks.values())
        assert not any((phantom.masks[code] & phantom.masks["OD"]).any() for code in LESIONS)


def test_where_a_haemorrhage_lies_on_an_exudate_both_masks_keep_the_pixels(phantoms):
    for phantom in phantoms:
        both = phantom.masks["HE"].any() and phantom.masks["EX"].any()
        assert (phantom.masks["HE"] & phantom.masks["EX"]).any() == both


def test_the_disc_is_brighter_than_the_retina_around_it(phantoms):
    inside_field = away_from_middle() < 0.9 * SIZE / 2
    for phantom in phantoms:
        green, disc = phantom.image[..., 1].astype(float), phantom.masks["OD"]
        assert green[disc].mean() > 1.3 * np.median(green[inside_field & ~disc])


def test_the_retina_is_the_one_that_scikit_image_opens():
    assert np.array_equal(fundus._retina(fundus._FRAME), skimage.data.retina())


def test_blood_is_dark_and_exudates_are_bright(phantoms):
    inside_field = away_from_middle() < 0.9 * SIZE / 2
    for phantom in phantoms[:7]:
        green = phantom.image[..., 1].astype(float)
        usual = np.median(green[inside_field])
        for code in LESIONS:
            if phantom.masks[code].any():
                typical = np.median(green[phantom.masks[code]])
                assert typical < 0.85 * usual if code in ("MA", "HE") else typical > 1.2 * usual


def test_the_two_eyes_of_one_patient_share_group_and_camera_but_not_side(phantoms):
    left, right = phantoms[4], phantoms[5]
    assert left.group == right.group
    assert left.facts["gain"] == right.facts["gain"]
    assert left.facts["mirrored"] != right.facts["mirrored"]
    assert len({phantom.group for phantom in phantoms[:6]}) == 5


def flat_canvas(*, size: int, grey: float, allowed: slice) -> Canvas:
    room = np.zeros((size, size), dtype=np.float32)
    room[:, allowed] = 50
    ground = Ground(room, np.zeros((size, size), dtype=bool), scale=1.0, radius=size / 2, disc_place=(0.0, 0.0))
    return Canvas.blank(np.full((size, size, 3), grey, dtype=np.float32), ground, stream(3, "test"))


@pytest.mark.parametrize("code", LESIONS)
def test_a_mask_holds_exactly_the_pixels_painted_with_at_least_half_opacity(code):
    """White paint on black shows the opacity as a colour."""
    canvas = flat_canvas(size=100, grey=0.0, allowed=slice(None))
    for place in [(30, 30), (36, 44), (80, 95)]:
        stamp = blob(canvas.rng, centre=place, radius=11, softness=6, shape=canvas.shape)
        canvas.paint(code, stamp, lambda under, opacity: np.maximum(under, opacity))
    painted = canvas.colours[..., 0]
    assert ((painted > 0) & (painted < 0.5)).any()
    assert np.array_equal(canvas.mask(code), painted >= 0.5)


@pytest.mark.parametrize("code", LESIONS)
def test_a_painter_changes_what_it_masks_and_nothing_that_it_did_not_touch(code):
    canvas = flat_canvas(size=400, grey=0.6, allowed=slice(None))
    PAINTERS[code](canvas)
    changed = np.abs(canvas.colours - np.float32(0.6)).max(axis=-1)
    assert canvas.counts[code] > 0
    assert changed[canvas.mask(code)].min() > 0.04
    assert not (changed[canvas.opacity[code] == 0] > 0).any()
    assert not any(canvas.mask(other).any() for other in LESIONS if other != code)


def test_nothing_is_painted_where_lesions_may_not_lie():
    canvas = flat_canvas(size=200, grey=0.6, allowed=slice(100))
    for paint in PAINTERS.values():
        paint(canvas)
    assert (canvas.colours[:, :100] != np.float32(0.6)).any()
    assert (canvas.colours[:, 100:] == np.float32(0.6)).all()
