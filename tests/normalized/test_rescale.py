"""Rescaled images and masks, and the way back."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from pipeline.arrays.raster import Raster
from pipeline.arrays.resample import resampled_mask, resampled_picture
from pipeline.errors import ConfigurationError, GeometryError
from pipeline.geometry import Box
from pipeline.normalized.rescale import Rescaling, Vanished, vanished_components
from pipeline.seeds import stream

sides = st.integers(1, 30)


def blob(height: int, width: int, share: float = 0.4) -> NDArray[np.bool_]:
    return stream(0, "rescale", height, width).random((height, width)) < share


def rescale_mask(mask: NDArray[np.bool_], rescaling: Rescaling) -> NDArray[np.bool_]:
    target = (rescaling.height, rescaling.width)
    return resampled_mask(Raster.of(mask), target).read(Box.of_shape(*target))


def rescale_image(rgb: NDArray[np.uint8], rescaling: Rescaling) -> NDArray[np.uint8]:
    target = (rescaling.height, rescaling.width)
    source = Raster(rgb.shape[:2], lambda box: rgb[box.slices])
    return resampled_picture(source, target).read(Box.of_shape(*target))


def eager_coverage(mask: NDArray[np.bool_], height: int, width: int) -> NDArray[np.float64]:
    """Overlap of every target pixel with every source pixel, as an explicit matrix per axis."""

    def overlaps(source: int, target: int) -> NDArray[np.float64]:
        edges, grid = np.arange(target + 1) * source / target, np.arange(source + 1)
        lower = np.maximum(edges[:-1, None], grid[None, :-1])
        upper = np.minimum(edges[1:, None], grid[None, 1:])
        return np.maximum(upper - lower, 0) * target / source

    return overlaps(mask.shape[0], height) @ mask @ overlaps(mask.shape[1], width).T


@settings(deadline=None, max_examples=50)
@given(height=sides, width=sides, target=st.tuples(sides, sides))
def test_a_mask_pixel_is_set_where_at_least_half_of_it_is_covered(
    height: int, width: int, target: tuple[int, int]
) -> None:
    mask = blob(height, width)
    coverage = eager_coverage(mask, *target)
    ours = rescale_mask(mask, Rescaling(1.0, height, width, *target))
    np.testing.assert_array_equal(ours, coverage >= 0.5 - 1e-9)


@pytest.mark.parametrize("value", [True, False])
@pytest.mark.parametrize("factor", [0.1, 0.37, 1.0, 1.9])
def test_a_constant_mask_and_image_stay_constant(factor: float, value: bool) -> None:
    rescaling = Rescaling.of_factor(57, 91, factor)
    assert (rescale_mask(np.full((57, 91), value), rescaling) == value).all()
    assert (rescale_image(np.full((57, 91, 3), 200, np.uint8), rescaling) == 200).all()


def test_a_quarter_is_the_mean_of_sixteen_pixels() -> None:
    rgb = stream(0, "area").integers(0, 256, (32, 48, 3), dtype=np.uint8)
    small = rescale_image(rgb, Rescaling.of_factor(32, 48, 0.25))
    means = rgb.reshape(8, 4, 12, 4, 3).mean(axis=(1, 3))
    assert small.shape == (8, 12, 3)
    assert np.abs(small - means).max() <= 0.5


def test_a_larger_image_is_interpolated_cubically() -> None:
    rgb = stream(0, "cubic").integers(0, 256, (20, 30, 3), dtype=np.uint8)
    expected = cv2.resize(rgb, (45, 30), interpolation=cv2.INTER_CUBIC)
    np.testing.assert_array_equal(rescale_image(rgb, Rescaling.of_factor(20, 30, 1.5)), expected)


@pytest.mark.parametrize("shape", [(1, 1), (1, 30), (30, 1)])
@pytest.mark.parametrize("factor", [0.01, 0.5, 3.0])
def test_images_of_one_pixel_across_can_be_rescaled(shape: tuple[int, int], factor: float) -> None:
    rescaling = Rescaling.of_factor(*shape, factor)
    assert rescale_image(np.full((*shape, 3), 9, np.uint8), rescaling).shape == (rescaling.height, rescaling.width, 3)
    assert rescale_mask(np.ones(shape, np.bool_), rescaling).shape == (rescaling.height, rescaling.width)


def test_identity_gives_back_the_same_pixels() -> None:
    rgb, mask, same = np.zeros((3, 4, 3), np.uint8), blob(3, 4), Rescaling.identity(3, 4)
    assert same.is_identity
    assert np.array_equal(rescale_image(rgb, same), rgb)
    assert np.array_equal(rescale_mask(mask, same), mask)


def test_the_field_of_view_gets_the_diameter_asked_for() -> None:
    rescaling = Rescaling.of_diameter(2848, 4288, fov_diameter=3426.0, target=856.5)
    assert (rescaling.height, rescaling.width) == (712, 1072)
    assert rescaling.factor == 0.25


def test_a_lesion_lies_where_the_factors_say() -> None:
    mask = np.zeros((60, 90), np.bool_)
    mask[24:36, 60:72] = True
    rescaling = Rescaling.of_factor(60, 90, 1 / 3)
    rows, columns = np.nonzero(rescale_mask(mask, rescaling))
    factors = rescaling.factor_y, rescaling.factor_x
    assert (rows.min() / factors[0], columns.min() / factors[1]) == (24, 60)
    assert ((rows.max() + 1) / factors[0], (columns.max() + 1) / factors[1]) == (36, 72)


def test_lesions_that_vanish_are_counted() -> None:
    mask = np.zeros((40, 40), np.bool_)
    mask[0:8, 0:8] = True  # two by two pixels at a quarter
    mask[20, 20] = True  # a sixteenth of a pixel
    mask[30, 5:7] = mask[31, 7] = True  # one diagonal component, too thin
    rescaling = Rescaling.of_factor(40, 40, 0.25)
    assert vanished_components(mask, rescale_mask(mask, rescaling), rescaling) == Vanished(3, 2)
    assert vanished_components(mask, mask, Rescaling.identity(40, 40)) == Vanished(3, 0)
    assert vanished_components(np.zeros_like(mask), np.zeros((10, 10), np.bool_), rescaling) == Vanished(0, 0)


def test_what_cannot_be_meant_is_refused() -> None:
    for factor in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(ConfigurationError, match="rescaled"):
            Rescaling.of_factor(10, 10, factor)
    with pytest.raises(ConfigurationError, match="field of view"):
        Rescaling.of_diameter(10, 10, fov_diameter=0.0, target=100)
    with pytest.raises(GeometryError, match="size"):
        vanished_components(blob(4, 5), blob(2, 2), Rescaling.of_factor(5, 4, 0.5))
