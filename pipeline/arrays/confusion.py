"""Confusion matrix over labels: one label per pixel, 0 for background, else 1 + plane of the class.

Where truth classes overlap, the first by the manifest's priority counts. A multiclass prediction gets the most probable
label, without thresholds; the probability of background is 1 − Σp. Other predictions may overlap: their label comes
from the written masks, by the same priority as for the truth.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from pipeline.arrays.label_map import label_map

__all__ = ["Confusion", "LabelRule", "confusion", "label_ious", "most_probable_label"]

Confusion: TypeAlias = NDArray[np.int64]
"""Pixels ``(label of the truth, label of the prediction)``; matrices of blocks and images add up."""


@dataclass(frozen=True, slots=True)
class LabelRule:
    """Rule that gives a pixel one label."""

    winners: tuple[int, ...]
    """Planes by priority, the winner first."""
    multiclass: bool
    """Whether the most probable class counts instead of the masks."""


def most_probable_label(probability: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Most probable label ``(y, x)`` of probabilities ``(class, y, x)``; ties go to background, then to the first class."""
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
    """Confusion matrix of a block, only of the pixels ``within`` where given.

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
    """IoU of each label; NaN for a label without truth.

    Examples
    --------
    >>> label_ious(np.array([[6, 2], [1, 1]]), ["background", "EX"])
    {'background': 0.6666666666666666, 'EX': 0.25}
    """
    both, truth = np.diag(matrix).astype(np.float64), matrix.sum(axis=1)
    either = truth + matrix.sum(axis=0) - both
    ious = np.divide(both, either, out=np.full(len(both), np.nan), where=truth > 0)
    return dict(zip(names, ious.tolist(), strict=True))
