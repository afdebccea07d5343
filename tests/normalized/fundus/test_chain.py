"""The chain of one image equals the bare OpenCV calls on the whole image, however it is cut."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.arrays.raster import Raster
from pipeline.config import Clahe, Difference, Gaussian, NormalizedConfig, Storage
from pipeline.config.normalized import FieldShare
from pipeline.geometry import Box, strips
from pipeline.normalized.fundus.chain import block_chain, blur_sigma
from pipeline.normalized.region import Region
from pipeline.raw.formats.source import to_eight_bit
from pipeline.seeds import stream

STORAGE = Storage(chunk=16, shard=16)


def config(**changes):
    base = {
        "outside": "keep",
        "strip_rows": 16,
        "strip_columns": 48,
        "storage": STORAGE,
        "gaussian": Gaussian(sigma=2.0),
    }
    return NormalizedConfig(**(base | changes))


def picture(height, width):
    rough = stream(0, "test", "chain").integers(0, 256, (height // 4 + 2, width // 4 + 2, 3), dtype=np.uint8)
    return np.ascontiguousarray(cv2.resize(rough, (width, height), interpolation=cv2.INTER_CUBIC))


def raster(image):
    return Raster(image.shape[:2], lambda box: image[box.slices])


def everywhere(image):
    return Region(np.ones((4, 4), bool), *image.shape[:2])


def bare(image, settings):
    lab = cv2.cvtColor(image, cv2.COLOR_RGB2LAB)
    lab[:, :, 0] = cv2.createCLAHE(settings.clahe.clip_limit, settings.clahe.tiles[::-1]).apply(lab[:, :, 0].copy())
    equalised = cv2.cvtColor(lab, cv2.COLOR_LAB2RGB)
    blurred = cv2.GaussianBlur(equalised, (0, 0), settings.gaussian.sigma)
    return cv2.addWeighted(equalised, 4, blurred, -4, 128)


@given(st.integers(9, 90), st.integers(9, 90), st.integers(1, 40))
def test_the_chain_in_strips_equals_opencv_on_the_whole_image(height, width, rows):
    image, settings = picture(height, width), config()
    enhanced = block_chain(raster(image), region=everywhere(image), config=settings)
    whole = np.concatenate([enhanced.read(box) for box in strips(height, width, rows)])
    assert np.array_equal(whole, bare(image, settings))


@given(st.data())
def test_any_box_equals_the_same_box_of_the_whole(data):
    image, settings = picture(70, 90), config()
    enhanced = block_chain(raster(image), region=everywhere(image), config=settings)
    y0, x0 = data.draw(st.integers(0, 69)), data.draw(st.integers(0, 89))
    box = Box(y0, x0, data.draw(st.integers(y0 + 1, 70)), data.draw(st.integers(x0 + 1, 90)))
    assert np.array_equal(enhanced.read(box), enhanced.read(Box(0, 0, 70, 90))[box.slices])


OFF = {"gaussian": Gaussian(apply=False), "difference": Difference(apply=False)}
STEPS = [
    ({"clahe": Clahe(apply=False), **OFF}, lambda image: image),
    (
        {"clahe": Clahe(apply=False), "gaussian": Gaussian(sigma=2.0), "difference": Difference(apply=False)},
        lambda image: cv2.GaussianBlur(image, (0, 0), 2.0),
    ),
    (
        {"clahe": Clahe(apply=False)},
        lambda image: cv2.addWeighted(image, 4, cv2.GaussianBlur(image, (0, 0), 2.0), -4, 128),
    ),
    (
        {"difference": Difference(of="original")},
        lambda image: cv2.addWeighted(image, 4, cv2.GaussianBlur(image, (0, 0), 2.0), -4, 128),
    ),
]


@pytest.mark.parametrize(("changes", "expected"), STEPS, ids=["none", "blur", "difference", "original"])
def test_each_step_can_be_switched(changes, expected):
    image = picture(60, 50)
    enhanced = block_chain(raster(image), region=everywhere(image), config=config(**changes))
    assert np.array_equal(enhanced.read(Box(0, 0, 60, 50)), expected(image))


def test_outside_the_field_of_view_is_black():
    image = picture(40, 40)
    region = Region(np.array([[True, False]]), 40, 40)
    result = block_chain(raster(image), region=region, config=config(outside="black")).read(Box(0, 0, 40, 40))
    assert not result[:, 20:].any()
    assert result[:, :20].any()


def test_outside_the_field_of_view_is_the_value_of_an_even_area_by_default():
    image, region = picture(40, 40), Region(np.array([[True, False]]), 40, 40)
    for changes, value in (({}, 128), (OFF, 0)):
        settings = config(outside="neutral", **changes)
        assert (block_chain(raster(image), region=region, config=settings).read(Box(0, 20, 40, 40)) == value).all()


def disc_on_black(side=240):
    """A dim disc with a gradient, and the region that a thumbnail of cells of 2 pixels tells."""
    y, x = np.mgrid[:side, :side] - (side - 1) / 2
    radius = np.hypot(y, x)
    light = (120 + 40 * x / side) * np.clip(0.46 * side - radius, 0, 1)
    noise = stream(0, "test", "disc").integers(-6, 7, (side, side))
    image = np.repeat(np.clip(light + noise * (light > 0), 0, 255).astype(np.uint8)[:, :, None], 3, axis=2)
    return image, Region((radius < 0.46 * side)[::2, ::2].copy(), side, side), radius


@pytest.mark.parametrize("sigma", [6.0, FieldShare(fov_share=1 / 12)])
def test_no_ring_lies_along_the_rim_of_the_field_of_view(sigma):
    image, region, radius = disc_on_black()
    settings = config(outside="neutral", gaussian=Gaussian(sigma=sigma), clahe=Clahe(apply=False))
    found = block_chain(raster(image), region=region, config=settings).read(Box(0, 0, *image.shape[:2]))
    rim, middle = (radius < 108) & (radius > 96), radius < 96
    assert abs(found[rim].mean() - found[middle].mean()) < 5
    assert np.isin(found[rim], (0, 255)).mean() <= 2.5 * np.isin(found[middle], (0, 255)).mean() + 0.001


def test_a_share_of_the_field_of_view_gives_the_same_picture_at_any_size_and_in_any_strips():
    settings = config(outside="neutral", gaussian=Gaussian(sigma=FieldShare(fov_share=0.1)))
    image, region, _ = disc_on_black()
    assert blur_sigma(settings.gaussian, region) == pytest.approx(0.1 * 0.92 * 240, rel=0.01)
    enhanced = block_chain(raster(image), region=region, config=settings, workers=2)
    strips_of = np.concatenate([enhanced.read(box) for box in strips(*image.shape[:2], 37)])
    other = config(outside="neutral", gaussian=settings.gaussian, strip_rows=64, strip_columns=64)
    assert np.array_equal(strips_of, block_chain(raster(image), region=region, config=other).read(Box(0, 0, 240, 240)))


def test_statistics_of_the_field_of_view_do_not_see_the_border():
    image = picture(64, 64)
    region = Region(np.array([[True, False]]), 64, 64)
    other = image.copy()
    other[:, 32:] = 255 - other[:, 32:]
    settings = config(outside="black", clahe=Clahe(statistics="roi", tiles=(2, 2)), **OFF)
    results = [
        block_chain(raster(each), region=region, config=settings).read(Box(0, 0, 64, 64)) for each in (image, other)
    ]
    assert np.array_equal(*results)
    settings = config(outside="black", clahe=Clahe(statistics="image", tiles=(2, 3)), **OFF)
    results = [
        block_chain(raster(each), region=region, config=settings).read(Box(0, 0, 64, 64)) for each in (image, other)
    ]
    assert not np.array_equal(*results)


@given(st.integers(9, 70), st.integers(9, 70), st.integers(1, 40), st.sampled_from(["rgb", "green"]))
def test_sixteen_bits_are_equalised_as_such_and_then_made_eight(height, width, rows, space):
    image = picture(height, width).astype(np.uint16) * np.uint16(201)
    settings = config(clahe=Clahe(space=space, tiles=(3, 2)), **OFF)
    enhanced = block_chain(raster(image), region=everywhere(image), config=settings)
    found = np.concatenate([enhanced.read(box) for box in strips(height, width, rows)])
    clahe, expected = cv2.createCLAHE(2.0, (2, 3)), image.copy()
    for channel in (1,) if space == "green" else (0, 1, 2):
        expected[:, :, channel] = clahe.apply(np.ascontiguousarray(image[:, :, channel]))
    assert np.array_equal(found, to_eight_bit(expected))
    assert np.abs(found - expected / 257.0).max() <= 0.5


def test_lightness_of_sixteen_bits_is_that_of_eight():
    image = picture(40, 50).astype(np.uint16) * np.uint16(257)
    blocks = [
        block_chain(raster(each), region=everywhere(image), config=config(**OFF)).read(Box(0, 0, 40, 50))
        for each in (image, to_eight_bit(image))
    ]
    assert np.array_equal(*blocks)


@given(st.integers(1, 4))
def test_workers_change_nothing(workers):
    image, settings = picture(70, 90), config(strip_columns=32)
    one, several = (
        block_chain(raster(image), region=everywhere(image), config=settings, workers=each).read(Box(3, 5, 60, 80))
        for each in (1, workers)
    )
    assert np.array_equal(one, several)
