"""Confusion matrix over labels: one label a pixel, 0 for background, 1 + plane of the class otherwise.

Where classes of the truth overlap, the first by the priority of the manifest counts. The label of a multiclass
prediction is the most probable one, background having the probability 1 − Σp, without any threshold. Otherwise classes
may overlap, and the label comes from the written masks by the same priority as that of the truth.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from pipeline.arrays.label_map import label_map

__all__ = ["Confusion", "LabelRule", "confusion", "label_ious", "most_probable_label"]

Confusion: TypeAlias = NDArray[np.int64]
"""Pixels ``(label of the truth, label of the prediction)``; those of blocks and images add up."""


@dataclass(frozen=True, slots=True)
class LabelRule:
    """Rule of how a pixel gets one label."""

    winners: tuple[int, ...]
    """Planes by priority, the winner first."""
    multiclass: bool
    """Whether the most probable class counts, and not the masks."""


def most_probable_label(probability: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Most probable label ``(y, x)`` of probabilities ``(class, y, x)``; of equal ones background, then the first class."""
    exact = probability.astype(np.float32)
    highest = exact.max(axis=0)
    return np.where(highest > 1 - exact.sum(axis=0), exact.argmax(axis=0) + 1, 0).astype(np.uint8)


def confusion(
    truth: NDArray[np.bool_],
    masks: NDArray[np.bool_],
    probability: NDArray[np.floating],
    within: NDArray[np.bool_] | None = None,
    *,
    rule: LabelRule,
) -> Confusion:
    """Confusion matrix of a block, of the pixels ``within`` where it is given.

    Parameters
    ----------
    truth, masks, probability
        ``(class, y, x)``.
    within
        ``(y, x)``.
    rule
        How a pixel gets one label.
    """
    labels = len(truth) + 1
    given = label_map(truth.view(np.uint8), winners=rule.winners)
    found = (
        most_probable_label(probability) if rule.multiclass else label_map(masks.view(np.uint8), winners=rule.winners)
    )
    pairs = given.astype(np.int64) * labels + found
    flat = pairs.ravel() if within is None else pairs[within]
    return np.bincount(flat, minlength=labels**2).reshape(labels, labels)


def label_ious(matrix: Confusion, names: Sequence[str]) -> dict[str, float]:
    """IoU of each label; NaN where the truth does not hold it.

    Examples
    --------
    >>> label_ious(np.array([[6, 2], [1, 1]]), ["background", "EX"])
    {'background': 0.6666666666666666, 'EX': 0.25}
    """
    both, truth = np.diag(matrix).astype(np.float64), matrix.sum(axis=1)
    either = truth + matrix.sum(axis=0) - both
    ious = np.divide(both, either, out=np.full(len(both), np.nan), where=truth > 0)
    return dict(zip(names, ious.tolist(), strict=True))
