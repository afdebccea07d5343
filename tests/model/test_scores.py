"""Pooled counts of validation."""

import math

import numpy as np
import pytest
import torch

from pipeline.arrays.metrics import Counts, average_precision, probability_histogram
from pipeline.model.network import probabilities
from pipeline.model.scores import PooledCounts, PooledHistograms, class_counts, mean_known, selection_score


def loop(predicted: np.ndarray, truth: np.ndarray, exists: np.ndarray) -> list[int]:
    pairs = list(zip(predicted[exists].tolist(), truth[exists].tolist(), strict=True))
    return [sum(p and t for p, t in pairs), sum(p and not t for p, t in pairs), sum(t and not p for p, t in pairs)]


def test_label_counts_equal_a_loop_over_pixels() -> None:
    random = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 4, 6, 7, generator=random)
    target = torch.randint(0, 4, (2, 6, 7), generator=random, dtype=torch.uint8)
    target[:, :, -1] = 255
    label, exists = logits.argmax(dim=1).numpy(), (target != 255).numpy()
    expected = [loop(label == at, target.numpy() == at, exists) for at in (1, 2, 3)]
    assert class_counts(logits, target, task="multiclass").tolist() == expected


@pytest.mark.parametrize("task", ["multilabel", "binary"])
def test_plane_counts_equal_a_loop_over_pixels_at_one_half(task: str) -> None:
    random = torch.Generator().manual_seed(0)
    planes = 3 if task == "multilabel" else 1
    logits = torch.randn(2, planes, 6, 7, generator=random)
    target = torch.randint(0, 2, (2, planes, 6, 7), generator=random, dtype=torch.uint8)
    target[..., -1] = 255
    predicted, exists = logits.sigmoid().numpy() >= 0.5, (target != 255).numpy()
    truth = target.numpy() == 1
    expected = [loop(predicted[:, at], truth[:, at], exists[:, at]) for at in range(planes)]
    assert class_counts(logits, target, task=task).tolist() == expected


@pytest.mark.parametrize("task", ["multilabel", "multiclass"])
def test_a_patch_in_which_nobody_looked_for_a_class_counts_nothing_for_it(task: str) -> None:
    random = torch.Generator().manual_seed(3)
    unknown = torch.tensor([[False, True, False], [False, False, False]])
    logits = torch.randn(2, 4 if task == "multiclass" else 3, 6, 7, generator=random)
    if task == "multiclass":
        target = torch.randint(0, 4, (2, 6, 7), generator=random, dtype=torch.uint8)
        target[0][target[0] == 2] = 0
        chances = logits.double().softmax(dim=1).numpy()
        chances[0, 0] += chances[0, 2]  # background and the class that nobody looked for are one outcome
        chances[0, 2] = 0
        predicted = [chances.argmax(axis=1) == at for at in (1, 2, 3)]
        truth = [target.numpy() == at for at in (1, 2, 3)]
    else:
        target = torch.randint(0, 2, (2, 3, 6, 7), generator=random, dtype=torch.uint8)
        target[unknown] = 255
        predicted, truth = list((logits.numpy() >= 0).swapaxes(0, 1)), list((target.numpy() == 1).swapaxes(0, 1))
    known = ~unknown.numpy()
    expected = [
        loop(predicted[at][known[:, at]], truth[at][known[:, at]], np.ones((known[:, at].sum(), 6, 7), bool))
        for at in range(3)
    ]
    assert class_counts(logits, target, unknown, task=task).tolist() == expected
    pooled = PooledHistograms(3, task=task)
    pooled.update(logits, target, unknown)
    chances = probabilities(logits, task).half().numpy()
    for at, found in enumerate(pooled.compute().numpy()):
        own = known[:, at]
        np.testing.assert_array_equal(found, probability_histogram(chances[own, at], truth[at][own]))


def test_unknown_classes_and_background_together_outweigh_a_class_that_each_alone_does_not() -> None:
    logits = torch.log(torch.tensor([0.3, 0.36, 0.34])).reshape(1, 3, 1, 1).expand(-1, -1, 4, 5)
    unknown, target = torch.tensor([[False, True]]), torch.zeros(1, 4, 5, dtype=torch.uint8)
    assert class_counts(logits, target, unknown, task="multiclass").tolist() == [[0, 0, 0], [0, 0, 0]]
    assert class_counts(logits.bfloat16(), target, unknown, task="multiclass").tolist() == [[0, 0, 0], [0, 0, 0]]
    assert class_counts(logits, target, task="multiclass").tolist() == [[0, 20, 0], [0, 0, 0]]


def test_counts_add_up_over_batches_and_start_again() -> None:
    pooled = PooledCounts(1, task="binary")
    logits = torch.tensor([[[[5.0, 5.0, -5.0, -5.0]]]])
    target = torch.tensor([[[[1, 0, 1, 0]]]], dtype=torch.uint8)
    for _ in range(3):
        pooled.update(logits, target)
    [found] = pooled.per_class()
    assert (found.tp, found.fp, found.fn) == (3, 3, 3)
    pooled.reset()
    pooled.update(logits, target)
    assert pooled.per_class()[0].dice == 0.5


def test_the_best_weights_are_chosen_by_mean_dice_or_by_the_mean_of_dice_and_iou() -> None:
    classes = [Counts(tp=2, fp=1, fn=1), Counts(tn=5), Counts(fn=1)]
    classes.append(Counts(fp=3))  # without truth, whatever was predicted
    assert selection_score(classes, measure="dice") == pytest.approx((4 / 6 + 0) / 2)
    assert selection_score(classes, measure="dice_and_miou") == pytest.approx(((4 / 6) / 2 + (2 / 4) / 2) / 2)
    assert math.isnan(selection_score([Counts(tn=5), Counts(fp=2)], measure="dice"))


@pytest.mark.parametrize("task", ["multiclass", "multilabel", "binary"])
def test_average_precision_is_that_of_the_report_over_all_batches(task: str) -> None:
    random = torch.Generator().manual_seed(1)
    planes = 1 if task == "binary" else 3
    pooled, logits, targets = PooledHistograms(planes, task=task), [], []
    for _ in range(2):
        logits.append(torch.randn(2, planes + (task == "multiclass"), 9, 7, generator=random) * 4)
        shape = (2, 9, 7) if task == "multiclass" else (2, planes, 9, 7)
        labels = torch.randint(0, 3 if task == "multiclass" else 2, shape, generator=random, dtype=torch.uint8)
        targets.append(labels.masked_fill(torch.rand(shape, generator=random) < 0.2, 255))
        pooled.update(logits[-1], targets[-1])
    chances = probabilities(torch.cat(logits), task).half().numpy()
    target = torch.cat(targets).numpy()
    if task == "multiclass":
        within = np.broadcast_to(target[:, None] != 255, chances.shape)
        truth = target[:, None] == np.arange(1, planes + 1)[:, None, None]
    else:
        within, truth = target != 255, target == 1
    for at, found in enumerate(pooled.per_class()):
        expected = average_precision(probability_histogram(chances[:, at], truth[:, at], within[:, at]))
        assert found == expected or (math.isnan(found) and not truth[:, at].any())
    assert any(math.isnan(found) for found in pooled.per_class()) == (task == "multiclass"), "its last class is absent"
    pooled.reset()
    assert all(math.isnan(found) for found in pooled.per_class())


@pytest.mark.parametrize("task", ["multilabel", "multiclass"])
def test_the_trivial_answer_is_that_of_a_network_that_marks_everything(task: str) -> None:
    random, scores = torch.Generator().manual_seed(4), PooledHistograms(3, task=task)
    targets = []
    for _ in range(2):
        shape = (2, 6, 7) if task == "multiclass" else (2, 3, 6, 7)
        target = torch.randint(0, 3 if task == "multiclass" else 2, shape, generator=random, dtype=torch.uint8)
        if task != "multiclass":
            target[:, 2] = 0  # no truth of the third class
        target[..., -1] = 255
        scores.update(torch.randn(2, 4 if task == "multiclass" else 3, 6, 7, generator=random), target)
        targets.append(target.numpy()[..., :-1])
    truth = np.concatenate(targets)
    planes = [truth == at for at in (1, 2, 3)] if task == "multiclass" else [truth[:, at] == 1 for at in range(3)]
    expected = [2 * plane.sum() / (plane.sum() + plane.size) if plane.any() else math.nan for plane in planes]
    np.testing.assert_allclose(scores.everywhere(), expected)
    assert mean_known(scores.everywhere()) == pytest.approx(np.nanmean(expected))


def test_without_validation_nothing_is_known_of_the_trivial_answer() -> None:
    assert all(map(math.isnan, [*PooledHistograms(2, task="multilabel").everywhere(), mean_known([])]))
