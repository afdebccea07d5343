"""Dice and Tversky losses of labels from sums per class, without a plane of truth for each class.

The library's forms expand labels into planes and pass over all of them some ten times. Here probabilities are summed
and those of the true classes picked out, which gives the same number with a third of the passes over memory.
"""

import torch
from torch import Tensor, nn

from pipeline.model.targets import IGNORE

__all__ = ["LabelTversky", "label_overlap"]

SMALLEST = 1e-7
"""Least denominator of a score."""


def label_overlap(logits: Tensor, target: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Three sums per class over existing pixels: its probability where it is true, its probability, its truth.

    Parameters
    ----------
    logits
        ``(n, classes, h, w)`` float32, read through a softmax.
    target
        ``(n, h, w)`` int64 labels, 255 for pixels to ignore.

    Returns
    -------
    tuple
        Three tensors ``(classes,)``.
    """
    classes, exists = logits.shape[1], target != IGNORE
    chances = logits.softmax(dim=1)
    labels = target * exists
    if not bool(exists.all()):
        chances = chances * exists[:, None]
    right = chances.gather(1, labels[:, None])[:, 0]
    # In double precision: in single precision a sum of millions of pixels one by one would lose digits.
    hits = torch.zeros(classes, dtype=torch.float64, device=logits.device)
    hits = hits.index_add(0, labels.flatten(), right.flatten().double()).to(logits.dtype)
    true = torch.bincount(labels[exists], minlength=classes).to(logits.dtype)
    return hits, chances.sum(dim=(0, 2, 3)), true


class LabelTversky(nn.Module):
    """Tversky loss of labels, pooled over a batch per class: 1 − TP / (TP + α FP + β FN), a mean over the classes.

    With α = β = 0.5 it is the Dice loss. A class without truth in the batch counts as 0 in the mean.
    """

    def __init__(self, *, alpha: float = 0.5, beta: float = 0.5, gamma: float = 1.0, weights: Tensor | None) -> None:
        super().__init__()
        self.alpha, self.beta, self.gamma, self.weights = alpha, beta, gamma, weights

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """Labels ``(n, h, w)``."""
        hits, predicted, true = label_overlap(logits, target)
        whole = hits + self.alpha * (predicted - hits) + self.beta * (true - hits)
        present = true > 0
        losses = (1 - hits / whole.clamp_min(SMALLEST)) * present
        if self.gamma != 1:  # A power below 1 has no slope at 0.
            losses = torch.where(losses > 0, losses, 1) ** (1 / self.gamma) * (losses > 0)
        if self.weights is None:
            return losses.mean()
        weights = self.weights.to(losses)
        return (losses * weights).sum() / weights.sum()
