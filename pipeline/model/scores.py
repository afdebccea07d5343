"""Scores of an epoch: Dice and IoU per class, pixels of all validation patches counted together.

Predictions are the most likely label (multiclass) or probabilities of at least one half (otherwise); truth is the
target that is learned, so overlapping classes count by priority for multiclass. Pixels that do not exist or are
ignored count nothing. Neighbouring patches of the grid overlap, and a pixel in two patches counts twice. That weights pixels
slightly, changes no class against another, and the report measures whole images anyway.
"""

import math
from collections.abc import Iterable
from typing import Literal

import torch
from torch import Tensor

from pipeline.arrays.metrics import Counts
from pipeline.model.network import Task
from pipeline.model.operators import prepare_torchvision
from pipeline.model.targets import IGNORE

prepare_torchvision()  # torchmetrics imports torchvision
from torchmetrics import Metric  # noqa: E402

__all__ = ["PooledCounts", "class_counts", "selection_score"]


def class_counts(logits: Tensor, target: Tensor, *, task: Task) -> Tensor:
    """Counts of a batch per class: true positives, false positives, false negatives.

    Parameters
    ----------
    logits
        ``(n, outputs, h, w)``.
    target
        uint8 with 255 to ignore: ``(n, h, w)`` labels for multiclass, ``(n, classes, h, w)`` otherwise.
    task
        Decides what the logits mean.

    Returns
    -------
    Tensor
        ``(classes, 3)`` int64: true positives, false positives, false negatives.
    """
    if task == "multiclass":
        return _label_counts(logits.argmax(dim=1), target, labels=logits.shape[1])
    predicted, exists = logits >= 0, target != IGNORE
    truth = target == 1
    parts = (predicted & truth, predicted & ~truth & exists, ~predicted & truth)
    return torch.stack([part.sum(dim=(0, 2, 3)) for part in parts], dim=1)


def _label_counts(predicted: Tensor, target: Tensor, *, labels: int) -> Tensor:
    exists = target != IGNORE
    pairs = target[exists].long() * labels + predicted[exists]
    table = torch.bincount(pairs, minlength=labels * labels).reshape(labels, labels)
    hits = table.diagonal()
    return torch.stack([hits, table.sum(dim=0) - hits, table.sum(dim=1) - hits], dim=1)[1:]


class PooledCounts(Metric):
    """Pooled counts, which add up over batches, and over devices where there are several."""

    full_state_update = False
    total: Tensor

    def __init__(self, classes: int, *, task: Task) -> None:
        super().__init__()
        self.task = task
        self.add_state("total", default=torch.zeros(classes, 3, dtype=torch.int64), dist_reduce_fx="sum")

    def update(self, logits: Tensor, target: Tensor) -> None:
        """Counts of a batch, added."""
        self.total += class_counts(logits, target, task=self.task)

    def compute(self) -> Tensor:
        """``(classes, 3)`` int64: true positives, false positives, false negatives of all batches."""
        return self.total

    def per_class(self) -> list[Counts]:
        """Counts of all batches as records, in manifest order."""
        return [Counts(tp=tp, fp=fp, fn=fn) for tp, fp, fn in self.compute().tolist()]


def selection_score(classes: Iterable[Counts], *, measure: Literal["dice", "dice_and_miou"]) -> float:
    """Score by which the best weights are chosen, from the validation counts pooled per class.

    ``dice`` is the mean Dice over the classes given, ``dice_and_miou`` the mean of that and of their mean IoU. Classes
    without a defined value, which neither truth nor prediction holds, are left out; NaN where none is left.
    """
    defined = [count for count in classes if not math.isnan(count.dice)]
    if not defined:
        return math.nan
    dice = sum(count.dice for count in defined) / len(defined)
    if measure == "dice":
        return dice
    return (dice + sum(count.iou for count in defined) / len(defined)) / 2
