"""Blur inside the field of view: near its definition in double precision, and the same for any partition."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import ndimage

from pipeline.geometry import Box
from pipeline.normalized.fundus.blur import gaussian_blur, gaussian_halo
from pipeline.normalized.fundus.wide_blur import cell_side, cell_sums, smoothed_cells, wide_blur
from pipeline.runtime.job_memory import NARROW
from pipeline.seeds import stream

SHAPE = (150, 210)
WHOLE = Box.of_shape(*SHAPE)


def picture() -> NDArray[np.uint8]:
    return stream(0, "test", "wide blur").integers(0, 256, (*SHAPE, 3), dtype=np.uint8)


def disc(*, radius: float = 70) -> NDArray[np.bool_]:
    y, x = np.mgrid[: WHOLE.height, : WHOLE.width]
    return np.asarray((y - 70) ** 2 + (x - 100) ** 2 < radius**2)


def definition(image: NDArray[np.uint8], inside: NDArray[np.bool_], sigma: float) -> NDArray[np.float64]:
    def smooth(plane: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(ndimage.gaussian_filter(plane, sigma, mode="mirror"))

    weight = smooth(inside.astype(float))
    return np.stack(
        [smooth(image[:, :, at] * inside.astype(float)) / np.maximum(weight, 1e-9) for at in range(3)], axis=2
    )


def smoothed(image: NDArray[np.uint8], inside: NDArray[np.bool_], sigma: float, rows: int = 150) -> NDArray[np.float32]:
    side = cell_side(sigma)
    sums = np.zeros((-(-WHOLE.height // side), -(-WHOLE.width // side), 4), np.uint32)
    for first in range(0, WHOLE.height, rows):
        box = Box(first, 0, min(first + rows, WHOLE.height), WHOLE.width)
        found, cells = cell_sums(image[box.slices], inside[box.slices], box=box, side=side)
        sums[cells] += found
    return smoothed_cells(sums, sigma=sigma, side=side)


@pytest.mark.parametrize("sigma", [16.0, 20.0, 25.7, 57.0])
def test_a_wide_blur_is_within_half_a_grey_level_of_its_definition(sigma: float) -> None:
    image, inside = picture(), disc()
    found = wide_blur(smoothed(image, inside, sigma), box=WHOLE, side=cell_side(sigma))
    assert np.abs(found - definition(image, inside, sigma))[inside].max() < 0.5


@pytest.mark.parametrize("sigma", [2.0, 5.0, 10.0, 15.9])
def test_a_narrow_blur_is_within_the_rounding_of_its_definition(sigma: float) -> None:
    # The weights are 256ths, as OpenCV's.
    image, inside = picture(), disc()
    found = gaussian_blur(image, outer=WHOLE, box=WHOLE, sigma=sigma, inside=inside)
    assert np.abs(found - definition(image, inside, sigma))[inside].max() < 3
    assert np.abs(found - definition(image, inside, sigma))[inside].mean() < 0.6


@given(rows=st.integers(1, 60), y=st.integers(0, 149), x=st.integers(0, 209), sigma=st.sampled_from([2.0, 17.0, 40.0]))
@settings(max_examples=25)
def test_any_partition_and_any_box_give_the_same_blur(rows: int, y: int, x: int, sigma: float) -> None:
    image, inside, box = picture(), disc(), Box(y, x, min(y + 40, 150), min(x + 30, 210))
    if cell_side(sigma) == 1:
        outer = box.grow(gaussian_halo(sigma), WHOLE)
        part = gaussian_blur(image[outer.slices], outer=outer, box=box, sigma=sigma, inside=inside[outer.slices])
        whole = gaussian_blur(image, outer=WHOLE, box=WHOLE, sigma=sigma, inside=inside)[box.slices]
    else:
        part = wide_blur(smoothed(image, inside, sigma, rows), box=box, side=cell_side(sigma))
        whole = wide_blur(smoothed(image, inside, sigma), box=WHOLE, side=cell_side(sigma))[box.slices]
    np.testing.assert_array_equal(part, whole)


@pytest.mark.parametrize("sigma", [3.0, 30.0])
def test_an_even_field_stays_even_up_to_its_rim_whatever_lies_outside(sigma: float) -> None:
    inside = disc(radius=60)
    image = np.where(inside[:, :, None], np.uint8(90), picture())
    if sigma < NARROW:
        found = gaussian_blur(image, outer=WHOLE, box=WHOLE, sigma=sigma, inside=inside).astype(np.float32)
    else:
        found = wide_blur(smoothed(image, inside, sigma), box=WHOLE, side=cell_side(sigma))
    assert np.abs(found[inside] - 90).max() < 1e-3


def test_where_nothing_inside_is_in_reach_there_is_no_blur() -> None:
    nothing = np.zeros(SHAPE, np.bool_)
    assert not wide_blur(smoothed(picture(), nothing, 20.0), box=WHOLE, side=2).any()
    assert not gaussian_blur(picture(), outer=WHOLE, box=WHOLE, sigma=2.0, inside=nothing).any()


def test_the_memory_model_knows_from_which_width_on_a_blur_has_no_halo() -> None:
    assert (cell_side(NARROW), cell_side(NARROW - 0.01)) == (2, 1)
