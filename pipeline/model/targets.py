"""Training target of a task: truth planes, where classes may overlap, as labels or planes."""

import numpy as np
from numpy.typing import NDArray

from pipeline.arrays.label_map import label_map, precedence
from pipeline.config.manifest import DatasetRecord

__all__ = ["IGNORE", "build_target"]

IGNORE = 255
"""Target value of pixels that do not exist: neither loss nor score counts them."""


def build_target(truth: NDArray[np.uint8], *, record: DatasetRecord) -> NDArray[np.uint8]:
    """Training target of a data set's task.

    Parameters
    ----------
    truth
        ``(class, y, x)``, 0 or 1, classes in manifest order.
    record
        Task, classes and priority.

    Returns
    -------
    ndarray
        uint8: a label map ``(y, x)`` for multiclass, ``(class, y, x)`` of 0 and 1 otherwise.
    """
    if record.task == "multiclass":
        return label_map(truth, winners=precedence(record))
    return (truth > 0).astype(np.uint8)
