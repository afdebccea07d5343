"""Confusion of labels against torchmetrics, and the rules by which a pixel gets one label."""

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from pipeline.arrays.confusion import LabelRule, confusion, label_ious, most_probable_label
from pipeline.seeds import stream

NAMES = ["background", "MA", "EX", "OD"]


def drawn(seed: int, shape: tuple[int, ...] = (3, 20, 30)) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Truth, masks and probabilities that add up to at most one."""
    random = stream(seed, "tests", "confusion")
    parts = random.dirichlet(np.ones(shape[0] + 1), size=shape[1:])
    probability = np.moveaxis(parts[..., 1:], -1, 0).astype(np.float16)
    return random.random(shape) < 0.3, random.random(shape) < 0.3, probability


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_the_most_probable_label_is_the_argmax_with_background(seed: int) -> None:
    exact = drawn(seed)[2].astype(np.float32)
    together = np.concatenate([1 - exact.sum(axis=0, keepdims=True), exact])
    assert np.array_equal(most_probable_label(exact), together.argmax(axis=0))


@pytest.mark.parametrize("multiclass", [True, False])
def test_matrix_and_ious_count_pixels_one_by_one(multiclass: bool) -> None:
    truth, masks, probability = drawn(1)
    within = stream(2, "tests", "confusion").random(truth.shape[1:]) < 0.8
    matrix = confusion(truth, masks, probability, within, rule=LabelRule((2, 0, 1), multiclass))
    expected = np.zeros((4, 4), np.int64)
    label = lambda held: next((plane + 1 for plane in (2, 0, 1) if held[plane]), 0)  # noqa: E731
    chosen = most_probable_label(probability)
    for y, x in np.argwhere(within):
        other = chosen[y, x] if multiclass else label(masks[:, y, x])
        expected[label(truth[:, y, x]), other] += 1
    assert np.array_equal(matrix, expected)
    for at, (name, iou) in enumerate(label_ious(matrix, NAMES).items()):
        assert name == NAMES[at]
        assert iou == pytest.approx(expected[at, at] / (expected[at].sum() + expected[:, at].sum() - expected[at, at]))


def test_blocks_add_up_to_the_image() -> None:
    truth, masks, probability = drawn(3)
    rule = LabelRule((0, 1, 2), multiclass=True)
    parts = [
        confusion(*(each[:, y : y + 7, x : x + 11] for each in (truth, masks, probability)), rule=rule)
        for y in range(0, 20, 7)
        for x in range(0, 30, 11)
    ]
    assert np.array_equal(sum(parts), confusion(truth, masks, probability, rule=rule))


def test_a_label_without_truth_has_no_iou() -> None:
    found = label_ious(np.array([[5, 2], [0, 0]]), ["background", "EX"])
    assert found["background"] == pytest.approx(5 / 7)
    assert np.isnan(found["EX"])
