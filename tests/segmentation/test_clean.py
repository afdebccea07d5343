"""Cleaning strip by strip gives what cleaning the whole mask gives."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import ndimage
from skimage.morphology import remove_small_objects

from pipeline.arrays.raster import Raster
from pipeline.errors import ConfigurationError
from pipeline.geometry import Box, strips
from pipeline.seeds import stream
from pipeline.segmentation.clean import CleanMask, clean

Mask = NDArray[np.bool_]


def cleaned(mask: Mask, *, minimum_area: int, fill_holes: bool, largest_hole: int | None, rows: int) -> CleanMask:
    return clean(
        Raster.of(mask),
        minimum_area=minimum_area,
        fill_holes=fill_holes,
        largest_hole=largest_hole,
        rows=rows,
    )


def whole(mask: CleanMask, height: int, width: int) -> Mask:
    return mask.read(Box.of_shape(height, width))


def reference(mask: Mask, *, minimum_area: int, fill_holes: bool, largest_hole: int | None) -> Mask:
    """The definition on the whole mask, by scikit-image and SciPy."""
    kept: Mask = remove_small_objects(mask, max_size=minimum_area - 1, connectivity=2) if minimum_area > 1 else mask
    if not fill_holes:
        return kept
    holes = ndimage.binary_fill_holes(kept) & ~kept
    if largest_hole is not None:
        labels, count = ndimage.label(holes)
        area = np.bincount(labels.ravel(), minlength=count + 1)
        holes &= area[labels] <= largest_hole
    return np.asarray(kept | holes, dtype=bool)


@settings(deadline=None, max_examples=50)
@given(
    height=st.integers(1, 16),
    width=st.integers(1, 16),
    rows=st.integers(1, 17),
    density=st.floats(0.2, 1),
    seed=st.integers(0, 2**16),
    minimum_area=st.integers(0, 12),
    fill_holes=st.booleans(),
    largest_hole=st.none() | st.integers(0, 6),
)
def test_any_strip_height_gives_the_whole_image_reference(
    height: int,
    width: int,
    rows: int,
    density: float,
    seed: int,
    minimum_area: int,
    fill_holes: bool,
    largest_hole: int | None,
) -> None:
    mask = stream(seed, "mask").random((height, width)) < density
    result = cleaned(mask, minimum_area=minimum_area, fill_holes=fill_holes, largest_hole=largest_hole, rows=rows)
    expected = reference(mask, minimum_area=minimum_area, fill_holes=fill_holes, largest_hole=largest_hole)
    np.testing.assert_array_equal(whole(result, height, width), expected)


@pytest.mark.parametrize("density", [0.45, 0.62, 0.8])
def test_larger_masks_give_the_whole_image_reference(density: float) -> None:
    mask = stream(7, "mask").random((90, 70)) < density
    expected = reference(mask, minimum_area=9, fill_holes=True, largest_hole=5)
    for rows in (1, 16, 89, 1024):
        result = cleaned(mask, minimum_area=9, fill_holes=True, largest_hole=5, rows=rows)
        np.testing.assert_array_equal(whole(result, *mask.shape), expected)


def test_any_box_reads_the_same_pixels() -> None:
    mask = stream(2, "mask").random((31, 23)) < 0.6
    result = cleaned(mask, minimum_area=4, fill_holes=True, largest_hole=None, rows=8)
    expected = whole(result, 31, 23)
    for box in (*strips(31, 23, 5), Box(6, 3, 25, 20), Box(30, 22, 31, 23), Box(4, 0, 4, 23)):
        np.testing.assert_array_equal(result.read(box), expected[box.slices])


def test_an_island_in_a_hole_goes_before_the_hole_is_filled_and_does_not_count_as_hole() -> None:
    mask = np.zeros((9, 9), dtype=bool)
    mask[1:8, 1:8] = True
    mask[2:7, 2:7] = False
    mask[4, 4] = True
    small_island_gone = cleaned(mask, minimum_area=2, fill_holes=True, largest_hole=24, rows=3)
    assert not whole(small_island_gone, 9, 9)[4, 2]
    assert small_island_gone.removed_regions == 1
    island_kept = cleaned(mask, minimum_area=1, fill_holes=True, largest_hole=24, rows=3)
    assert whole(island_kept, 9, 9)[1:8, 1:8].all()
    assert island_kept.filled_holes == 1


def test_regions_and_holes_of_exactly_the_limit_are_kept_and_filled() -> None:
    bars = np.zeros((9, 5), dtype=bool)
    for row, length in enumerate((1, 2, 3, 4)):
        bars[2 * row, :length] = True
    kept = whole(cleaned(bars, minimum_area=3, fill_holes=False, largest_hole=None, rows=4), 9, 5)
    assert kept.sum(axis=1).tolist() == [0, 0, 0, 0, 3, 0, 4, 0, 0]
    holes = np.pad(~bars, 1, constant_values=True)
    filled = whole(cleaned(holes, minimum_area=0, fill_holes=True, largest_hole=3, rows=4), 11, 7)
    assert (~filled).sum(axis=1).tolist() == [0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0]


def test_background_that_leaks_to_the_border_is_not_a_hole_but_a_diagonal_gap_does_not_leak() -> None:
    mask = np.array([[1, 1, 1, 1], [1, 0, 0, 1], [1, 1, 1, 0]], dtype=bool)
    closed = cleaned(mask, minimum_area=0, fill_holes=True, largest_hole=None, rows=1)
    assert closed.filled_holes == 1
    mask[0, 1] = False
    assert cleaned(mask, minimum_area=0, fill_holes=True, largest_hole=None, rows=1).filled_holes == 0


@pytest.mark.parametrize("value", [False, True])
def test_constant_masks_stay_constant(value: bool) -> None:
    mask = np.full((12, 10), value)
    result = cleaned(mask, minimum_area=5, fill_holes=True, largest_hole=None, rows=5)
    np.testing.assert_array_equal(whole(result, 12, 10), mask)


@pytest.mark.parametrize(("minimum_area", "largest_hole"), [(-1, None), (0, -1)])
def test_negative_areas_are_refused(minimum_area: int, largest_hole: int | None) -> None:
    with pytest.raises(ConfigurationError, match="negative"):
        cleaned(np.eye(3, dtype=bool), minimum_area=minimum_area, fill_holes=True, largest_hole=largest_hole, rows=2)
