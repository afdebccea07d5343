"""The one-pass transfer against an eager one in double precision through SPAMS."""

import numpy as np
import pytest
import spams
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import GeometryError
from pipeline.normalized.stain.basis import REFERENCE_BASIS, StainBasis
from pipeline.normalized.stain.transfer import transfer
from pipeline.seeds import stream
from tests.normalized.slides import WHITE, every_colour
from tests.normalized.stain.test_concentrations import BASES, basis


def eager(colours, *, source, target, sparsity, most_gain, light=WHITE):
    """Colours ``(n, 3)`` in float64, each step on its own."""
    density = np.maximum(-np.log(np.maximum(colours, 1) / np.asarray(source.background)), 0)
    dictionary = np.asfortranarray(np.array(source.matrix).T)
    pixels = np.asfortranarray(density.T)
    amounts = spams.lasso(pixels, D=dictionary, lambda1=sparsity, mode=2, pos=True, numThreads=1).toarray()
    gain = np.minimum(np.divide(target.maxima, source.maxima), most_gain)
    mixed = (amounts * gain[:, None]).T @ np.array(target.matrix)
    return np.clip(np.floor(np.asarray(light) * np.exp(-mixed) + 0.5), 0, 255)


SOURCES = {
    "usual": basis([[0.56, 0.72, 0.41], [0.22, 0.80, 0.56]], (243.0, 241.0, 244.0), (1.9, 1.1)),
    "weak": basis([[0.62, 0.72, 0.31], [0.08, 0.95, 0.28]], (250.0, 247.0, 248.0), (0.5, 0.1)),
    "strong": basis([[0.69, 0.67, 0.28], [0.14, 0.76, 0.63]], (234.0, 235.0, 229.0), (4.0, 3.0)),
    "close": basis([[0.62, 0.71, 0.34], [0.55, 0.74, 0.38]], WHITE, (1.0, 1.0)),
}


@pytest.mark.parametrize("name", SOURCES)
@pytest.mark.parametrize("light", [WHITE, (240.0, 250.0, 235.0)])
def test_within_one_grey_level_of_the_eager_transfer(name, light):
    colours, options = every_colour(211), {"sparsity": 0.01, "most_gain": 5.0, "light": light}
    ours = transfer(colours[None], source=SOURCES[name], target=REFERENCE_BASIS, **options)[:, 0].T
    expected = eager(colours, source=SOURCES[name], target=REFERENCE_BASIS, **options)
    difference = np.abs(ours - expected)
    assert difference.max() <= 1
    assert (difference > 0).mean() < 1e-3


@given(st.data())
def test_a_pixel_comes_out_the_same_wherever_the_block_is_cut(data):
    image = stream(0, "transfer").integers(0, 256, (41, 127, 3), dtype=np.uint8)
    options = {"source": SOURCES["usual"], "target": REFERENCE_BASIS, "sparsity": 0.01, "most_gain": 5.0}
    whole = transfer(image, **options)
    top, left = data.draw(st.integers(0, 40)), data.draw(st.integers(0, 126))
    bottom, right = data.draw(st.integers(top + 1, 41)), data.draw(st.integers(left + 1, 127))
    part = transfer(image[top:bottom, left:right], **options)
    np.testing.assert_array_equal(part, whole[:, top:bottom, left:right], strict=True)


@pytest.mark.parametrize("name", ["usual", "apart", "axes"])
def test_colours_made_of_the_two_stains_stay_where_source_and_target_agree(name):
    rng, used = stream(0, "cone"), BASES[name]
    amounts = rng.gamma(1.0, 0.5, (40_000, 2))
    light = np.asarray(used.background) * np.exp(-amounts @ np.array(used.matrix))
    colours = np.rint(light).astype(np.uint8)[(light > 40).all(axis=1)]
    same = transfer(colours[None], source=used, target=used, sparsity=0.0, most_gain=5.0, light=used.background)[:, 0].T
    # Rounding puts a colour beside the plane of the stains, by up to half a grey level in each channel.
    assert np.abs(same.astype(int) - colours).max() <= 1


def test_glass_comes_out_white_and_brighter_than_glass_too():
    glass = np.array([[[243, 241, 244], [255, 255, 255], [244, 250, 245]]], np.uint8)
    found = transfer(glass, source=SOURCES["usual"], target=REFERENCE_BASIS, sparsity=0.01, most_gain=5.0)
    assert (found == 255).all()


def test_grey_shadows_of_glass_stay_near_neutral():
    grey = np.rint(np.array([243.0, 241.0, 244.0]) * np.array([[0.99], [0.98], [0.97]])).astype(np.uint8)
    found = transfer(grey[None], source=SOURCES["usual"], target=REFERENCE_BASIS, sparsity=0.01, most_gain=5.0)
    assert np.ptp(found.astype(int), axis=0).max() <= 6


@pytest.mark.parametrize("maxima", [(0.0, 0.0), (1e-300, 1.0)])
def test_a_stain_that_is_not_there_is_strengthened_by_the_limit_only(maxima):
    source = StainBasis(REFERENCE_BASIS.matrix, maxima)
    colours = every_colour(4099)
    limited = StainBasis(REFERENCE_BASIS.matrix, (REFERENCE_BASIS.maxima[0] / 2, max(maxima[1], 0.5)))
    np.testing.assert_array_equal(
        transfer(colours[None], source=source, target=REFERENCE_BASIS, sparsity=0.01, most_gain=2.0),
        transfer(colours[None], source=limited, target=REFERENCE_BASIS, sparsity=0.01, most_gain=2.0),
    )


def test_more_of_the_target_is_never_brighter():
    colours = every_colour(1009)
    before = None
    for strength in (0.5, 1.0, 2.0, 4.0):
        target = StainBasis(REFERENCE_BASIS.matrix, (strength, strength))
        found = transfer(colours[None], source=SOURCES["usual"], target=target, sparsity=0.01, most_gain=10.0)
        assert before is None or (found <= before).all()
        before = found


def test_the_block_is_left_as_it_was_and_the_result_is_planar():
    image = stream(0, "transfer").integers(0, 256, (5, 9, 3), dtype=np.uint8)
    before = image.copy()
    options = {"source": SOURCES["usual"], "target": REFERENCE_BASIS, "sparsity": 0.01, "most_gain": 5.0}
    found = transfer(image, **options)
    np.testing.assert_array_equal(image, before)
    assert (found.shape, found.dtype, found.flags.c_contiguous) == ((3, 5, 9), np.uint8, True)
    assert transfer(image[:, :0], **options).shape == (3, 5, 0)
    for wrong in (image[..., 0], image.astype(np.float32), np.zeros((2, 2, 4), np.uint8)):
        with pytest.raises(GeometryError, match="not RGB"):
            transfer(wrong, **options)
