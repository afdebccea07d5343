"""Label map: one class a pixel; where classes overlap, the first by the priority of the manifest."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pipeline.config.manifest import DatasetRecord

__all__ = ["label_map", "precedence"]


def precedence(record: DatasetRecord) -> tuple[int, ...]:
    """Planes of the classes by overlap priority, the winner first.

    Examples
    --------
    Codes ``("MA", "OD")`` with priority ``("OD", "MA")`` give ``(1, 0)``.
    """
    return tuple(record.codes.index(code) for code in record.order)


def label_map(truth: NDArray[np.uint8], *, winners: Sequence[int]) -> NDArray[np.uint8]:
    """Label map: one label a pixel, 0 for background, 1 + plane of the class otherwise.

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
    for plane in reversed(winners):  # the winner is painted last
        labels[truth[plane] > 0] = plane + 1
    return labels
