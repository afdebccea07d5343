"""The mask of a cleaned map at any threshold is the cleaned mask of the map at that threshold."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.arrays.raster import Raster
from pipeline.seeds import stream
from pipeline.segmentation.clean import clean
from pipeline.segmentation.clean_map import clean_map


def levels(height: int, width: int, *, seed: int, count: int) -> np.ndarray:
    rough = stream(seed, "tests", "clean map").random((height, width))
    smooth = (rough + np.roll(rough, 1, 0) + np.roll(rough, 1, 1) + np.roll(rough, -1, 0)) / 4
    return (np.floor(smooth * count) / count).astype(np.float16)


@settings(deadline=None, max_examples=60)
@given(
    st.integers(1, 24),
    st.integers(1, 24),
    st.integers(0, 99),
    st.integers(2, 12),
    st.integers(0, 9),
    st.booleans(),
    st.one_of(st.none(), st.integers(1, 9)),
)
def test_at_every_threshold_it_is_the_cleaned_mask(
    height: int, width: int, seed: int, count: int, area: int, fill: bool, hole: int | None
) -> None:
    probability = levels(height, width, seed=seed, count=count)
    found = clean_map(probability, minimum_area=area, fill_holes=fill, largest_hole=hole)
    for threshold in np.unique(probability[probability > 0]):
        mask = Raster.of(probability >= threshold)
        expected = clean(mask, minimum_area=area, fill_holes=fill, largest_hole=hole, rows=7).read(mask.box)
        np.testing.assert_array_equal(found >= threshold, expected)


def test_negative_zero_is_zero_and_nothing_else_changes_without_cleaning() -> None:
    probability = levels(9, 11, seed=3, count=40)
    np.testing.assert_array_equal(clean_map(-probability * 0, minimum_area=0, fill_holes=True), 0)
    np.testing.assert_array_equal(clean_map(probability, minimum_area=1, fill_holes=False), probability)


@pytest.mark.parametrize("side", range(4))
def test_what_goes_on_beyond_a_side_stays_as_it_is(side: int) -> None:
    probability = np.zeros((7, 7), np.float16)
    probability[[(0, 3), (3, 0), (6, 3), (3, 6)][side]] = 0.5
    inner = tuple(at == side for at in range(4))
    assert clean_map(probability, minimum_area=4, fill_holes=False, inner=inner).any()  # type: ignore[arg-type]
    assert not clean_map(probability, minimum_area=4, fill_holes=False).any()
