"""Optical density, its inverse, and the background light."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from pipeline.arrays.optical_density import background_intensity, density_table, intensity, optical_density
from pipeline.errors import ConfigurationError, GeometryError
from pipeline.seeds import stream

levels = st.floats(1, 255)


def histogram_of(rgb: NDArray[np.uint8]) -> NDArray[np.int64]:
    return np.stack([np.bincount(channel, minlength=256) for channel in rgb.reshape(-1, 3).T])


def slide(*, glass: tuple[int, int, int], share: float) -> NDArray[np.uint8]:
    """Pale to dark pink tissue by Beer-Lambert under the light of the glass, and a share of glass of small noise."""
    rng = stream(0, "slide")
    light = np.broadcast_to(glass, (200, 200, 3)).astype(float)
    density = np.abs(rng.normal((0.08, 0.45, 0.15), (0.06, 0.15, 0.08), light.shape))
    density[: round(200 * share)] = 0
    return (light * np.exp(-density) + rng.normal(0, 1.5, light.shape)).clip(0, 255).astype(np.uint8)


@settings(deadline=None, max_examples=30)
@given(i0=st.tuples(levels, levels, levels))
def test_density_is_the_natural_logarithm_of_the_light_lost(i0: tuple[float, float, float]) -> None:
    rgb = stream(0, "density").integers(0, 256, (9, 7, 3), dtype=np.uint8)
    expected = np.maximum(-np.log(np.maximum(rgb, 1) / np.array(i0)), 0)
    density = optical_density(rgb, i0=i0)
    np.testing.assert_allclose(density, expected, rtol=1e-6, atol=1e-7)
    assert density.dtype == np.float32


def test_density_falls_with_the_grey_value_and_is_zero_from_the_background_up() -> None:
    table = density_table((255.0, 240.0, 200.5))
    assert (np.diff(table, axis=0) <= 0).all()
    assert (table[240:, 1] == 0).all()
    assert (table[201:, 2] == 0).all()
    assert (table[0] == table[1]).all()
    assert np.isfinite(table).all()


@settings(deadline=None, max_examples=30)
@given(i0=st.tuples(levels, levels, levels))
def test_intensity_undoes_density_up_to_the_background(i0: tuple[float, float, float]) -> None:
    grey = np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, axis=1)
    back = intensity(optical_density(grey, i0=i0), i0=i0)
    np.testing.assert_array_equal(back, np.rint(np.clip(grey, 1, i0)))


def test_intensity_saturates_and_never_wraps() -> None:
    density = np.array([[-5.0, 0.0, 50.0]], np.float32)
    np.testing.assert_array_equal(intensity(density, i0=(255.0, 240.0, 255.0)), [[255, 240, 0]])


@pytest.mark.parametrize("glass", [(245, 243, 244), (230, 232, 228), (250, 240, 235)])
@pytest.mark.parametrize("share", [0.05, 0.5, 1.0])
def test_background_is_the_colour_of_the_glass(glass: tuple[int, int, int], share: float) -> None:
    i0 = background_intensity(histogram_of(slide(glass=glass, share=share)))
    assert np.abs(np.array(i0) - glass).max() <= 4


def test_tissue_without_glass_has_no_background() -> None:
    assert background_intensity(histogram_of(slide(glass=(245, 243, 244), share=0))) == (255.0, 255.0, 255.0)


def test_pale_stroma_is_no_background() -> None:
    """Bright above 200 in all channels, but of broadly spread density."""
    density = np.abs(stream(0, "stroma").normal((0.03, 0.11, 0.05), (0.01, 0.04, 0.02), (200, 200, 3)))
    stroma = (250 * np.exp(-density)).astype(np.uint8)
    assert background_intensity(histogram_of(stroma)) == (255.0, 255.0, 255.0)


def areas(*parts: tuple[tuple[int, int, int], float], noise: float = 1.5) -> NDArray[np.uint8]:
    """Even areas of some colours and shares, with noise."""
    colours = np.concatenate([np.tile(colour, (round(20_000 * share), 1)) for colour, share in parts])
    noisy = colours + stream(0, "areas").normal(0, noise, colours.shape)
    return np.rint(noisy).clip(0, 255).astype(np.uint8)


@pytest.mark.parametrize("noise", [0.5, 1.5, 2.5])
@pytest.mark.parametrize("glass", [(235, 235, 235), (240, 235, 225), (228, 232, 238), (250, 228, 238)])
@pytest.mark.parametrize("saturated", [0.01, 0.1, 0.3])
def test_background_is_the_heaviest_bright_peak_and_not_the_brightest(
    saturated: float, glass: tuple[int, int, int], noise: float
) -> None:
    tissue = ((170, 80, 150), 0.2)
    i0 = background_intensity(histogram_of(areas(((255, 255, 255), saturated), (glass, 0.5), tissue, noise=noise)))
    assert np.abs(np.array(i0) - glass).max() <= 1


def test_white_filling_that_outweighs_the_glass_is_the_background() -> None:
    filled = areas(((255, 255, 255), 0.5), ((235, 235, 235), 0.1), ((170, 80, 150), 0.4), noise=1)
    assert background_intensity(histogram_of(filled)) == (255.0, 255.0, 255.0)


@pytest.mark.parametrize(("stained", "noise"), [((248, 222, 240), 4.5), ((236, 206, 222), 4.5), ((240, 205, 222), 1)])
def test_stroma_and_colloid_that_outweigh_the_glass_are_no_background(
    stained: tuple[int, int, int], noise: float
) -> None:
    glass = areas(((245, 243, 244), 0.05), noise=1)
    tissue = areas((stained, 0.6), ((170, 80, 150), 0.35), noise=noise)
    i0 = background_intensity(histogram_of(np.concatenate([glass, tissue])))
    assert min(i0) >= 240


@pytest.mark.parametrize("level", [0, 100, 199])
def test_dark_and_empty_images_have_no_background(level: int) -> None:
    dark = np.full((20, 20, 3), level, np.uint8)
    assert background_intensity(histogram_of(dark)) == (255.0, 255.0, 255.0)
    assert background_intensity(np.zeros((3, 256), np.int64)) == (255.0, 255.0, 255.0)


@pytest.mark.parametrize("level", [200, 245, 255])
def test_a_blank_slide_is_its_own_background(level: int) -> None:
    blank = np.full((20, 20, 3), level, np.uint8)
    assert background_intensity(histogram_of(blank)) == (level, level, level)


def test_background_depends_on_shares_only() -> None:
    histogram = histogram_of(slide(glass=(245, 243, 244), share=0.3))
    assert background_intensity(histogram) == background_intensity(histogram * 100_000_000)


def test_what_is_no_light_or_no_image_is_refused() -> None:
    for i0 in ((0.0, 255.0, 255.0), (255.0, 256.0, 255.0), (float("nan"), 255.0, 255.0)):
        with pytest.raises(ConfigurationError, match="background"):
            density_table(i0)
    with pytest.raises(GeometryError, match="RGB"):
        optical_density(np.zeros((4, 4), np.uint8), i0=(255.0, 255.0, 255.0))
    with pytest.raises(GeometryError, match="histogram"):
        background_intensity(np.zeros((256, 3), np.int64))
