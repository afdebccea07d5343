"""Steps across lines are counted once each, whatever the blocks, and lines lie where windows meet."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.arrays.raster import Raster
from pipeline.geometry import starts_1d
from pipeline.report.measures.steps import ACTIVE, border_lines, lines_beside, step_profiles


def eager(values, axis):
    wide = values.astype(np.float64)
    before, here = (wide.take(range(first, wide.shape[axis + 1] - 1 + first), axis + 1) for first in (0, 1))
    counts = np.maximum(before, here) >= np.float32(ACTIVE)
    steps = np.where(counts, np.abs(here - before), 0)
    other = 2 if axis == 0 else 1
    pad = ((0, 0), (1, 0))
    return np.pad(steps.sum(axis=other), pad), np.pad(counts.sum(axis=other), pad)


@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 17), st.integers(0, 9))
def test_profiles_are_those_of_the_whole_map_for_any_blocks(height, width, block, seed):
    values = np.random.Generator(np.random.PCG64(seed)).random((2, height, width)).astype(np.float16)
    values[values < 0.4] *= np.float16(0.1)
    profiles = step_profiles(Raster.of(values), classes=2, block=block)
    for axis, profile in enumerate(profiles):
        total, pixels = eager(values, axis)
        np.testing.assert_allclose(profile.total, total, rtol=1e-6)
        np.testing.assert_array_equal(profile.pixels, pixels)


@given(st.integers(1, 300), st.integers(1, 64), st.integers(1, 64))
def test_lines_lie_where_the_set_of_windows_changes(length, window, stride):
    stride = min(stride, window)
    starts = starts_1d(length, window, stride)
    speaking = [frozenset(s for s in starts if s <= at < s + window) for at in range(length)]
    changes = [at for at in range(1, length) if speaking[at] != speaking[at - 1]]
    # Where one window ends as another starts, and no third one lies there, both tell of one line.
    assert list(border_lines(starts, window=window, length=length, overlapping=True)) == changes
    last = [max(s for s in starts if s <= at) for at in range(length)]
    owned = [at for at in range(1, length) if last[at] != last[at - 1]]
    assert list(border_lines(starts, window=window, length=length, overlapping=False)) == owned


def test_lines_beside_are_near_and_touch_no_border():
    assert lines_beside([20], length=100) == (16, 18, 22, 24)
    assert lines_beside([2], length=100) == (4, 6)
    assert lines_beside([20, 23], length=100) == (16, 18, 25, 27)


@pytest.mark.parametrize("axis", [0, 1])
def test_a_step_in_one_place_is_in_one_line(axis):
    values = np.zeros((1, 50, 50), np.float32)
    values[0, *((slice(31, None), slice(5, 15)) if axis == 0 else (slice(5, 15), slice(31, None)))] = 0.75
    profiles = step_profiles(Raster.of(values), classes=1, block=16)
    assert np.flatnonzero(profiles[axis].total[0]).tolist() == [31]
    assert profiles[axis].total[0, 31] == pytest.approx(7.5)
