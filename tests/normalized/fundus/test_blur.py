"""The Gaussian blur of parts of an image against OpenCV's blur of the whole."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from pipeline.errors import ConfigurationError, GeometryError
from pipeline.geometry import Box
from pipeline.normalized.fundus.blur import gaussian_blur, gaussian_halo
from pipeline.seeds import stream


def noise(height: int, width: int) -> NDArray[np.uint8]:
    return stream(0, "blur", height, width).integers(0, 256, (height, width, 3), dtype=np.uint8)


@settings(deadline=None, max_examples=40)
@given(
    size=st.tuples(st.integers(1, 60), st.integers(1, 60)),
    corner=st.tuples(st.integers(0, 59), st.integers(0, 59)),
    extent=st.tuples(st.integers(0, 60), st.integers(0, 60)),
    sigma=st.sampled_from((0.3, 0.8, 1.5, 3.3, 10.0, 33.3)),
)
def test_blur_of_a_block_with_halo_is_that_of_the_whole_image(
    size: tuple[int, int], corner: tuple[int, int], extent: tuple[int, int], sigma: float
) -> None:
    """Images smaller than the halo and empty boxes included."""
    image, whole = noise(*size), Box.of_shape(*size)
    y0, x0 = corner[0] % size[0], corner[1] % size[1]
    box = Box(y0, x0, y0 + extent[0], x0 + extent[1]).intersect(whole)
    outer = box.grow(gaussian_halo(sigma), whole)
    blurred = gaussian_blur(image[outer.slices], outer=outer, box=box, sigma=sigma)
    np.testing.assert_array_equal(blurred, cv2.GaussianBlur(image, (0, 0), sigma)[box.slices])


@pytest.mark.parametrize("sigma", [0.3, 0.5, 1.0, 2.0, 3.3, 10.0, 10.4, 33.3])
def test_halo_is_half_of_the_kernel_that_opencv_chooses(sigma: float) -> None:
    image, size = noise(150, 160), 2 * gaussian_halo(sigma) + 1
    chosen, given_size = (cv2.GaussianBlur(image, (n, n), sigma) for n in (0, size))
    np.testing.assert_array_equal(chosen, given_size)


def test_blur_takes_grey_images() -> None:
    image, box = noise(30, 30)[:, :, 0], Box.of_shape(30, 30)
    np.testing.assert_array_equal(
        gaussian_blur(image, outer=box, box=box, sigma=2.0), cv2.GaussianBlur(image, (0, 0), 2.0)
    )


@pytest.mark.parametrize("sigma", [0.2, 0.45, 0.6, 0.8, 1.0, 2.5, 7.0, 10.0, 20.0, 60.0])
@pytest.mark.parametrize("level", [None, 0, 255])
def test_blur_of_a_whole_image_is_that_of_opencv(sigma: float, level: int | None) -> None:
    """From kernels of one heavy weight to those whose outer weights are rounded to nothing; saturated images too."""
    image = noise(83, 131) if level is None else np.full((83, 131, 3), level, np.uint8)
    box = Box.of_shape(83, 131)
    blurred = gaussian_blur(image, outer=box, box=box, sigma=sigma)
    np.testing.assert_array_equal(blurred, cv2.GaussianBlur(image, (0, 0), sigma))


def test_what_cannot_be_meant_is_refused() -> None:
    image, box = noise(10, 10), Box.of_shape(10, 10)
    for sigma in (0.0, -1.0, float("nan")):
        with pytest.raises(ConfigurationError, match="sigma"):
            gaussian_halo(sigma)
    with pytest.raises(GeometryError, match="does not hold"):
        gaussian_blur(image, outer=box, box=box.shift(1, 0), sigma=1.0)
