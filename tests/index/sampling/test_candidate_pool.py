"""The order of a draw is weighted sampling without replacement, and boxes that are too near are left out in turn."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.index.sampling.candidate_pool import CandidatePool, apart, draw_keys, in_order
from pipeline.seeds import stream


def boxes_at(places, side=10):
    start = np.asarray(places, np.int64).reshape(-1, 2)
    return np.concatenate([start, start + side], axis=1)


def test_the_first_draw_falls_on_a_box_in_proportion_to_its_weight_and_the_second_without_replacement():
    random = np.random.Generator(np.random.PCG64(0))
    value, draws = np.array([0.1, 0.2, 0.7]), 20_000
    keys = draw_keys(random.standard_exponential((draws, 3)).ravel(), np.tile(value, draws), power=1.0)
    order = keys.reshape(draws, 3).argsort(axis=1)
    first = np.bincount(order[:, 0], minlength=3) / draws
    np.testing.assert_allclose(first, value, atol=0.012)  # three standard errors
    after_the_largest = order[order[:, 0] == 2, 1]
    np.testing.assert_allclose((after_the_largest == 1).mean(), 2 / 3, atol=0.015)


@pytest.mark.parametrize("power", [0.0, 0.5, 1.0, 40.0])
def test_the_power_is_that_of_the_weight(power):
    exponential, value = np.array([0.3, 2.0, 1.1]), np.array([0.5, 0.02, 0.9])
    expected = np.log(exponential) - power * np.log(value)
    np.testing.assert_allclose(draw_keys(exponential, value, power=power), expected, rtol=1e-12)


def test_a_value_of_nothing_comes_last_unless_there_is_no_preference():
    exponential, value = np.array([0.1, 5.0]), np.array([0.0, 1e-9])
    assert draw_keys(exponential, value, power=1.0).argmax() == 0
    assert draw_keys(exponential, value, power=0.0).argmax() == 1


def test_equal_keys_keep_their_order():
    pool = CandidatePool(np.array([1.0, 1.0, 0.0]), boxes_at([[5, 1], [2, 9], [7, 7]]), np.ones(3))
    assert in_order(pool).boxes[:, 0].tolist() == [7, 5, 2]


def slow_apart(boxes, distance, most):
    kept = []
    for at, (y, x) in enumerate(boxes[:, :2].tolist()):
        near = any((y - boxes[k, 0]) ** 2 + (x - boxes[k, 1]) ** 2 < distance**2 for k in kept)
        if len(kept) < most and not near:
            kept.append(at)
    return kept


@given(
    places=st.lists(st.tuples(st.integers(0, 60), st.integers(0, 90)), max_size=60),
    distance=st.integers(0, 40),
    most=st.integers(0, 70),
)
def test_boxes_stay_in_turn_where_none_that_stayed_is_near(places, distance, most):
    boxes = boxes_at(places)
    stays = apart(boxes, distance=distance, most=most)
    assert np.flatnonzero(stays).tolist() == slow_apart(boxes, distance, most)
    shorter = apart(boxes[: len(boxes) // 2], distance=distance, most=most)
    assert stays[: len(boxes) // 2].tolist() == shorter.tolist()


def test_a_small_distance_on_a_large_slide_takes_no_memory_for_its_area():
    rng = stream(0, "test", "slide")
    corners = np.concatenate([rng.integers(0, 1_000_000, (300, 2)), 990_000 + rng.integers(0, 40, (300, 2))])
    boxes = np.concatenate([corners, corners + 64], axis=1)
    stays = apart(boxes, distance=3, most=1000)
    assert np.flatnonzero(stays).tolist() == slow_apart(boxes, 3, 1000)
