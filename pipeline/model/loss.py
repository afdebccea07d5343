"""Losses by name, and their weighted sum; padded and ignored pixels do not count.

Every loss is a line of ``LOSSES``. To add one, enter it there and add its name to ``LossTerm``
(`pipeline.config.model`), with its parameters if it has any; a test compares both. A loss that suits only some tasks
lists them in ``LOSS_TASKS`` (`pipeline.model.refusals`).

Dice and Tversky pool the pixels of a batch per class; a class without truth in the batch counts as 0 in their mean, as
in segmentation_models_pytorch. Predictions of such a class are penalised by the per-pixel term (focal, cross-entropy)
beside them.

Class weights turn every mean over classes or pixels into a weighted mean; a pixel has the weight of its class or plane.
So their scale does not matter. Only the softmax form of Lovász takes no weights.

A class that nobody looked for in an image does not count in the loss of its patches. Its plane is ignored; with labels,
it and the background are one outcome with the sum of their probabilities (marginal loss).

References
----------
Milletari et al., V-Net, 3DV 2016 (Dice); Salehi et al., MLMI 2017 (Tversky); Lin et al., ICCV 2017 (focal); Abraham and
Khan, ISBI 2019 (focal Tversky); Berman et al., CVPR 2018 (Lovász); Kervadec et al., MIDL 2019 (boundary); Fang and Yan,
IEEE TMI 2020, and Shi et al., Medical Image Analysis 2021 (marginal loss).
"""

from collections.abc import Callable, Sequence
from typing import TypeAlias, cast

import torch
import torch.nn.functional as F  # noqa: N812 its usual name
from torch import Tensor, nn

from pipeline.arrays.distance import signed_distances
from pipeline.config import LossTerm
from pipeline.config.manifest import Task
from pipeline.model.label_overlap import LabelTversky
from pipeline.model.marginal import marginal_logits
from pipeline.model.operators import prepare_torchvision
from pipeline.model.refusals import check_loss
from pipeline.model.targets import IGNORE

__all__ = ["LOSSES", "WeightedLoss", "build_loss"]


class WeightedLoss(nn.Module):
    """Weighted sum of losses, in float32 whatever the precision of the network."""

    def __init__(self, terms: Sequence[nn.Module], *, weights: Sequence[float]) -> None:
        super().__init__()
        self.terms = nn.ModuleList(terms)
        self.weights = tuple(weights)

    def forward(self, logits: Tensor, target: Tensor, unknown: Tensor | None = None) -> Tensor:
        """Loss of a batch.

        Parameters
        ----------
        logits
            ``(n, outputs, h, w)``, float.
        target
            uint8 with 255 for pixels to ignore: ``(n, h, w)`` labels for multiclass, ``(n, classes, h, w)`` otherwise,
            where the planes of unknown classes are 255.
        unknown
            ``(n, classes)`` bool: classes that nobody looked for in the image of a patch; None where there are none.

        Returns
        -------
        Tensor
            A scalar, float32.
        """
        with torch.autocast(device_type=logits.device.type, enabled=False):
            exact = logits.float()
            if target.ndim == 3 and unknown is not None and bool(unknown.any()):
                exact = marginal_logits(exact, unknown)
            wanted = target.long() if target.ndim == 3 else target.float()
            values = [weight * term(exact, wanted) for weight, term in zip(self.weights, self.terms, strict=True)]
        return cast("Tensor", sum(values))


def _pixel_mean(values: Tensor, target: Tensor, weights: Tensor | None) -> Tensor:
    """Mean over existing pixels (``values`` is 0 elsewhere), weighted by class or plane where weights are given."""
    exists = target != IGNORE
    if weights is None:
        return values.sum() / exists.sum().clamp_min(1)
    weights = weights.to(values)
    shares = weights[(target * exists).long()] if target.ndim == 3 else weights[:, None, None].expand_as(values)
    return (values * shares).sum() / (shares * exists).sum().clamp_min(torch.finfo(values.dtype).tiny)


class Focal(nn.Module):
    """Focal loss: mean of ``-(1 - p)^gamma log p`` over existing pixels, with p the probability of the true class.

    The forms of segmentation_models_pytorch do not fit: for multiclass they use one sigmoid per label, although outputs
    go through a softmax, and for multilabel they cannot ignore pixels.
    """

    def __init__(self, gamma: float, *, task: Task, weights: Tensor | None = None) -> None:
        super().__init__()
        self.gamma, self.task, self.weights = gamma, task, weights

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """Labels ``(n, h, w)`` for multiclass, planes ``(n, classes, h, w)`` otherwise."""
        exists = target != IGNORE
        if self.task == "multiclass":
            surprise = F.cross_entropy(logits, target, reduction="none", ignore_index=IGNORE)
        else:
            surprise = F.binary_cross_entropy_with_logits(logits, target * exists, reduction="none") * exists
        focus = (-torch.expm1(-surprise)).clamp_min(1e-6) ** self.gamma  # a power below 1 has no slope at 0
        return _pixel_mean(focus * surprise, target, self.weights)


class Boundary(nn.Module):
    """Boundary loss: mean of p·φ over existing pixels and classes, with φ the signed distance to the border.

    Outside the truth φ is the distance to it in pixels, inside minus the distance to its last pixel; 0 where a class
    has no truth in a patch. It is computed from the target after augmentation: about 2 ms for each 512² patch and class
    present. Combine it with another loss, with a small weight.
    """

    def __init__(self, *, task: Task, weights: Tensor | None = None) -> None:
        super().__init__()
        self.task = task
        self.weights = weights if weights is None or task != "multiclass" else weights[1:]

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """Labels ``(n, h, w)`` for multiclass, planes ``(n, classes, h, w)`` otherwise."""
        exists = target != IGNORE
        if self.task == "multiclass":
            chances = logits.softmax(dim=1)[:, 1:]
            planes = torch.stack([target == label for label in range(1, logits.shape[1])], dim=1)
            exists = exists[:, None].expand_as(planes)
        else:
            chances, planes = logits.sigmoid(), target == 1
        distances = signed_distances(planes.cpu().numpy(), exists.cpu().numpy())
        values = chances * torch.from_numpy(distances).to(chances.device) * exists
        return _pixel_mean(values, torch.where(exists, 1, IGNORE), self.weights)


class Bce(nn.Module):
    """Binary cross-entropy with logits, a mean over existing pixels."""

    def __init__(self, *, weights: Tensor | None = None) -> None:
        super().__init__()
        self.weights = weights

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """Planes ``(n, classes, h, w)``."""
        exists = target != IGNORE
        surprise = F.binary_cross_entropy_with_logits(logits, target * exists, reduction="none")
        return _pixel_mean(surprise * exists, target, self.weights)


class CrossEntropy(nn.Module):
    """Cross-entropy, a mean over existing pixels; 0 where there is none, because the mean would be NaN."""

    def __init__(self, *, weights: Tensor | None = None) -> None:
        super().__init__()
        self.weights = weights

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """Labels ``(n, h, w)``."""
        if not bool((target != IGNORE).any()):
            return (logits * 0).sum()  # The sum of large logits may be infinite.
        weights = None if self.weights is None else self.weights.to(logits)
        return F.cross_entropy(logits, target, weight=weights, ignore_index=IGNORE)


def _dice(_: LossTerm, task: Task, weights: Tensor | None) -> nn.Module:
    if task == "multiclass":
        return LabelTversky(weights=weights)
    from segmentation_models_pytorch.losses import DiceLoss

    return cast("nn.Module", DiceLoss("multilabel", ignore_index=IGNORE, class_weights=weights))


def _tversky(term: LossTerm, task: Task, weights: Tensor | None) -> nn.Module:
    if task == "multiclass":
        return LabelTversky(alpha=term.alpha, beta=term.beta, weights=weights)
    from segmentation_models_pytorch.losses import TverskyLoss

    shape = {"alpha": term.alpha, "beta": term.beta, "class_weights": weights}
    return cast("nn.Module", TverskyLoss("multilabel", ignore_index=IGNORE, **shape))


def _focal_tversky(term: LossTerm, task: Task, weights: Tensor | None) -> nn.Module:
    if task == "multiclass":
        return LabelTversky(alpha=term.alpha, beta=term.beta, gamma=term.gamma, weights=weights)
    from segmentation_models_pytorch.losses import TverskyLoss

    class FocalTversky(TverskyLoss):
        """Focal Tversky loss as in the paper: the loss of each class is raised to a power, not the mean as in the library."""

        def aggregate_loss(self, loss: Tensor) -> Tensor:
            present = loss > 0  # A power below 1 has no slope at 0, and a class without truth has no loss.
            powers = torch.where(present, loss, 1) ** (1 / term.gamma) * present
            return cast("Tensor", super().aggregate_loss(powers))

    shape = {"alpha": term.alpha, "beta": term.beta, "gamma": 1.0, "class_weights": weights}
    return cast("nn.Module", FocalTversky("multilabel", ignore_index=IGNORE, **shape))


class Lovasz(nn.Module):
    """Lovász loss, the convex surrogate of 1 − IoU: the softmax form for multiclass, else the mean of the hinge forms."""

    def __init__(self, *, task: Task, weights: Tensor | None = None) -> None:
        super().__init__()
        from segmentation_models_pytorch.losses import LovaszLoss

        self.weights = weights
        self.form = LovaszLoss("multiclass" if task == "multiclass" else "binary", ignore_index=IGNORE)

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """Labels ``(n, h, w)`` for multiclass, planes ``(n, classes, h, w)`` otherwise."""
        if not bool((target != IGNORE).any()):
            return (logits * 0).sum()  # The sum of large logits may be infinite.
        if target.ndim == 3:
            return cast("Tensor", self.form(logits, target))
        known = [at for at in range(target.shape[1]) if bool((target[:, at] != IGNORE).any())]
        planes = torch.stack([self.form(logits[:, at], target[:, at]) for at in known])
        if self.weights is None:
            return planes.mean()
        weights = self.weights[known].to(planes)
        return (planes * weights).sum() / weights.sum()


Build: TypeAlias = Callable[[LossTerm, Task, Tensor | None], nn.Module]
"""Builds a loss from its term, the task, and the weights of its outputs (None for equal ones)."""

LOSSES: dict[str, Build] = {
    "dice": _dice,
    "tversky": _tversky,
    "focal_tversky": _focal_tversky,
    "lovasz": lambda _term, task, weights: Lovasz(task=task, weights=weights),
    "boundary": lambda _term, task, weights: Boundary(task=task, weights=weights),
    "focal": lambda term, task, weights: Focal(term.gamma, task=task, weights=weights),
    "cross_entropy": lambda _term, _task, weights: CrossEntropy(weights=weights),
    "bce": lambda _term, _task, weights: Bce(weights=weights),
}
"""Name → builder of a module ``forward(logits, target)``. ``LOSS_TASKS`` lists the tasks that a loss suits."""


def build_loss(terms: Sequence[LossTerm], *, task: Task, weights: Sequence[float] | None = None) -> WeightedLoss:
    """Loss from the configuration.

    Parameters
    ----------
    terms
        Terms of the sum.
    task
        Meaning of the logits.
    weights
        Weight of each output of the network, above 0: background first for multiclass. None for equal weights.

    Raises
    ------
    ModelError
        A term does not suit the task or takes no class weights.
    """
    prepare_torchvision()
    shares = None if weights is None else torch.tensor(weights, dtype=torch.float32)
    return WeightedLoss([_term(term, task, shares) for term in terms], weights=[term.weight for term in terms])


def _term(term: LossTerm, task: Task, weights: Tensor | None) -> nn.Module:
    check_loss(term, task=task, weighted=weights is not None)
    return LOSSES[term.name](term, task, weights)
