"""Weights are the stated Gaussian, and sums of weights follow from the plan."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.geometry import Box
from pipeline.probability.fusion.fuse import (
    accumulate,
    add_halo,
    are_probabilities,
    fused,
)
from pipeline.probability.fusion.weights import gaussian_weights, weight_sum
from pipeline.probability.plan import WindowPlan
from tests.probability.eager import position_weights


@pytest.mark.parametrize("window", [1, 2, 7, 64, 511, 512])
def test_gaussian_weights_are_the_definition(window: int) -> None:
    np.testing.assert_allclose(gaussian_weights(window), position_weights(window), rtol=1e-6)


def test_gaussian_weights_peak_at_one_in_the_centre_of_an_odd_window_and_never_vanish() -> None:
    weights = gaussian_weights(65)
    assert weights[32, 32] == 1
    assert weights.min() == np.float32(1e-3)
    assert (weights == weights[::-1, ::-1]).all()


@settings(deadline=None, max_examples=40)
@given(
    st.integers(1, 60), st.integers(1, 60), st.integers(1, 16), st.data(), st.sampled_from(["mean", "gaussian", "none"])
)
def test_the_sum_of_weights_is_what_fusing_ones_adds_up_to(
    height: int, width: int, window: int, data: st.DataObject, fusion: str
) -> None:
    stride = window if fusion == "none" else data.draw(st.integers(1, window))
    plan = WindowPlan(height, width, window, stride, 64)
    evaluated = np.array(data.draw(st.lists(st.booleans(), min_size=plan.grid[0] * plan.grid[1], max_size=10_000)))
    evaluated = np.resize(evaluated, plan.grid)
    sums = np.zeros((1, height, width), np.float32)
    for each in plan.touching(Box.of_shape(height, width)):
        if evaluated[each.row, each.column]:
            tile = np.ones((1, window, window), np.float32)
            accumulate(fusion, sums, tile, y=each.y, x=each.x, owned=plan.owned(each))
    y0, x0 = data.draw(st.integers(0, height - 1)), data.draw(st.integers(0, width - 1))
    box = Box(y0, x0, height, width)
    np.testing.assert_allclose(
        weight_sum(fusion, plan, evaluated=evaluated, box=box), sums[(0, *box.slices)], rtol=1e-5
    )


def test_max_keeps_the_largest_value_of_each_class_alone() -> None:
    sums = np.zeros((2, 1, 2), np.float32)
    accumulate("max", sums, np.array([[[0.2]], [[0.8]]], np.float32), y=0, x=0, owned=(1, 1))
    accumulate("max", sums, np.array([[[0.6]], [[0.4]]], np.float32), y=0, x=0, owned=(1, 1))
    assert sums[:, 0].tolist() == np.float32([[0.6, 0.0], [0.8, 0.0]]).tolist()


def test_a_halo_adds_to_sums_and_raises_maxima() -> None:
    for fusion, expected in (("gaussian", 5.0), ("max", 3.0)):
        sums = np.full((1, 4, 4), 2, np.float32)
        add_halo(fusion, sums, np.full((1, 2, 3), 3, np.float32))
        assert (sums[0, :2, :3] == expected).all()
        assert sums.sum() == 2 * 10 + expected * 6


def test_a_pixel_without_window_is_zero_not_nan() -> None:
    plan = WindowPlan(8, 8, 4, 4, 8)
    sums = np.ones((1, 8, 8), np.float32)
    found = fused("mean", sums, plan=plan, evaluated=np.zeros(plan.grid, bool), box=Box(0, 0, 8, 8))
    assert (found.values() == 0).all()


@pytest.mark.parametrize("bad", [np.nan, -np.nan, np.inf, -np.inf, 1.01, -1e-6])
def test_one_value_that_is_no_probability_is_found(bad: float) -> None:
    values = np.linspace(0, 1, 1000, dtype=np.float32).reshape(2, 5, 100)
    assert are_probabilities(values)
    values[1, 3, 77] = bad
    assert not are_probabilities(values)
