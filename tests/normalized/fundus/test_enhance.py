"""The fundus chain in blocks against OpenCV's calls on the whole image."""

import itertools

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.errors import ConfigurationError, GeometryError
from pipeline.geometry import Box, strips
from pipeline.normalized.fundus import clahe, enhance
from pipeline.normalized.fundus.blur import gaussian_blur, gaussian_halo
from pipeline.normalized.fundus.enhance import ColourSpace
from pipeline.raw.formats.source import to_eight_bit
from pipeline.seeds import stream

SPACES: tuple[ColourSpace, ...] = ("lab", "green", "rgb")


def noise(height: int, width: int) -> NDArray[np.uint8]:
    return stream(0, "enhance", height, width).integers(0, 256, (height, width, 3), dtype=np.uint8)


def every_pair() -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """All pairs of grey values."""
    pairs = np.indices((256, 256)).astype(np.uint8)
    return pairs[0], pairs[1]


def eager(rgb: NDArray[np.uint8], *, sigma: float) -> NDArray[np.uint8]:
    """The whole chain in OpenCV's own calls."""
    lab = cv2.cvtColor(rgb, cv2.COLOR_RGB2LAB)
    lab[:, :, 0] = cv2.createCLAHE(2.0, (8, 8)).apply(lab[:, :, 0])
    image = cv2.cvtColor(lab, cv2.COLOR_LAB2RGB)
    return np.asarray(cv2.addWeighted(image, 4, cv2.GaussianBlur(image, (0, 0), sigma), -4, 128), np.uint8)


def blockwise(rgb: NDArray[np.uint8], *, sigma: float, rows: int) -> NDArray[np.uint8]:
    """The same in full-width strips."""
    whole = Box.of_shape(*rgb.shape[:2])
    grid, halo = clahe.TileGrid(whole.height, whole.width, 8, 8), gaussian_halo(sigma)
    boxes = list(strips(whole.height, whole.width, rows))
    counts = [enhance.channel_histograms(rgb[box.slices], box=box, grid=grid, space="lab") for box in boxes]
    tables = enhance.channel_tables(np.sum(counts, axis=0), clip_limit=2.0, grid=grid)
    result = np.empty_like(rgb)
    for box in boxes:
        outer = box.grow(halo, whole)
        image = enhance.equalise_block(rgb[outer.slices], box=outer, grid=grid, tables=tables, space="lab")
        blurred = gaussian_blur(image, outer=outer, box=box, sigma=sigma)
        inner = image[box.shift(-outer.y0, -outer.x0).slices]
        result[box.slices] = enhance.difference_enhancement(inner, blurred=blurred)
    return result


@pytest.mark.parametrize("rows", [1, 16, 50, 200])
def test_the_chain_in_strips_is_the_chain_of_opencv_calls(rows: int) -> None:
    rgb = noise(97, 130)
    np.testing.assert_array_equal(blockwise(rgb, sigma=5.0, rows=rows), eager(rgb, sigma=5.0))


@pytest.mark.parametrize("space", SPACES)
def test_the_channels_of_a_space_are_equalised_as_opencv_does_and_the_others_stay(space: ColourSpace) -> None:
    rgb, box, grid = noise(40, 56), Box.of_shape(40, 56), clahe.TileGrid(40, 56, 4, 4)
    before, expected = rgb.copy(), rgb.copy() if space != "lab" else cv2.cvtColor(rgb, cv2.COLOR_RGB2LAB)
    counts = enhance.channel_histograms(rgb, box=box, grid=grid, space=space)
    tables = enhance.channel_tables(counts, clip_limit=2.0, grid=grid)
    for channel in {"lab": (0,), "green": (1,), "rgb": (0, 1, 2)}[space]:
        expected[:, :, channel] = cv2.createCLAHE(2.0, (4, 4)).apply(np.ascontiguousarray(expected[:, :, channel]))
    expected = expected if space != "lab" else cv2.cvtColor(expected, cv2.COLOR_LAB2RGB)
    result = enhance.equalise_block(rgb, box=box, grid=grid, tables=tables, space=space)
    np.testing.assert_array_equal(result, expected)
    np.testing.assert_array_equal(rgb, before)
    assert not np.array_equal(result, rgb)


def test_colour_conversion_does_not_depend_on_where_a_block_is_cut() -> None:
    """A change of colour space is per pixel, also in the vector loops of OpenCV."""
    rgb = noise(64, 501)
    lightness = enhance.split_lightness(rgb, "lab")[0]
    for start, end in ((0, 1), (3, 20), (7, 501)):
        part = enhance.split_lightness(rgb[:, start:end], "lab")[0]
        np.testing.assert_array_equal(part, lightness[:, start:end])


WEIGHTS = [(4.0, -4.0, 128.0), (0.0, 1.0, 0.0), (3.7, -2.9, 100.3), (4.5, -4.5, 127.5), (1 / 3, 1 / 3, 1 / 7)]


@pytest.mark.parametrize(("omega", "theta", "offset"), WEIGHTS)
def test_difference_rounds_once_per_fused_multiply_add(omega: float, theta: float, offset: float) -> None:
    """Against exact sums of single-precision weights, over every pair of grey values."""
    image, blurred = every_pair()
    of_image, of_blur, added = (float(np.float32(weight)) for weight in (omega, theta, offset))
    exact = np.float32(image * of_image + np.float32(blurred * of_blur + added).astype(np.float64))
    expected = np.rint(exact).clip(0, 255).astype(np.uint8)
    ours = enhance.difference_enhancement(image, blurred=blurred, omega=omega, theta=theta, offset=offset)
    np.testing.assert_array_equal(ours, expected)


@pytest.mark.parametrize(("omega", "theta", "offset"), [(4, -4, 128), (1, 0, 0), (-3, 2, 50), (6, -5, 0)])
def test_difference_with_whole_weights_is_add_weighted(omega: float, theta: float, offset: float) -> None:
    image, blurred = every_pair()
    ours = enhance.difference_enhancement(image, blurred=blurred, omega=omega, theta=theta, offset=offset)
    np.testing.assert_array_equal(ours, cv2.addWeighted(image, omega, blurred, theta, offset))


@pytest.mark.parametrize(("omega", "theta", "offset"), WEIGHTS)
def test_difference_is_within_one_level_of_add_weighted(omega: float, theta: float, offset: float) -> None:
    image, blurred = every_pair()
    ours = enhance.difference_enhancement(image, blurred=blurred, omega=omega, theta=theta, offset=offset)
    theirs = cv2.addWeighted(image, omega, blurred, theta, offset)
    assert np.abs(ours.astype(int) - theirs).max() <= 1


def test_difference_does_not_depend_on_how_the_image_is_cut() -> None:
    image, blurred = every_pair()
    weights = {"omega": 3.7, "theta": -2.9, "offset": 100.3}
    whole = enhance.difference_enhancement(image, blurred=blurred, **weights)
    for rows, columns in itertools.product((slice(0, 1), slice(3, 200)), (slice(0, 1), slice(5, 12), slice(7, 250))):
        part = enhance.difference_enhancement(image[rows, columns], blurred=blurred[rows, columns], **weights)
        np.testing.assert_array_equal(part, whole[rows, columns])


@pytest.mark.parametrize("level", [0, 90, 255])
def test_a_constant_image_becomes_the_offset(level: int) -> None:
    image, box = np.full((40, 40, 3), level, np.uint8), Box.of_shape(40, 40)
    blurred = gaussian_blur(image, outer=box, box=box, sigma=10.0)
    assert (enhance.difference_enhancement(image, blurred=blurred) == 128).all()


def test_outside_the_field_of_view_everything_is_the_fill() -> None:
    image = noise(10, 12)
    roi = np.zeros((10, 12), np.bool_)
    roi[2:8, 3:9] = True
    for fill in (0, (1, 2, 3)):
        result = enhance.fill_outside(image, roi, fill)
        np.testing.assert_array_equal(result[roi], image[roi])
        assert (result[~roi] == fill).all()
    with pytest.raises(GeometryError, match="field of view"):
        enhance.fill_outside(image, roi[:5])


def test_sixteen_bit_channels_become_the_nearest_eight_bit_level() -> None:
    levels = np.arange(65536, dtype=np.uint16)
    np.testing.assert_array_equal(to_eight_bit(levels), np.rint(levels / 257).astype(np.uint8))
    rgb = stream(0, "wide").integers(0, 65536, (16, 16, 3), dtype=np.uint16)
    assert enhance.split_lightness(rgb, "rgb").shape == (3, 16, 16)
    with pytest.raises(ConfigurationError, match="8 bit only"):
        enhance.split_lightness(rgb, "lab")


def test_what_cannot_be_meant_is_refused() -> None:
    image = noise(10, 10)
    with pytest.raises(ConfigurationError, match="'hsv'"):
        enhance.split_lightness(image, "hsv")  # type: ignore[arg-type]
    with pytest.raises(GeometryError, match="differ in size"):
        enhance.difference_enhancement(image, blurred=image[:5])
