"""Targets: priority of overlapping classes."""

from collections.abc import Callable

import numpy as np
import pytest

from pipeline.arrays.label_map import precedence
from pipeline.config.manifest import DatasetRecord
from pipeline.model.targets import IGNORE, build_target

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


@pytest.mark.parametrize("task", ["multiclass", "multilabel"])
def test_ignored_pixels_are_ignored_in_every_class(record: Callable[..., DatasetRecord], task: str) -> None:
    ignored = np.array([[0, 0, 0, 1]], np.uint8)
    plain = build_target(TRUTH, record=record(task))
    target = build_target(TRUTH, record=record(task), ignored=ignored)
    assert (target[..., 3] == IGNORE).all()
    np.testing.assert_array_equal(target[..., :3], plain[..., :3])


def test_precedence_gives_planes_in_order_of_priority(record: Callable[..., DatasetRecord]) -> None:
    assert precedence(record("multiclass", ("MA", "HE", "OD"), ("OD", "MA", "HE"))) == (2, 0, 1)


@pytest.mark.parametrize("task", ["multilabel", "binary"])
def test_labels_of_other_tasks_keep_their_overlap(record: Callable[..., DatasetRecord], task: str) -> None:
    truth = TRUTH if task == "multilabel" else TRUTH[:1]
    codes = ("MA", "OD") if task == "multilabel" else ("MA",)
    np.testing.assert_array_equal(build_target(truth, record=record(task, codes)), truth)


@pytest.mark.parametrize("task", ["multiclass", "multilabel"])
def test_the_truth_of_an_unknown_class_is_never_a_target(record: Callable, task: str) -> None:
    unknown = np.array([False, True])
    target = build_target(TRUTH, record=record(task), unknown=unknown)
    alone = build_target(TRUTH * np.array([1, 0], np.uint8)[:, None, None], record=record(task))
    np.testing.assert_array_equal(
        target if task == "multiclass" else target[0], alone if task == "multiclass" else alone[0]
    )
    assert task == "multiclass" or (target[1] == 255).all()
    plain = build_target(TRUTH, record=record(task))
    np.testing.assert_array_equal(build_target(TRUTH, record=record(task), unknown=~unknown & unknown), plain)
