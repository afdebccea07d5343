"""Reinhard's method against scikit-image's change of colour space."""

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from skimage.color import lab2rgb, rgb2lab

from pipeline.errors import ConfigurationError, GeometryError
from pipeline.normalized.stain.basis import REFERENCE_STATISTICS, LabStatistics
from pipeline.normalized.stain.colour_table import ColourTable
from pipeline.normalized.stain.reinhard import lab, lab_statistics, transfer_lab
from pipeline.seeds import stream
from tests.normalized.slides import WHITE, every_colour, table_of

SOURCE = LabStatistics((52.0, 30.0, -13.0), (17.0, 8.0, 7.0))
PALE = LabStatistics((80.0, 10.0, -12.0), (8.0, 5.0, 4.0))
OPTIONS = {"target": REFERENCE_STATISTICS, "most_gain": 5.0, "background": WHITE}


def eager(colours, *, source, target, most_gain, background):
    """Colours ``(n, 3)`` in float64 by the definition, and which of them scikit-image does not clip on the way."""
    own = rgb2lab(np.minimum(colours / np.asarray(background), 1.0))
    gain = np.minimum(np.divide(target.deviation, source.deviation), most_gain)
    moved = (own - source.mean) * gain + target.mean
    white = np.array([100.0, 0.0, 0.0])
    near = np.minimum(((own - white) ** 2).sum(axis=1, keepdims=True) / 100, 1)
    moved = own + near * (moved - own)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # colours that no screen shows
        grey = np.floor(np.clip(lab2rgb(moved), 0, 1) * 255 + 0.5)
    return grey, (moved[:, 0] + 16) / 116 >= moved[:, 2] / 200


def test_lab_is_that_of_scikit_image():
    colours = every_colour(307)
    np.testing.assert_allclose(lab(colours, background=WHITE), rgb2lab(colours), atol=1e-6)


def test_statistics_are_those_of_all_pixels():
    image = stream(0, "reinhard").integers(100, 160, (90, 80, 3), dtype=np.uint8)
    found, pixels = lab_statistics(table_of(image), background=WHITE), rgb2lab(image).reshape(-1, 3)
    np.testing.assert_allclose(found.mean, pixels.mean(axis=0), atol=1e-6)
    np.testing.assert_allclose(found.deviation, pixels.std(axis=0), atol=1e-6)


@pytest.mark.parametrize("source", [SOURCE, PALE, LabStatistics((50.0, 0.0, 0.0), (0.0, 1e-12, 5.0))])
@pytest.mark.parametrize("background", [WHITE, (234.0, 235.0, 229.0)])
def test_within_one_grey_level_of_the_definition(source, background):
    colours, options = every_colour(211), {**OPTIONS, "background": background}
    guarded = LabStatistics(source.mean, tuple(max(value, 1e-9) for value in source.deviation))
    expected, possible = eager(colours, source=guarded, **options)
    difference = np.abs(transfer_lab(colours[None], source=source, **options)[:, 0].T - expected)[possible]
    assert possible.mean() > 0.5
    assert difference.max() <= 1
    assert (difference > 0).mean() < 1e-3


@given(st.data())
def test_a_pixel_comes_out_the_same_wherever_the_block_is_cut(data):
    image = stream(0, "reinhard").integers(0, 256, (31, 67, 3), dtype=np.uint8)
    whole = transfer_lab(image, source=SOURCE, **OPTIONS)
    top, left = data.draw(st.integers(0, 30)), data.draw(st.integers(0, 66))
    bottom, right = data.draw(st.integers(top + 1, 31)), data.draw(st.integers(left + 1, 67))
    part = transfer_lab(image[top:bottom, left:right], source=SOURCE, **OPTIONS)
    np.testing.assert_array_equal(part, whole[:, top:bottom, left:right], strict=True)


def test_the_same_statistics_leave_the_image_as_it_is():
    colours = every_colour(101)
    options = {**OPTIONS, "target": SOURCE}
    np.testing.assert_array_equal(transfer_lab(colours[None], source=SOURCE, **options)[:, 0].T, colours)


def test_tissue_takes_on_the_statistics_of_the_target():
    rng = stream(0, "tissue")
    image = np.clip(rng.normal((150, 90, 140), (18, 14, 12), (200, 200, 3)), 0, 255).astype(np.uint8)
    source = lab_statistics(table_of(image), background=WHITE)
    moved = np.moveaxis(transfer_lab(image, source=source, **OPTIONS), 0, 2)
    found = lab_statistics(table_of(np.ascontiguousarray(moved)), background=WHITE)
    np.testing.assert_allclose(found.mean, REFERENCE_STATISTICS.mean, atol=1)
    np.testing.assert_allclose(found.deviation, REFERENCE_STATISTICS.deviation, atol=1)


@pytest.mark.parametrize("source", [SOURCE, PALE])
def test_glass_comes_out_white(source):
    glass = np.array([[[234, 235, 229], [255, 255, 255], [240, 240, 240]]], np.uint8)
    options = {**OPTIONS, "background": (234.0, 235.0, 229.0)}
    assert (transfer_lab(glass, source=source, **options) == 255).all()
    nearly = transfer_lab(glass - np.uint8(2), source=source, **options).astype(int)
    assert np.ptp(nearly, axis=0).max() <= 3


def test_what_has_no_statistics_is_refused():
    with pytest.raises(GeometryError, match="no colours"):
        lab_statistics(ColourTable(np.empty((0, 3), np.uint8), np.empty(0, np.int64)), background=WHITE)
    with pytest.raises(GeometryError, match="not RGB"):
        transfer_lab(np.zeros((2, 2), np.uint8), source=SOURCE, **OPTIONS)
    for wrong in (((1.0, 2.0), (1.0, 1.0, 1.0)), ((1.0, 2.0, 3.0), (1.0, -1.0, 1.0)), ((np.nan,) * 3, (1.0,) * 3)):
        with pytest.raises(ConfigurationError, match="no stain"):
            LabStatistics(*wrong)
