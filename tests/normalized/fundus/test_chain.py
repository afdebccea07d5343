"""The chain of one image equals the bare OpenCV calls on the whole image, however it is cut."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.arrays.raster import Raster
from pipeline.config import Clahe, Difference, Gaussian, NormalizedConfig, Storage
from pipeline.geometry import Box, strips
from pipeline.normalized.fundus.chain import block_chain
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
