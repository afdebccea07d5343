"""Scores of an epoch: Dice, IoU and AUPR per class, pixels of all validation patches counted together.

The prediction is the most likely label for multiclass, else every class with a probability of at least one half. Where
nobody looked for some classes, they and the background are one label, with the sum of their probabilities. Truth
is the training target, so for multiclass priority resolves overlaps. Padded and ignored pixels do not count.
Neighbouring patches of the grid overlap, and a pixel in two patches counts twice. That weights pixels slightly but
favours no class, and the report measures whole images anyway.

A class without truth in the validation patches has no score, whatever was predicted. A patch in which nobody looked for
a class does not count for that class.
"""

import math
from collections.abc import Callable, Iterable
from typing import Literal, TypeAlias

import torch
from torch import Tensor

from pipeline.arrays.metrics import HISTOGRAM_BINS, Counts, average_precision
from pipeline.config.manifest import Task
from pipeline.model.marginal import known_labels
from pipeline.model.network import probabilities
from pipeline.model.operators import prepare_torchvision
from pipeline.model.targets import IGNORE

prepare_torchvision()  # Torchmetrics imports torchvision.
from torchmetrics import Metric  # noqa: E402

__all__ = [
    "PatchMean",
    "PooledCounts",
    "PooledHistograms",
    "Score",
    "class_counts",
    "class_histograms",
    "mean_known",
    "selection_score",
]

Score: TypeAlias = Literal["dice_miou", "dice", "lesion_aupr"]
"""Validation scores for selecting an epoch."""


def class_counts(logits: Tensor, target: Tensor, unknown: Tensor | None = None, *, task: Task) -> Tensor:
    """Counts of a batch per class: true positives, false positives, false negatives.

    Parameters
    ----------
    logits
        ``(n, outputs, h, w)``.
    target
        uint8 with 255 to ignore: ``(n, h, w)`` labels for multiclass, ``(n, classes, h, w)`` otherwise.
    unknown
        ``(n, classes)`` bool: classes that nobody looked for in the image of a patch; None where there is none.
    task
        Decides what the logits mean.

    Returns
    -------
    Tensor
        ``(classes, 3)`` int64: true positives, false positives, false negatives.
    """
    if task == "multiclass":
        return _label_counts(known_labels(logits, unknown), target, labels=logits.shape[1])
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
    """Pooled counts, which add up over batches and over several devices."""

    full_state_update = False
    total: Tensor

    def __init__(self, classes: int, *, task: Task) -> None:
        super().__init__()
        self.task = task
        self.add_state("total", default=torch.zeros(classes, 3, dtype=torch.int64), dist_reduce_fx="sum")

    def update(self, logits: Tensor, target: Tensor, unknown: Tensor | None = None) -> None:
        """Counts of a batch, added."""
        self.total += class_counts(logits, target, unknown, task=self.task)

    def compute(self) -> Tensor:
        """``(classes, 3)`` int64: true positives, false positives, false negatives of all batches."""
        return self.total

    def per_class(self) -> list[Counts]:
        """Counts of all batches as records, in manifest order."""
        return [Counts(tp=tp, fp=fp, fn=fn) for tp, fp, fn in self.compute().tolist()]


def class_histograms(logits: Tensor, target: Tensor, unknown: Tensor | None = None, *, task: Task) -> Tensor:
    """Histograms of the probabilities of a batch per class, of the pixels without and with truth.

    Parameters are those of `class_counts`.

    Returns
    -------
    Tensor
        ``(classes, 2, 15361)`` int64, by the bit pattern of the probability as float16 (`pipeline.arrays.metrics`).
    """
    chances = probabilities(logits, task).half().nan_to_num(0.0)
    exists = (target != IGNORE).reshape(len(target), -1, *target.shape[-2:]).expand_as(chances)
    if unknown is not None:
        exists = exists & ~unknown[:, :, None, None]
    if task == "multiclass":
        labels = torch.arange(1, chances.shape[1] + 1, device=target.device)[None, :, None, None]
        truth = target[:, None] == labels
    else:
        truth = target == 1
    planes = torch.arange(chances.shape[1], device=target.device)[None, :, None, None] * 2 + truth
    bins = (planes * HISTOGRAM_BINS + chances.contiguous().view(torch.int16))[exists]
    length = chances.shape[1] * 2 * HISTOGRAM_BINS
    return torch.bincount(bins, minlength=length).reshape(chances.shape[1], 2, HISTOGRAM_BINS)


class PooledHistograms(Metric):
    """Pooled histograms of probabilities, which add up like `PooledCounts`."""

    full_state_update = False
    total: Tensor

    def __init__(self, classes: int, *, task: Task) -> None:
        super().__init__()
        self.task = task
        empty = torch.zeros(classes, 2, HISTOGRAM_BINS, dtype=torch.int64)
        self.add_state("total", default=empty, dist_reduce_fx="sum")

    def update(self, logits: Tensor, target: Tensor, unknown: Tensor | None = None) -> None:
        """Histograms of a batch, added."""
        self.total += class_histograms(logits, target, unknown, task=self.task)

    def compute(self) -> Tensor:
        """``(classes, 2, 15361)`` int64 of all batches."""
        return self.total

    def per_class(self) -> list[float]:
        """Average precision of each class, in manifest order; NaN without truth."""
        if not self.update_called:  # Nothing validates; torchmetrics would warn.
            return [math.nan] * len(self.total)
        return [average_precision(histogram) for histogram in self.compute().cpu().numpy()]

    def everywhere(self) -> list[float]:
        """Dice of the trivial answer that marks every pixel, for each class in manifest order; NaN without truth."""
        if not self.update_called:
            return [math.nan] * len(self.total)
        sums = self.compute().sum(dim=-1).tolist()
        return [Counts(tp=truth, fp=other, fn=0).dice if truth else math.nan for other, truth in sums]


class PatchMean:
    """Mean over patches, in double precision."""

    def __init__(self) -> None:
        self.total, self.patches = 0.0, 0

    def add(self, value: float, patches: int) -> None:
        """Value of some patches, added."""
        self.total += value * patches
        self.patches += patches

    @property
    def value(self) -> float:
        """Mean so far, of this process; NaN without patches."""
        return self.total / self.patches if self.patches else math.nan

    def take(self, added: Callable[[Tensor], Tensor]) -> float:
        """The mean over the patches of all processes; it then starts anew."""
        total, patches = added(torch.tensor([self.total, self.patches], dtype=torch.float64)).tolist()
        value = total / patches if patches else math.nan
        self.total, self.patches = 0.0, 0
        return value


def selection_score(classes: Iterable[Counts], *, measure: Literal["dice", "dice_and_miou"]) -> float:
    """Score of an epoch, from the validation counts pooled per class.

    ``dice`` is the mean Dice over the given classes, ``dice_and_miou`` the mean of mean Dice and mean IoU. Classes
    without truth are left out; NaN where none is left.
    """
    present = [count for count in classes if count.tp + count.fn]
    if not present:
        return math.nan
    dice = sum(count.dice for count in present) / len(present)
    if measure == "dice":
        return dice
    return (dice + sum(count.iou for count in present) / len(present)) / 2


def mean_known(values: Iterable[float]) -> float:
    """Mean of the values that are known; NaN where all are NaN, or there is none."""
    known = [value for value in values if not math.isnan(value)]
    return sum(known) / len(known) if known else math.nan
