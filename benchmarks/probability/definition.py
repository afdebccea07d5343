"""Definition of fusion on a whole image in float64, and a network whose answer is known: what results are compared with."""

import numpy as np
from numpy.typing import NDArray

from pipeline.geometry import starts_1d
from pipeline.probability.plan import WindowPlan

__all__ = ["eager", "fixed_network"]


def fixed_network(windows: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Two maps that depend on the pixel, its place in the window, and the whole window: seams are visible."""
    grey = windows.astype(np.float64).mean(axis=1) / 255
    side = windows.shape[-1]
    slope = np.linspace(0, 1, side)[:, None] * np.linspace(1, 0.5, side)
    first = (grey + slope + grey.mean(axis=(1, 2), keepdims=True)) / 3
    return np.stack([first, (1 - first) * slope], axis=1).astype(np.float32)


def eager(image: NDArray[np.uint8], plan: WindowPlan, *, fusion: str) -> NDArray[np.float64]:
    """Maps ``(2, y, x)`` of an image no smaller than a window, by ``mean`` or ``gaussian``."""
    side = plan.window
    profile = np.exp(-0.5 * ((np.arange(side) - (side - 1) / 2) / (side / 8)) ** 2)
    weights = np.maximum(np.outer(profile, profile), 1e-3) if fusion == "gaussian" else np.ones((side, side))
    sums, total = np.zeros((2, plan.height, plan.width)), np.zeros((plan.height, plan.width))
    for y in starts_1d(plan.height, side, plan.stride):
        for x in starts_1d(plan.width, side, plan.stride):
            at = (slice(None), slice(y, y + side), slice(x, x + side))
            sums[at] += weights * fixed_network(image[None, *at])[0]
            total[at[1:]] += weights
    return sums / total
