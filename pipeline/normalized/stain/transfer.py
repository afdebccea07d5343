"""Stain transfer: the pixels of one slide with the stains of another, in one pass over a block.

Bytes become optical densities (a table), and densities concentrations (`pipeline.normalized.stain.concentrations`).
These are scaled, mixed with the target's vectors, and become bytes again by the law of Beer and Lambert: ``I = I0
exp(-(h H + e E))``. The pass works on runs of pixels that stay in the fastest cache, without branches and calls, so
that the compiler can use vector instructions. No arithmetic is fused or reordered, so a pixel's result does not depend
on the cut into blocks.
"""

from typing import TypeAlias

import numpy as np
from numba import njit
from numpy.typing import NDArray

from pipeline.arrays.optical_density import NO_BACKGROUND, Background, density_table
from pipeline.errors import GeometryError
from pipeline.normalized.stain.basis import StainBasis, gains
from pipeline.normalized.stain.concentrations import solution

__all__ = ["check_block", "transfer"]

Row: TypeAlias = NDArray[np.float32]

_STRETCH = 2048

# exp(-d) = (exp(-d / 16))^16: the series to the fifth power is exact to 1e-4 grey levels up to a density of 6.5, where
# 255 falls below half a grey level.
_ROOT = 16
_MOST = np.float32(6.5 / _ROOT)
_ONE, _HALF = np.float32(1), np.float32(0.5)
_C3, _C4, _C5 = np.float32(-1 / 6), np.float32(1 / 24), np.float32(-1 / 120)


def transfer(
    block: NDArray[np.uint8],
    *,
    source: StainBasis,
    target: StainBasis,
    sparsity: float,
    most_gain: float,
    light: Background = NO_BACKGROUND,
) -> NDArray[np.uint8]:
    """Stain transfer of a block to the stains of the target.

    Parameters
    ----------
    block
        ``(y, x, 3)``.
    source
        Stains and background of the slide.
    target
        Target stains; their background does not matter.
    sparsity
        λ of the concentrations, at least 0.
    most_gain
        Largest factor of a stain.
    light
        Grey levels of bare glass in the result. White by default, so glass is neutral.

    Returns
    -------
    NDArray
        ``(3, y, x)``, rounded half up and saturated; independent of the cut into blocks.

    Raises
    ------
    GeometryError
        For a block of another shape or type.
    """
    pixels = check_block(block, where="normalized.stain.transfer")
    scale = gains(source.maxima, target.maxima, most=most_gain)
    mix = np.asarray(target.matrix) * scale[:, None] / _ROOT
    result = np.empty((3, pixels.shape[0]), np.uint8)
    _transfer(
        pixels,
        np.ascontiguousarray(density_table(source.background).T),
        tuple(np.float32(value) for value in solution(source, sparsity).ravel()),
        mix.astype(np.float32),
        np.asarray(light, np.float32),
        result,
    )
    return result.reshape(3, *block.shape[:2])


def check_block(block: NDArray[np.uint8], *, where: str) -> NDArray[np.uint8]:
    """Pixels ``(n, 3)`` of a block ``(y, x, 3)``; an error for anything but an RGB block of bytes."""
    if block.ndim != 3 or block.shape[2] != 3 or block.dtype != np.uint8:
        raise GeometryError(
            "The block is not RGB.",
            where=where,
            found=f"{block.shape} {block.dtype}",
            expected="(y, x, 3) uint8",
            remedy="Give red, green and blue bytes on the last axis.",
        )
    return np.ascontiguousarray(block).reshape(-1, 3)


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _transfer(
    pixels: NDArray[np.uint8],
    densities: NDArray[np.float32],
    rows: tuple[np.float32, ...],
    mix: NDArray[np.float32],
    light: NDArray[np.float32],
    result: NDArray[np.uint8],
) -> None:
    red, green, blue = np.empty(_STRETCH, np.float32), np.empty(_STRETCH, np.float32), np.empty(_STRETCH, np.float32)
    haematoxylin, eosin = np.empty(_STRETCH, np.float32), np.empty(_STRETCH, np.float32)
    for start in range(0, pixels.shape[0], _STRETCH):
        size = min(_STRETCH, pixels.shape[0] - start)
        _look_up(pixels[start : start + size], densities[0], densities[1], densities[2], red, green, blue)
        _unmix(size, red, green, blue, rows, haematoxylin, eosin)
        for channel in range(3):
            stretch = result[channel, start : start + size]
            _recompose(haematoxylin, eosin, mix[0, channel], mix[1, channel], light[channel], stretch)


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _look_up(
    pixels: NDArray[np.uint8], of_red: Row, of_green: Row, of_blue: Row, red: Row, green: Row, blue: Row
) -> None:
    for i in range(pixels.shape[0]):
        red[i] = of_red[pixels[i, 0]]
        green[i] = of_green[pixels[i, 1]]
        blue[i] = of_blue[pixels[i, 2]]


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _unmix(size: int, red: Row, green: Row, blue: Row, rows: tuple[np.float32, ...], first: Row, second: Row) -> None:
    h0, h1, h2, h3, e0, e1, e2, e3, p0, p1, p2, p3, q0, q1, q2, q3 = rows
    none = np.float32(0)
    for i in range(size):
        r, g, b = red[i], green[i], blue[i]
        h = h0 * r + h1 * g + h2 * b - h3
        e = e0 * r + e1 * g + e2 * b - e3
        h_alone = p0 * r + p1 * g + p2 * b - p3
        e_alone = q0 * r + q1 * g + q2 * b - q3
        h_alone = h_alone if e < none else h
        e_alone = e_alone if h < none else e
        first[i] = h_alone if h_alone > none else none
        second[i] = e_alone if e_alone > none else none


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _recompose(
    first: Row, second: Row, of_first: np.float32, of_second: np.float32, light: np.float32, result: NDArray[np.uint8]
) -> None:
    for i in range(result.size):
        d = first[i] * of_first + second[i] * of_second
        d = d if d < _MOST else _MOST
        left = _ONE + d * (d * (_HALF + d * (_C3 + d * (_C4 + d * _C5))) - _ONE)
        left = left * left
        left = left * left
        left = left * left
        left = left * left
        result[i] = np.uint8(np.int32(left * light + _HALF))
