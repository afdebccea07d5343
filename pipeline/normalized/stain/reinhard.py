"""Colour transfer by Reinhard et al. (2001): mean and standard deviation of a slide's colours, in CIE L*a*b*.

Each of three channels is shifted and scaled so that its mean and standard deviation over the tissue become those of the
target. The paper (IEEE Computer Graphics and Applications 21(5):34–41) does this in lαβ, a logarithmic cone space.
Common histology toolkits do it in CIE L*a*b* (sRGB, D65), in which colour differences are reported too, so it is used
here.

Two steps are added, because a slide is not a photograph. First the background light is made white. And white stays
white: within 10 units of colour difference from it the change fades out, because glass is not in the tissue's
statistics and would get a colour cast.

Cube roots are computed by iteration and bytes by tables, not by system libraries, so results depend neither on the
machine nor on the blocks.
"""

from typing import TypeAlias

import numpy as np
from numba import njit
from numpy.typing import NDArray

from pipeline.arrays.optical_density import Background
from pipeline.errors import GeometryError
from pipeline.normalized.stain.basis import LabStatistics, Vector, gains
from pipeline.normalized.stain.colour_table import ColourTable
from pipeline.normalized.stain.transfer import check_block

__all__ = ["lab", "lab_statistics", "transfer_lab"]

Reals: TypeAlias = NDArray[np.float64]

_WHITE = np.array([0.95047, 1.0, 1.08883])
_TO_XYZ = np.array([[0.412453, 0.357580, 0.180423], [0.212671, 0.715160, 0.072169], [0.019334, 0.119193, 0.950227]])
_TO_NEUTRAL = tuple(tuple(row) for row in (_TO_XYZ / _WHITE[:, None]).tolist())
_FROM_NEUTRAL = tuple(tuple(row) for row in (np.linalg.inv(_TO_XYZ) * _WHITE).tolist())

_LINEAR_BELOW, _SLOPE, _OFFSET = 0.008856, 7.787, 16 / 116
_LINEAR_ROOT_BELOW = 0.2068966
_FADE = 10.0
_STEPS = 8192
_STRETCH = 1024


def lab(rgb: NDArray[np.uint8], *, background: Background) -> Reals:
    """CIE L*a*b* of sRGB bytes under D65, after the background light is made white.

    Parameters
    ----------
    rgb
        ``(…, 3)``.
    background
        Grey levels of bare glass; 255 for all leaves colours unchanged.

    Returns
    -------
    NDArray
        ``(…, 3)``: L* from 0 to 100, a*, b*.
    """
    pixels = np.ascontiguousarray(rgb).reshape(-1, 3)
    found = np.empty((3, pixels.shape[0]))
    _lab(pixels, _linear_light(background), found)
    return np.ascontiguousarray(found.T).reshape(rgb.shape)


def lab_statistics(table: ColourTable, *, background: Background) -> LabStatistics:
    """Lab statistics: mean and standard deviation of L*, a*, b* over all pixels of a table, exactly.

    Raises
    ------
    GeometryError
        The table has no pixels.
    """
    pixels = table.pixels
    if pixels == 0:
        raise GeometryError(
            "There are no colours to take the mean of.",
            where="normalized.stain.reinhard.lab_statistics",
            found=0,
            expected="at least one pixel",
            remedy="Leave out slides without tissue.",
        )
    values, weights = lab(table.colours, background=background), table.counts[:, None]
    mean = (values * weights).sum(axis=0) / pixels
    deviation = np.sqrt(((values - mean) ** 2 * weights).sum(axis=0) / pixels)
    return LabStatistics(tuple(mean.tolist()), tuple(deviation.tolist()))


def transfer_lab(
    block: NDArray[np.uint8],
    *,
    source: LabStatistics,
    target: LabStatistics,
    most_gain: float,
    background: Background,
) -> NDArray[np.uint8]:
    """Colour transfer of a block to the mean and standard deviation of the target.

    Parameters
    ----------
    block
        ``(y, x, 3)``.
    source, target
        Statistics of the slide's tissue and of the target.
    most_gain
        Largest factor by which a channel is spread.
    background
        Grey levels of bare glass on the slide, the same as for its statistics. Glass comes out white.

    Returns
    -------
    NDArray
        ``(3, y, x)``: the colours ``(lab - mean) · target deviation / deviation + target mean``, with less change near
        white; rounded and saturated.

    Raises
    ------
    GeometryError
        For a block of another shape or type.
    """
    pixels = check_block(block, where="normalized.stain.reinhard.transfer_lab")
    scale = gains(source.deviation, target.deviation, most=most_gain)
    shift = np.asarray(target.mean) - scale * np.asarray(source.mean)
    result = np.empty((3, pixels.shape[0]), np.uint8)
    _transfer_lab(pixels, _linear_light(background), tuple(scale), tuple(shift), *_encoding(), result)
    return result.reshape(3, *block.shape[:2])


def _linear_light(background: Background) -> Reals:
    # (3, 256): light of each byte, as a part of white.
    grey = np.minimum(np.arange(256.0) / np.asarray(background)[:, None], 1.0)
    return np.asarray(np.where(grey > 0.04045, ((grey + 0.055) / 1.055) ** 2.4, grey / 12.92))


def _encoding() -> tuple[NDArray[np.uint8], Reals]:
    # For each of many steps of light, the byte at its beginning and the light at which the next byte starts; no step
    # spans more than two bytes.
    half = (np.arange(255) + 0.5) / 255
    limits = np.append(np.where(half > 0.04045, ((half + 0.055) / 1.055) ** 2.4, half / 12.92), np.inf)
    begin = np.searchsorted(limits, np.arange(_STEPS + 1) / _STEPS, side="right")
    return begin.astype(np.uint8), limits[begin]


@njit(inline="always", error_model="numpy")  # type: ignore[untyped-decorator]
def _root(t: float) -> float:
    # The cube root of Lab. Two of Halley's steps improve the guess, within 9 %, to ten digits.
    cube = t if t > _LINEAR_BELOW else _LINEAR_BELOW
    y = 0.19788907 + cube * (3.07547325 + cube * (-5.32021143 + 3.12519571 * cube))
    power = y * y * y
    y = y * (power + 2 * cube) / (2 * power + cube)
    power = y * y * y
    y = y * (power + 2 * cube) / (2 * power + cube)
    linear = _SLOPE * t + _OFFSET
    return y if t > _LINEAR_BELOW else linear


@njit(inline="always", error_model="numpy")  # type: ignore[untyped-decorator]
def _root_undone(f: float) -> float:
    cube, linear = f * f * f, (f - _OFFSET) * (1 / _SLOPE)
    return cube if f > _LINEAR_ROOT_BELOW else linear


@njit(inline="always", error_model="numpy")  # type: ignore[untyped-decorator]
def _to_lab(red: float, green: float, blue: float) -> Vector:
    of_x, of_y, of_z = _TO_NEUTRAL
    x = _root(of_x[0] * red + of_x[1] * green + of_x[2] * blue)
    y = _root(of_y[0] * red + of_y[1] * green + of_y[2] * blue)
    z = _root(of_z[0] * red + of_z[1] * green + of_z[2] * blue)
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


@njit(inline="always", error_model="numpy")  # type: ignore[untyped-decorator]
def _from_lab(lightness: float, a: float, b: float) -> Vector:
    of_red, of_green, of_blue = _FROM_NEUTRAL
    middle = (lightness + 16) / 116
    x, y, z = _root_undone(middle + a / 500), _root_undone(middle), _root_undone(middle - b / 200)
    return (
        of_red[0] * x + of_red[1] * y + of_red[2] * z,
        of_green[0] * x + of_green[1] * y + of_green[2] * z,
        of_blue[0] * x + of_blue[1] * y + of_blue[2] * z,
    )


@njit(cache=True, nogil=True, error_model="numpy")  # type: ignore[untyped-decorator]
def _lab(pixels: NDArray[np.uint8], light: Reals, found: Reals) -> None:
    for i in range(pixels.shape[0]):
        red, green, blue = light[0, pixels[i, 0]], light[1, pixels[i, 1]], light[2, pixels[i, 2]]
        found[0, i], found[1, i], found[2, i] = _to_lab(red, green, blue)


@njit(cache=True, nogil=True, error_model="numpy")  # type: ignore[untyped-decorator]
def _transfer_lab(
    pixels: NDArray[np.uint8],
    light: Reals,
    scale: Vector,
    shift: Vector,
    begin: NDArray[np.uint8],
    limit: Reals,
    result: NDArray[np.uint8],
) -> None:
    red, green, blue = np.empty(_STRETCH), np.empty(_STRETCH), np.empty(_STRETCH)
    for start in range(0, pixels.shape[0], _STRETCH):
        size = min(_STRETCH, pixels.shape[0] - start)
        part = pixels[start : start + size]
        for i in range(size):
            red[i], green[i], blue[i] = light[0, part[i, 0]], light[1, part[i, 1]], light[2, part[i, 2]]
        _move(size, red, green, blue, scale, shift)
        _encode(red, begin, limit, result[0, start : start + size])
        _encode(green, begin, limit, result[1, start : start + size])
        _encode(blue, begin, limit, result[2, start : start + size])


@njit(cache=True, nogil=True, error_model="numpy")  # type: ignore[untyped-decorator]
def _move(size: int, red: Reals, green: Reals, blue: Reals, scale: Vector, shift: Vector) -> None:
    (scale_l, scale_a, scale_b), (shift_l, shift_a, shift_b) = scale, shift
    for i in range(size):
        lightness, a, b = _to_lab(red[i], green[i], blue[i])
        fade = ((100 - lightness) * (100 - lightness) + a * a + b * b) / (_FADE * _FADE)
        fade = fade if fade < 1 else 1.0
        lightness += fade * (lightness * scale_l + shift_l - lightness)
        a += fade * (a * scale_a + shift_a - a)
        b += fade * (b * scale_b + shift_b - b)
        red[i], green[i], blue[i] = _from_lab(lightness, a, b)


@njit(cache=True, nogil=True, error_model="numpy")  # type: ignore[untyped-decorator]
def _encode(light: Reals, begin: NDArray[np.uint8], limit: Reals, result: NDArray[np.uint8]) -> None:
    for i in range(result.size):
        value = light[i]
        value = value if value > 0 else 0.0
        value = value if value < 1 else 1.0
        step = np.uint32(value * _STEPS)
        result[i] = begin[step] + (value >= limit[step])
