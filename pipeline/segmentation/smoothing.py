"""Smoothing of probability maps before thresholds: by a Gaussian, or guided by the image.

A smoothed map is read like any other, box by box, with a halo, and no bit depends on the choice of boxes. A float16
probability is a multiple of 2⁻²⁴, so sums over windows are integers and their order does not matter.

References
----------
.. [1] He, Sun, Tang, "Guided Image Filtering", IEEE TPAMI 35(6):1397–1409, 2013, equations 5, 6 and 8.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from pipeline.arrays.raster import Raster
from pipeline.config.segmentation import Smoothing
from pipeline.geometry import Box, aligned_boxes
from pipeline.stores import open_array, raster_of
from pipeline.stores.probability_store import ProbabilityMap

__all__ = ["TRUNCATE", "SmoothedMap", "guided_filter", "smoothed_map"]

TRUNCATE = 4.0
"""Standard deviations at which the Gaussian is truncated."""
SIDE = 1024
"""Side of the tiles that are smoothed at a time, in pixels."""
STEPS = 2**24
"""Steps of a float16 probability in 1."""
FINE = 2**32
"""Steps in 1 to which the coefficients of the guided filter are rounded before summing."""
BRIGHT = 3 * 255
"""Largest sum of red, green and blue, the guide."""
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class SmoothedMap(ProbabilityMap):
    """Probability map that is smoothed as it is read."""

    image: Raster[np.uint8]
    """The normalised image ``(3, y, x)``."""
    smoothing: Smoothing

    def read(self, box: Box) -> NDArray[np.float16]:
        """All classes of a box."""
        return self._tiles(box, np.arange(self.shape[0]))

    def plane(self, box: Box, *, number: int) -> NDArray[np.float16]:
        """One class of a box."""
        return np.asarray(self._tiles(box, np.array([number]))[0])

    def _tiles(self, box: Box, numbers: NDArray[np.int64]) -> NDArray[np.float16]:
        found = np.empty((len(numbers), box.height, box.width), np.float16)
        for tile in aligned_boxes(box.height, box.width, SIDE):
            found[(..., *tile.slices)] = self._smoothed(tile.shift(box.y0, box.x0), numbers)
        return found

    def _smoothed(self, box: Box, numbers: NDArray[np.int64]) -> NDArray[np.float16]:
        wide = box.grow(_halo(self.smoothing), self.raster.box)
        inner = (..., *box.shift(-wide.y0, -wide.x0).slices)
        if len(numbers) == 1:
            values = ProbabilityMap.plane(self, wide, number=int(numbers[0]))[None]
        else:
            values = ProbabilityMap.read(self, wide)
        if self.smoothing.method == "gaussian":
            axes, sigma = (-2, -1), self.smoothing.sigma
            found = gaussian_filter(values.astype(np.float64), sigma, axes=axes, truncate=TRUNCATE)
        else:
            guide, options = self.image.read(wide).sum(axis=0, dtype=np.int64), self.smoothing
            planes = [guided_filter(each, guide, radius=options.radius, epsilon=options.epsilon) for each in values]
            found = np.stack(planes)
        return np.asarray(found[inner].astype(np.float16))


def _halo(smoothing: Smoothing) -> int:
    """Halo of a box: rows and columns around it that its smoothed values depend on."""
    return 2 * smoothing.radius if smoothing.method == "guided" else int(TRUNCATE * smoothing.sigma + 0.5)


def guided_filter(values: NDArray[np.float16], guide: NDArray[np.int64], *, radius: int, epsilon: float) -> Floats:
    """Guided filter of a plane: a linear function of the guide in each window, averaged over the windows of a pixel.

    Parameters
    ----------
    values
        Probabilities ``(y, x)``.
    guide
        Sum of red, green and blue ``(y, x)``, 0…765.
    radius
        A window has 2 · radius + 1 pixels a side, and is cut at the borders.
    epsilon
        Variance of the guide, in the range 0…1, above which an edge is kept.

    Returns
    -------
    NDArray
        ``(y, x)`` float64 in 0…1. Correct where all 2 · radius pixels around are given.
    """
    exact = np.rint(values.astype(np.float64) * STEPS).astype(np.int64)
    count = _box_sums(np.ones(values.shape, np.int64), radius)
    mean, level = _box_sums(exact, radius) / (count * STEPS), _box_sums(guide, radius) / (count * BRIGHT)
    covariance = _box_sums(exact * guide, radius) / (count * BRIGHT) / STEPS - mean * level
    variance = _box_sums(guide * guide, radius) / (count * BRIGHT**2) - level**2
    slope = covariance / (variance + epsilon)
    offset = mean - slope * level
    slope, offset = (
        _box_sums(np.rint(each * FINE).astype(np.int64), radius) / count / FINE for each in (slope, offset)
    )
    return np.clip(slope * (guide / BRIGHT) + offset, 0, 1)


def _box_sums(values: NDArray[np.int64], radius: int) -> NDArray[np.int64]:
    """Sums over the window around each pixel, cut at the borders."""
    for axis in (0, 1):
        size = values.shape[axis]
        sums = np.insert(values.cumsum(axis=axis), 0, 0, axis=axis)
        place = np.arange(size)
        ends, starts = np.minimum(place + radius + 1, size), np.maximum(place - radius, 0)
        values = sums.take(ends, axis=axis) - sums.take(starts, axis=axis)
    return values


def smoothed_map(maps: ProbabilityMap, *, normalized: Path, smoothing: Smoothing) -> ProbabilityMap:
    """Probability map to which thresholds apply: smoothed, or unchanged where smoothing is off.

    Parameters
    ----------
    maps
        Of an image.
    normalized
        Its store, whose image is the guide; on the same grid.
    smoothing
        How.
    """
    if smoothing.method == "none":
        return maps
    return SmoothedMap(maps.array, raster_of(open_array(normalized, "0")), smoothing)
