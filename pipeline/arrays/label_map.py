"""Label map: one class per pixel; where classes overlap, the first by the manifest's priority or the most probable one.

Priority decides for truth and for classes that may overlap. In a multiclass prediction a pixel gets the class with the
largest ratio of probability to threshold. Otherwise a class that barely reaches its threshold would hide one that far
exceeds its own.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pipeline.config.manifest import DatasetRecord

__all__ = ["label_map", "most_probable", "precedence"]


def precedence(record: DatasetRecord) -> tuple[int, ...]:
    """Planes of the classes by overlap priority, the winner first.

    Examples
    --------
    Codes ``("MA", "OD")`` with priority ``("OD", "MA")`` give ``(1, 0)``.
    """
    return tuple(record.codes.index(code) for code in record.order)


def label_map(truth: NDArray[np.uint8], *, winners: Sequence[int]) -> NDArray[np.uint8]:
    """Label map: one label per pixel, 0 for background, else 1 + plane of the class.

    Parameters
    ----------
    truth
        ``(class, y, x)``, 0 or 1.
    winners
        Planes by priority, the winner first.

    Returns
    -------
    ndarray
        ``(y, x)`` uint8.
    """
    labels = np.zeros(truth.shape[1:], np.uint8)
    for plane in reversed(winners):  # The winner is painted last.
        labels[truth[plane] > 0] = plane + 1
    return labels


def most_probable(
    probability: NDArray[np.float16],
    masks: NDArray[np.uint8],
    *,
    thresholds: Sequence[float],
    winners: Sequence[int],
) -> NDArray[np.uint8]:
    """Label map of a prediction: of the classes in the masks, the one with the largest ratio of probability to threshold.

    Parameters
    ----------
    probability
        ``(class, y, x)``.
    masks
        ``(class, y, x)``, 0 or 1: the classes that a pixel may have, because they reach their threshold there or fill a
        hole.
    thresholds
        Of each class.
    winners
        Planes by priority, which decides ties.

    Returns
    -------
    ndarray
        ``(y, x)`` uint8: 0 for background, 1 + plane of the class otherwise.
    """
    labels = np.zeros(masks.shape[1:], np.uint8)
    highest = np.full(masks.shape[1:], -1, np.float32)
    least = float(np.finfo(np.float16).smallest_subnormal)
    for plane in winners:
        at = np.nonzero(masks[plane])
        share = probability[plane][at].astype(np.float32) / np.float32(max(thresholds[plane], least))
        better = share > highest[at]
        chosen = tuple(axis[better] for axis in at)
        labels[chosen], highest[chosen] = plane + 1, share[better]
    return labels
