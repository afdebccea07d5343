"""Targets: priority of overlapping classes, and padding."""

from collections.abc import Callable

import numpy as np
import pytest

from pipeline.config.manifest import DatasetRecord
from pipeline.model.targets import IGNORE, build_target, pad_image, pad_target, precedence

TRUTH = np.array([[[1, 1, 0, 0]], [[0, 1, 1, 0]]], np.uint8)


@pytest.mark.parametrize(
    ("priority", "expected"), [((), [1, 1, 2, 0]), (("MA", "OD"), [1, 1, 2, 0]), (("OD", "MA"), [1, 2, 2, 0])]
)
def test_labels_follow_the_priority_of_the_manifest(
    record: Callable[..., DatasetRecord], priority: tuple[str, ...], expected: list[int]
) -> None:
    target = build_target(TRUTH, record=record("multiclass", ("MA", "OD"), priority))
    assert target.tolist() == [expected]
    assert target.dtype == np.uint8


def test_precedence_gives_planes_in_order_of_priority(record: Callable[..., DatasetRecord]) -> None:
    assert precedence(record("multiclass", ("MA", "HE", "OD"), ("OD", "MA", "HE"))) == (2, 0, 1)


@pytest.mark.parametrize("task", ["multilabel", "binary"])
def test_labels_of_other_tasks_keep_their_overlap(record: Callable[..., DatasetRecord], task: str) -> None:
    truth = TRUTH if task == "multilabel" else TRUTH[:1]
    codes = ("MA", "OD") if task == "multilabel" else ("MA",)
    np.testing.assert_array_equal(build_target(truth, record=record(task, codes)), truth)


def test_padding_mirrors_the_image_and_ignores_the_target() -> None:
    image = np.arange(3 * 2 * 3, dtype=np.uint8).reshape(3, 2, 3)
    padded = pad_image(image, 5)
    assert padded.shape == (3, 5, 5)
    np.testing.assert_array_equal(padded[:, :2, :3], image)
    assert padded[0, 0].tolist() == [0, 1, 2, 1, 0]
    target = pad_target(np.ones((2, 2, 3), np.uint8), 5)
    assert target.shape == (2, 5, 5)
    assert (target[:, :2, :3] == 1).all()
    assert (target == IGNORE).sum() == 2 * (25 - 6)


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (7, 1), (8, 8), (9, 12)])
def test_padding_serves_any_size_and_never_cuts(shape: tuple[int, int]) -> None:
    image = np.full((3, *shape), 9, np.uint8)
    padded = pad_image(image, 8)
    assert padded.shape == (3, max(8, shape[0]), max(8, shape[1]))
    assert (padded == 9).all()
