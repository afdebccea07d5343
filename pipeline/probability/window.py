"""Pixels of windows in batches, padded where the image is smaller than a window, and windows without roi."""

from collections.abc import Callable, Iterator
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from pipeline.arrays.padding import pad_image
from pipeline.geometry import Box
from pipeline.probability.plan import Window, WindowPlan

__all__ = ["ReadImage", "ReadMask", "evaluated_windows", "read_windows"]

ReadImage: TypeAlias = Callable[[Box], NDArray[np.uint8]]
"""Gives the pixels ``(3, y, x)`` of a box."""
ReadMask: TypeAlias = Callable[[Box], NDArray[np.uint8]]
"""Gives the mask ``(y, x)`` of a box; every value but 0 is inside."""


def read_windows(
    read: ReadImage, plan: WindowPlan, windows: tuple[Window, ...]
) -> Iterator[tuple[tuple[Window, ...], NDArray[np.uint8]]]:
    """Batches of windows ``(n, 3, window, window)``, cut from one reading of the box that holds them all."""
    box = _around(plan, windows)
    image = pad_image(read(box), plan.window)  # as in training
    for batch in plan.batches(windows):
        corners = [(window.y - box.y0, window.x - box.x0) for window in batch]
        yield batch, np.stack([image[:, y : y + plan.window, x : x + plan.window] for y, x in corners])


def evaluated_windows(read_roi: ReadMask, plan: WindowPlan) -> NDArray[np.bool_]:
    """Windows that hold at least one pixel of the roi, one flag per window of ``plan.grid``; read block by block."""
    evaluated = np.zeros(plan.grid, dtype=bool)
    for block in plan.blocks:
        if windows := plan.windows(block):
            _mark(evaluated, read_roi, plan, windows)
    return evaluated


def _mark(evaluated: NDArray[np.bool_], read_roi: ReadMask, plan: WindowPlan, windows: tuple[Window, ...]) -> None:
    box = _around(plan, windows)
    roi = read_roi(box)
    for window in windows:
        y, x = window.y - box.y0, window.x - box.x0
        evaluated[window.row, window.column] = roi[y : y + plan.window, x : x + plan.window].any()


def _around(plan: WindowPlan, windows: tuple[Window, ...]) -> Box:
    y0, x0 = min(each.y for each in windows), min(each.x for each in windows)
    y1, x1 = max(each.y for each in windows) + plan.window, max(each.x for each in windows) + plan.window
    return Box(y0, x0, min(y1, plan.height), min(x1, plan.width))
