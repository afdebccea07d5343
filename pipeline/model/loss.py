"""Losses by name, and their weighted sum, where pixels that do not exist or are ignored count nothing.

Every loss is a line of ``LOSSES``. To add one, enter it there and its name in ``LossTerm`` (`pipeline.config.model`), with
its parameters if it has any; a test holds both together.

Dice and Tversky pool the pixels of a batch per class, and a class without truth in it counts as 0 in their mean, as
segmentation_models_pytorch has it. What is predicted of such a class is punished by the term per pixel (focal,
cross-entropy) beside them.

References
----------
Milletari et al., V-Net, 3DV 2016 (Dice); Salehi et al., MLMI 2017 (Tversky); Lin et al., ICCV 2017 (focal).
"""

from collections.abc import Callable, Sequence
from typing import cast

import torch
import torch.nn.functional as F  # noqa: N812 its usual name
from torch import Tensor, nn

from pipeline.config import LossTerm
from pipeline.errors import ModelError
from pipeline.model.network import Task
from pipeline.model.operators import prepare_torchvision
from pipeline.model.targets import IGNORE

__all__ = ["LOSSES", "WeightedLoss", "build_loss"]


class WeightedLoss(nn.Module):
    """Weighted sum of losses, in float32 whatever the precision of the network."""

    def __init__(self, terms: Sequence[nn.Module], *, weights: Sequence[float]) -> None:
        super().__init__()
        self.terms = nn.ModuleList(terms)
        self.weights = tuple(weights)

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """Loss of a batch.

        Parameters
        ----------
        logits
            ``(n, outputs, h, w)``, float.
        target
            uint8 with 255 for pixels to ignore: ``(n, h, w)`` labels for multiclass, ``(n, classes, h, w)`` otherwise.

        Returns
        -------
        Tensor
            A scalar, float32.
        """
        with torch.autocast(device_type=logits.device.type, enabled=False):
            exact = logits.float()
            wanted = target.long() if target.ndim == 3 else target.float()
            values = [weight * term(exact, wanted) for weight, term in zip(self.weights, self.terms, strict=True)]
        return cast("Tensor", sum(values))


class Focal(nn.Module):
    """Focal loss: mean of ``-(1 - p)^gamma log p`` over the pixels that exist, p the probability of what is true there.

    The forms of segmentation_models_pytorch do not serve: for multiclass it fits one sigmoid per label, which does
    not belong to outputs that are read through a softmax, and for multilabel it cannot ignore pixels.
    """

    def __init__(self, gamma: float, *, task: Task) -> None:
        super().__init__()
        self.gamma, self.task = gamma, task

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """Labels ``(n, h, w)`` for multiclass, planes ``(n, classes, h, w)`` otherwise."""
        exists = target != IGNORE
        if self.task == "multiclass":
            surprise = F.cross_entropy(logits, target, reduction="none", ignore_index=IGNORE)
        else:
            surprise = F.binary_cross_entropy_with_logits(logits, target * exists, reduction="none") * exists
        focus = (-torch.expm1(-surprise)).clamp_min(1e-6) ** self.gamma  # a power below 1 has no slope at 0
        return (focus * surprise).sum() / exists.sum().clamp_min(1)


class Bce(nn.Module):
    """Binary cross-entropy with logits, a mean over the pixels that exist."""

    def __init__(self) -> None:
        super().__init__()
        from segmentation_models_pytorch.losses import SoftBCEWithLogitsLoss

        self.total = SoftBCEWithLogitsLoss(ignore_index=IGNORE, reduction="sum")

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """Planes ``(n, classes, h, w)``."""
        return cast("Tensor", self.total(logits, target)) / (target != IGNORE).sum().clamp_min(1)


class CrossEntropy(nn.Module):
    """Cross-entropy, a mean over the pixels that exist; 0 where none does, whose mean would be no number."""

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """Labels ``(n, h, w)``."""
        if not bool((target != IGNORE).any()):
            return logits.sum() * 0
        return F.cross_entropy(logits, target, ignore_index=IGNORE)


def _dice(_: LossTerm, task: Task) -> nn.Module:
    from segmentation_models_pytorch.losses import DiceLoss

    return cast("nn.Module", DiceLoss(_mode(task), ignore_index=IGNORE))


def _tversky(term: LossTerm, task: Task) -> nn.Module:
    from segmentation_models_pytorch.losses import TverskyLoss

    return cast("nn.Module", TverskyLoss(_mode(task), ignore_index=IGNORE, alpha=term.alpha, beta=term.beta))


def _mode(task: Task) -> str:
    return "multiclass" if task == "multiclass" else "multilabel"


LABELS: tuple[Task, ...] = ("multiclass",)
"""Tasks whose target is one label map."""
PLANES: tuple[Task, ...] = ("multilabel", "binary")
"""Tasks whose target is one plane per class."""

LOSSES: dict[str, tuple[tuple[Task, ...], Callable[[LossTerm, Task], nn.Module]]] = {
    "dice": (LABELS + PLANES, _dice),
    "tversky": (LABELS + PLANES, _tversky),
    "focal": (LABELS + PLANES, lambda term, task: Focal(term.gamma, task=task)),
    "cross_entropy": (LABELS, lambda _term, _task: CrossEntropy()),
    "bce": (PLANES, lambda _term, _task: Bce()),
}
"""Name → tasks that it has a meaning for, and what builds it from its term: a module ``forward(logits, target)``."""


def build_loss(terms: Sequence[LossTerm], *, task: Task) -> WeightedLoss:
    """Loss that the configuration names.

    Raises
    ------
    ModelError
        For a term that has no meaning for the task.
    """
    prepare_torchvision()
    return WeightedLoss([_term(term, task=task) for term in terms], weights=[term.weight for term in terms])


def _term(term: LossTerm, *, task: Task) -> nn.Module:
    tasks, build = LOSSES[term.name]
    if task in tasks:
        return build(term, task)
    fitting = [name for name, (own, _) in LOSSES.items() if task in own]
    other = "cross_entropy" if task == "multiclass" else "bce"
    raise ModelError(
        "A loss does not fit the task.",
        where="model.models.*.loss",
        found=f"{term.name} for task {task}",
        expected=", ".join(fitting),
        remedy=f"Use {other} instead.",
    )
