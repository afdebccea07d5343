"""Optical density of stained tissue per channel, its inverse, and the background light.

``OD = max(-ln(max(I, 1) / I0), 0)`` (Beer-Lambert, natural logarithm) with the background intensity ``I0`` of a
channel. Grey values are bytes, so a table of 256 entries per channel is enough.
"""

import math
from itertools import pairwise
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import ConfigurationError, GeometryError

__all__ = ["Background", "background_intensity", "density_table", "intensity", "optical_density"]

Background: TypeAlias = tuple[float, float, float]
"""``I0`` of red, green and blue, above 0 and at most 255."""

NO_BACKGROUND: Background = (255.0, 255.0, 255.0)

# Criteria for background light, in grey levels and shares of the pixels; see `background_intensity`.
_DARKEST = 200
_LEAST_SHARE = 0.01
_HALF_WIDTH = 3
_WIDE_HALF_WIDTH = 12
_SHARPNESS = 0.4
# Criteria for pale stroma versus glass below the brightest pixels: density of green beyond red, higher where all is
# even.
_EVEN = 0.8
_STAINED, _STAINED_EVEN = 0.07, 0.12


def density_table(i0: Background) -> NDArray[np.float32]:
    """Optical density of each grey value.

    Parameters
    ----------
    i0
        Background intensity per channel.

    Returns
    -------
    NDArray
        ``(256, 3)``, 0 at and above the background, falling with the grey value; grey 0 counts as 1.

    Raises
    ------
    ConfigurationError
        The background is not above 0 and at most 255.
    """
    if len(i0) != 3 or not all(0 < level <= 255 for level in i0):
        raise ConfigurationError(
            "The background intensity is no light.",
            where="optical_density.density_table",
            found=i0,
            expected="three numbers above 0, at most 255",
            remedy="Use 255 where no background is known.",
        )
    grey = np.maximum(np.arange(256.0), 1)[:, None]
    return np.asarray(np.maximum(-np.log(grey / np.asarray(i0)), 0), np.float32)


def optical_density(rgb: NDArray[np.uint8], *, i0: Background) -> NDArray[np.float32]:
    """Optical density of an image.

    Parameters
    ----------
    rgb
        ``(…, 3)``.
    i0
        Background intensity per channel.

    Returns
    -------
    NDArray
        ``(…, 3)``, from 0 to ``ln(i0)``.

    Raises
    ------
    GeometryError
        The last axis does not have three channels.
    """
    if rgb.shape[-1:] != (3,):
        raise GeometryError(
            "The image is not RGB.",
            where="optical_density.optical_density",
            found=rgb.shape,
            expected="(…, 3)",
            remedy="Give red, green and blue on the last axis.",
        )
    table = density_table(i0)
    density = np.empty(rgb.shape, np.float32)
    for channel in range(3):
        density[..., channel] = table[:, channel][rgb[..., channel]]
    return density


def intensity(od: NDArray[np.floating], *, i0: Background) -> NDArray[np.uint8]:
    """Grey values of optical densities: ``I0 · exp(-OD)``, rounded half to even and saturated to 0…255.

    Parameters
    ----------
    od
        ``(…, 3)``.
    i0
        Background intensity per channel.

    Returns
    -------
    NDArray
        ``(…, 3)``.
    """
    grey = np.asarray(i0) * np.exp(-np.asarray(od, np.float64))
    return np.asarray(np.clip(np.rint(grey), 0, 255), np.uint8)


def background_intensity(histogram: NDArray[np.int64]) -> Background:
    """Background intensity: the incident light, estimated from the bright background of a slide.

    It is the mode of the bright pixels, as in QuPath's estimate of stain vectors. Both stains of H&E absorb green most,
    so green decides. Its peaks are the local maxima, at 200 or above, of the histogram summed over 7 levels. A peak
    must hold at least 1 % of the pixels, and 40 % of those within 12 levels: glass gives a sharp peak, pale stroma a
    broad one. The weight of a peak is the number of pixels within 12 levels of it, up to the valley to the next peak.
    The heaviest peak is the background, so a few saturated pixels do not pass for glass. Two guards keep stroma from
    passing for glass. A peak below a brighter one counts as stained if its light is pink: green absorbed most, by 0.07
    in optical density more than red, or by 0.12 if 80 % of its pixels lie within 3 levels, as only on glass and in
    colloid. And ``I0`` of each channel is a rank: the median of as many pixels as the peak holds in green from 3 levels
    below it, counted down from the end of the next brighter peak.

    Parameters
    ----------
    histogram
        ``(3, 256)``, counts of the grey values of red, green and blue over the slide; additive over blocks.

    Returns
    -------
    Background
        255 for all channels if there is no such mode or a channel would be below 200.

    Raises
    ------
    GeometryError
        The histogram has another shape.
    """
    if histogram.shape != (3, 256):
        raise GeometryError(
            "The histogram is not that of an RGB image.",
            where="optical_density.background_intensity",
            found=histogram.shape,
            expected=(3, 256),
            remedy="Count each channel into 256 bins.",
        )
    chosen = _heaviest([_peak(histogram, *bounds) for bounds in _bounds(histogram[1])])
    return chosen.light if chosen and min(chosen.light) >= _DARKEST else NO_BACKGROUND


class _Peak(NamedTuple):
    """Peak of the green histogram: its pixels, the share of them within 3 levels, and the light of each channel."""

    mass: int
    sharpness: float
    light: Background

    @property
    def stained(self) -> bool:
        red, green, blue = self.light
        least = _STAINED_EVEN if self.sharpness >= _EVEN else _STAINED
        return green <= blue and green < red * math.exp(-least)


def _heaviest(peaks: list[_Peak]) -> _Peak | None:
    # Only a peak beside a brighter one can be stained. Of equal peaks the brighter is taken.
    unstained = [peak for at, peak in enumerate(peaks) if at == 0 or not peak.stained]
    return max(unstained, key=lambda peak: peak.mass, default=None)


def _bounds(green: NDArray[np.int64]) -> list[tuple[int, int, int]]:
    """Peaks, the brightest first: the level, and the first and last level up to the valleys beside it."""
    # JPEG histograms look like combs, so maxima are sought in sums over a few neighbouring levels.
    near, wide = _sums_around(green, _HALF_WIDTH), _sums_around(green, _WIDE_HALF_WIDTH)
    least = max(1, _LEAST_SHARE * int(green.sum()))
    levels = [
        level
        for level in range(255, _DARKEST - 1, -1)
        if near[level] == near[level - _HALF_WIDTH : level + _HALF_WIDTH + 1].max()
        and near[level] >= max(least, _SHARPNESS * wide[level])
    ]
    tops = [level for at, level in enumerate(levels) if at == 0 or levels[at - 1] - level > _HALF_WIDTH]
    valleys = [low + int(near[low:high].argmin()) for high, low in pairwise(tops)]
    return list(zip(tops, [valley + 1 for valley in valleys] + [0], [255, *valleys], strict=False))


def _peak(histogram: NDArray[np.int64], level: int, first: int, last: int) -> _Peak:
    green = histogram[1]
    low, high = max(level - _WIDE_HALF_WIDTH, first), min(level + _WIDE_HALF_WIDTH, last)
    near = max(level - _HALF_WIDTH, first)
    mass = int(green[low : high + 1].sum())
    above, share = int(green[last + 1 :].sum()), int(green[near : last + 1].sum())
    red_light, green_light, blue_light = (_from_the_top(channel, above + (share + 1) // 2) for channel in histogram)
    return _Peak(mass, int(green[near : level + _HALF_WIDTH + 1].sum()) / mass, (red_light, green_light, blue_light))


def _sums_around(histogram: NDArray[np.int64], half_width: int) -> NDArray[np.int64]:
    total = np.concatenate(([0], np.cumsum(histogram)))
    levels = np.arange(histogram.size)
    sums: NDArray[np.int64] = (
        total[np.minimum(levels + half_width + 1, histogram.size)] - total[np.maximum(levels - half_width, 0)]
    )
    return sums


def _from_the_top(histogram: NDArray[np.int64], rank: int) -> float:
    return float(255 - int(np.searchsorted(np.cumsum(histogram[::-1]), rank)))
