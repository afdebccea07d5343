"""Optical density of stained tissue per channel, its inverse, and the background light.

``OD = max(-ln(max(I, 1) / I0), 0)`` (Beer-Lambert, natural logarithm) with the background intensity ``I0`` of a
channel. Grey values are bytes, so a table of 256 entries per channel does it.
"""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import ConfigurationError, GeometryError

__all__ = ["Background", "background_intensity", "density_table", "intensity", "optical_density"]

Background: TypeAlias = tuple[float, float, float]
"""``I0`` of red, green and blue, above 0 and at most 255."""

NO_BACKGROUND: Background = (255.0, 255.0, 255.0)

# What counts as background light, in grey levels and shares of the pixels; see `background_intensity`.
_DARKEST = 200
_LEAST_SHARE = 0.01
_HALF_WIDTH = 3
_WIDE_HALF_WIDTH = 12
_SHARPNESS = 0.4


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
        For a background that is not above 0 and at most 255.
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
        Where the last axis does not hold three channels.
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
    """Background intensity: the light that came in, from the bright background of a slide.

    The green channel, which both stains of H&E absorb most, decides: its background mode is the brightest local
    maximum of the smoothed histogram at 200 or above that holds at least 1 % of the pixels within 3 levels, and at
    least 40 % of those within 12 levels (glass gives a sharp peak, pale stroma a broad one). The share of pixels up
    from 3 levels below that mode is the share of background, and ``I0`` of each channel is the median of that share of
    its brightest pixels. So stroma that is bright in red only does not pass for glass.

    Parameters
    ----------
    histogram
        ``(3, 256)``, counts of the grey values of red, green and blue over the slide; additive over blocks.

    Returns
    -------
    Background
        255 for all channels where there is no such mode, or where a channel comes out below 200.

    Raises
    ------
    GeometryError
        For a histogram of another shape.
    """
    if histogram.shape != (3, 256):
        raise GeometryError(
            "The histogram is not that of an RGB image.",
            where="optical_density.background_intensity",
            found=histogram.shape,
            expected=(3, 256),
            remedy="Count each channel into 256 bins.",
        )
    mode = _background_mode(histogram[1])
    if mode is None:
        return NO_BACKGROUND
    background = int(histogram[1, max(mode - _HALF_WIDTH, 0) :].sum())
    red, green, blue = (_median_of_brightest(channel, background) for channel in histogram)
    return (red, green, blue) if min(red, green, blue) >= _DARKEST else NO_BACKGROUND


def _background_mode(histogram: NDArray[np.int64]) -> int | None:
    # Grey values of a JPEG come in combs, so the maximum is sought in sums over a few neighbouring levels.
    near, wide = _sums_around(histogram, _HALF_WIDTH), _sums_around(histogram, _WIDE_HALF_WIDTH)
    least = max(1, _LEAST_SHARE * int(histogram.sum()))
    for level in range(255, _DARKEST - 1, -1):
        highest = near[level - _HALF_WIDTH : level + _HALF_WIDTH + 1].max()
        if near[level] == highest and near[level] >= max(least, _SHARPNESS * wide[level]):
            return level
    return None


def _sums_around(histogram: NDArray[np.int64], half_width: int) -> NDArray[np.int64]:
    total = np.concatenate(([0], np.cumsum(histogram)))
    levels = np.arange(histogram.size)
    sums: NDArray[np.int64] = (
        total[np.minimum(levels + half_width + 1, histogram.size)] - total[np.maximum(levels - half_width, 0)]
    )
    return sums


def _median_of_brightest(histogram: NDArray[np.int64], pixels: int) -> float:
    from_the_top = np.cumsum(histogram[::-1])
    return float(255 - int(np.searchsorted(from_the_top, (pixels + 1) // 2)))
