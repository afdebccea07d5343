"""Training target of a task: labels or planes, from truth planes that may overlap."""

import numpy as np
from numpy.typing import NDArray

from pipeline.arrays.label_map import label_map, precedence
from pipeline.config.manifest import DatasetRecord

__all__ = ["IGNORE", "build_target"]

IGNORE = 255
"""Target value of padded and uncertain pixels, which count in neither loss nor score."""


def build_target(
    truth: NDArray[np.uint8],
    *,
    record: DatasetRecord,
    ignored: NDArray[np.uint8] | None = None,
    unknown: NDArray[np.bool_] | None = None,
) -> NDArray[np.uint8]:
    """Training target of a data set's task.

    Parameters
    ----------
    truth
        ``(class, y, x)``, 0 or 1, classes in manifest order.
    record
        Task, classes and priority.
    ignored
        ``(y, x)``, non-zero where the truth is uncertain; None where it is certain everywhere.
    unknown
        ``(class,)``, classes that nobody looked for, whose truth counts as empty; None where there are none.

    Returns
    -------
    ndarray
        uint8: a label map ``(y, x)`` for multiclass, ``(class, y, x)`` of 0 and 1 otherwise; 255 where ignored, and in
        the plane of an unknown class. In a label map 0 may then be background or an unknown class.
    """
    if unknown is not None and unknown.any():
        truth = truth * ~unknown[:, None, None]
    multiclass = record.task == "multiclass"
    target = label_map(truth, winners=precedence(record)) if multiclass else (truth > 0).astype(np.uint8)
    if ignored is not None:
        target[..., ignored > 0] = IGNORE
    if unknown is not None and not multiclass:
        target[unknown] = IGNORE
    return target
