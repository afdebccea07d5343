"""The eager definition of fusion, on the whole image in float64, and networks whose answer is known."""

import itertools
import threading

import numpy as np
from numpy.typing import NDArray

from pipeline.probability.plan import WindowPlan

Image = NDArray[np.uint8]


def position_weights(window: int) -> NDArray[np.float64]:
    centre, sigma = (window - 1) / 2, window / 8
    profile = [np.exp(-((at - centre) ** 2) / (2 * sigma**2)) for at in range(window)]
    return np.maximum(np.outer(profile, profile), 1e-3)


def fixed_network(windows: Image) -> NDArray[np.float32]:
    """Two maps that depend on the pixel, its place in the window, and the whole window: seams are visible."""
    grey = windows.astype(np.float64).mean(axis=1) / 255
    side = windows.shape[-1]
    slope = np.linspace(0, 1, side)[None, :, None] * np.linspace(1, 0.5, side)[None, None, :]
    first = (grey + slope + grey.mean(axis=(1, 2), keepdims=True)) / 3
    return np.stack([first, (1 - first) * slope], axis=1).astype(np.float32)


class CountingNetwork:
    """Counts the windows by content and fails after ``fail_after`` of them."""

    def __init__(self, *, fail_after: int | None = None) -> None:
        self.seen: list[bytes] = []
        self.batches: list[int] = []
        self.fail_after = fail_after
        self.lock = threading.Lock()

    def __call__(self, windows: Image) -> NDArray[np.float32]:
        with self.lock:
            if self.fail_after is not None and len(self.seen) + len(windows) > self.fail_after:
                raise InterruptedError("killed")
            self.seen += [window.tobytes() for window in windows]
            self.batches.append(len(windows))
        return fixed_network(windows)


def pad(image: Image, window: int) -> Image:
    for axis in (1, 2):
        size = image.shape[axis]
        missing = max(window - size, 0)
        order = list(range(size))
        bounce = order[-2::-1] + order[1:] or order
        index = order + list(itertools.islice(itertools.cycle(bounce), missing))
        image = np.take(image, index, axis=axis)
    return image


def axis_starts(length: int, window: int, stride: int) -> list[int]:
    last = max(length - window, 0)
    return sorted({*range(0, last, stride), last})


def windows_of(image: Image, plan: WindowPlan) -> list[tuple[int, int, Image]]:
    side, whole = plan.window, pad(image, plan.window)
    ys, xs = axis_starts(plan.height, side, plan.stride), axis_starts(plan.width, side, plan.stride)
    return [(y, x, whole[:, y : y + side, x : x + side]) for y in ys for x in xs]


def eager(image: Image, plan: WindowPlan, *, fusion: str, roi: NDArray[np.bool_] | None = None) -> NDArray[np.float64]:
    """The fused maps by definition; windows without roi are left out, except where ``none`` leaves a hole."""
    side = plan.window
    shape = (2, max(plan.height, side), max(plan.width, side))
    sums, total, written = np.zeros(shape), np.zeros(shape[1:]), np.zeros(shape)
    weights = position_weights(side) if fusion == "gaussian" else np.ones((side, side))
    for y, x, window in windows_of(image, plan):
        at = (slice(None), slice(y, y + side), slice(x, x + side))
        if roi is not None and not roi[at[1:]].any():
            written[at] = 0
            continue
        map_ = fixed_network(window[None])[0].astype(np.float64)
        sums[at] = np.maximum(sums[at], map_) if fusion == "max" else sums[at] + weights * map_
        total[at[1:]] += weights
        written[at] = map_
    mean = np.divide(sums, total, out=np.zeros(shape), where=total > 0)
    result = {"none": written, "max": sums}.get(fusion, mean)
    return result[:, : plan.height, : plan.width]
