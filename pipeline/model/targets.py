"""Training target of a task: truth planes, where classes may overlap, as labels or planes; padding of patches."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.arrays.label_map import label_map, precedence
from pipeline.config.manifest import DatasetRecord

__all__ = ["IGNORE", "build_target", "pad_image", "pad_target"]

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


def pad_image(image: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """Mirror padding of an image ``(c, y, x)`` below and to the right up to ``side``: its statistics stay its own."""
    missing = _missing(image, side)
    return np.pad(image, [(0, 0), *missing], mode="reflect") if any(after for _, after in missing) else image


def pad_target(target: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """Padding of a target ``(…, y, x)`` below and to the right up to ``side`` with ``IGNORE``."""
    leading = [(0, 0)] * (target.ndim - 2)
    return np.pad(target, [*leading, *_missing(target, side)], constant_values=IGNORE)


def _missing(array: NDArray[Any], side: int) -> list[tuple[int, int]]:
    return [(0, max(side - length, 0)) for length in array.shape[-2:]]
