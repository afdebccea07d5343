"""Pixels of windows in batches, padded where the image is smaller than a window, and windows without roi."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from pipeline.arrays.padding import pad_image
from pipeline.arrays.raster import Raster
from pipeline.geometry import Box
from pipeline.probability.plan import Window, WindowPlan

__all__ = ["evaluated_windows", "read_windows"]


def read_windows(
    image: Raster[np.uint8], plan: WindowPlan, windows: tuple[Window, ...]
) -> Iterator[tuple[tuple[Window, ...], NDArray[np.uint8]]]:
    """Batches of windows ``(n, 3, window, window)`` of an image ``(3, y, x)``, from one read of their bounding box."""
    box = _around(plan, windows)
    pixels = pad_image(image.read(box), plan.window)  # As in training.
    for batch in plan.batches(windows):
        corners = [(window.y - box.y0, window.x - box.x0) for window in batch]
        yield batch, np.stack([pixels[:, y : y + plan.window, x : x + plan.window] for y, x in corners])


def evaluated_windows(roi: Raster[np.uint8], plan: WindowPlan) -> NDArray[np.bool_]:
    """Windows that hold at least one pixel of the roi, one flag per window of ``plan.grid``; read block by block."""
    evaluated = np.zeros(plan.grid, dtype=bool)
    for block in plan.blocks:
        if windows := plan.windows(block):
            _mark(evaluated, roi, plan, windows)
    return evaluated


def _mark(evaluated: NDArray[np.bool_], roi: Raster[np.uint8], plan: WindowPlan, windows: tuple[Window, ...]) -> None:
    box = _around(plan, windows)
    inside = roi.read(box)
    for window in windows:
        y, x = window.y - box.y0, window.x - box.x0
        evaluated[window.row, window.column] = inside[y : y + plan.window, x : x + plan.window].any()


def _around(plan: WindowPlan, windows: tuple[Window, ...]) -> Box:
    y0, x0 = min(each.y for each in windows), min(each.x for each in windows)
    y1, x1 = max(each.y for each in windows) + plan.window, max(each.x for each in windows) + plan.window
    return Box(y0, x0, min(y1, plan.height), min(x1, plan.width))
