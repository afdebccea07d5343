"""Gaussian blur of a block, bit for bit as OpenCV blurs the whole image.

For 8 bit, OpenCV rounds the weights to multiples of 1/256 that sum to one, adds integers along both axes and rounds
half up once at the end. Sums of integers do not depend on their order. So blocks, and this faster loop over pairs of
equally weighted rows and columns, give the same result as ``cv2.GaussianBlur``.
"""

from functools import lru_cache

import cv2
import numpy as np
from numba import njit
from numpy.typing import NDArray

from pipeline.errors import ConfigurationError, GeometryError
from pipeline.geometry import Box

__all__ = ["gaussian_blur", "gaussian_halo"]


def gaussian_halo(sigma: float) -> int:
    """Halo of a Gaussian blur: the reach of OpenCV's 8-bit kernel to each side, in pixels.

    Raises
    ------
    ConfigurationError
        For a standard deviation that is not above 0.
    """
    if not 0 < sigma < np.inf:
        raise ConfigurationError(
            "The Gaussian blur has no width.",
            where="normalized.fundus.blur.gaussian_halo",
            found=sigma,
            expected="a standard deviation in pixels above 0",
            remedy="Correct sigma, or switch the step off.",
        )
    return (round(sigma * 6 + 1) | 1) // 2


def gaussian_blur(
    block: NDArray[np.uint8], *, outer: Box, box: Box, sigma: float, inside: NDArray[np.bool_] | None = None
) -> NDArray[np.uint8]:
    """Gaussian blur of ``box``, from a block that holds it with its halo.

    Parameters
    ----------
    block
        ``(y, x)`` or ``(y, x, channel)``, the pixels of ``outer``.
    outer
        Where the block lies: ``box.grow(gaussian_halo(sigma), image)``. Only the borders of the image may cut the
        halo: a block is mirrored at its edges as OpenCV mirrors the image (``BORDER_REFLECT_101``).
    box
        The part wanted.
    sigma
        Standard deviation in pixels.
    inside
        ``(y, x)`` of ``outer``: pixels that count, such as the field of view; all where not given.

    Returns
    -------
    NDArray
        Of the size of ``box``; equal to ``cv2.GaussianBlur(image, (0, 0), sigma)`` there. With a mask m the blur is
        normalised inside it, ``G(I·m) / G(m)``: unchanged where only masked-in pixels are in reach, 0 where none are.

    Raises
    ------
    ConfigurationError
        For a standard deviation that is not above 0.
    GeometryError
        Where the block is not of the size of ``outer``, or does not hold ``box``.
    """
    if block.shape[:2] != (outer.height, outer.width) or not outer.contains(box):
        raise GeometryError(
            "The block does not hold the part to blur.",
            where="normalized.fundus.blur.gaussian_blur",
            found=f"block {block.shape[:2]} at {outer}",
            expected=f"at least {box}",
            remedy="Give the block of the box grown by its halo.",
        )
    weights = _weights(float(sigma))
    inner = box.shift(-outer.y0, -outer.x0)
    rows = _mirrored(inner.y0, inner.y1, halo=weights.size - 1, length=outer.height)
    columns = _mirrored(inner.x0, inner.x1, halo=weights.size - 1, length=outer.width)
    planes = np.ascontiguousarray(block).reshape(outer.height, outer.width, int(np.prod(block.shape[2:])))
    result = np.empty((box.height, box.width, planes.shape[2]), np.uint8)
    normalised = inside is not None and not inside.all()
    if normalised:
        assert inside is not None
        masked = np.empty((*inside.shape, planes.shape[2] + 1), np.uint8)
        np.multiply(planes, inside[:, :, None], out=masked[:, :, :-1])
        masked[:, :, -1] = inside
        planes = masked
    if result.size:
        channels = planes.shape[2]
        samples = (columns[:, None] * channels + np.arange(channels)).ravel()
        blur = _blur_inside if normalised else _blur
        blur(planes.reshape(outer.height, -1), weights, rows, samples, channels, result.reshape(box.height, -1))
    return result.reshape(box.height, box.width, *block.shape[2:])


@lru_cache(maxsize=64)
def _weights(sigma: float) -> NDArray[np.uint16]:
    # Weights in 1/256 from the centre outwards, from OpenCV's response to a single bright pixel. White is 255, so the
    # response is exact for weights below one half; the centre may be larger and follows from the sum.
    halo = gaussian_halo(sigma)
    line = np.zeros((1, 4 * halo + 3), np.uint8)
    line[0, 2 * halo + 1] = 255
    answer = cv2.GaussianBlur(line, (2 * halo + 1, 2 * halo + 1), sigma, borderType=cv2.BORDER_REFLECT_101)
    weights = np.asarray(answer[0, 2 * halo + 1 : 3 * halo + 2], np.uint16)
    weights[0] = 256 - 2 * weights[1:].sum()
    weights.setflags(write=False)
    return weights


def _mirrored(first: int, end: int, *, halo: int, length: int) -> NDArray[np.int64]:
    # Positions of the pixels first - halo … end + halo on an axis mirrored endlessly at its border pixels.
    places = np.abs(np.arange(first - halo, end + halo)) % max(2 * (length - 1), 1)
    return np.where(places >= length, 2 * (length - 1) - places, places)


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _blur(
    block: NDArray[np.uint8],
    weights: NDArray[np.uint16],
    rows: NDArray[np.int64],
    samples: NDArray[np.int64],
    channels: int,
    result: NDArray[np.uint8],
) -> None:
    halo = weights.size - 1
    summed = np.empty(block.shape[1], np.uint16)
    line = np.empty(samples.size, np.uint16)
    total = np.empty(result.shape[1], np.uint32)
    for y in range(result.shape[0]):
        _add_rows(block, weights, rows[y : y + 2 * halo + 1], summed)
        for i in range(samples.size):
            line[i] = summed[samples[i]]
        _add_samples(line, weights, channels, total)
        for i in range(total.size):
            result[y, i] = (total[i] + np.uint32(1 << 15)) >> np.uint32(16)


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _blur_inside(
    block: NDArray[np.uint8],
    weights: NDArray[np.uint16],
    rows: NDArray[np.int64],
    samples: NDArray[np.int64],
    channels: int,
    result: NDArray[np.uint8],
) -> None:
    # The last channel of the block is the mask, 0 or 1: the others are divided by its blur and rounded half up once.
    halo = weights.size - 1
    pixels = result.shape[1] // (channels - 1)
    summed = np.empty(block.shape[1], np.uint16)
    line = np.empty(samples.size, np.uint16)
    total = np.empty(pixels * channels, np.uint32)
    for y in range(result.shape[0]):
        _add_rows(block, weights, rows[y : y + 2 * halo + 1], summed)
        for i in range(samples.size):
            line[i] = summed[samples[i]]
        _add_samples(line, weights, channels, total)
        for x in range(pixels):
            weight = np.uint32(total[x * channels + channels - 1])
            for channel in range(channels - 1):
                value = np.uint32(0)
                if weight:
                    value = (np.uint32(2) * total[x * channels + channel] + weight) // (np.uint32(2) * weight)
                result[y, x * (channels - 1) + channel] = value


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _add_rows(
    block: NDArray[np.uint8], weights: NDArray[np.uint16], rows: NDArray[np.int64], summed: NDArray[np.uint16]
) -> None:
    # At most 256 · 255, so 16 bits hold the sum.
    halo = weights.size - 1
    centre = block[rows[halo]]
    for i in range(summed.size):
        summed[i] = weights[0] * np.uint16(centre[i])
    for k in range(1, halo + 1):
        weight = weights[k]
        if weight:
            before, after = block[rows[halo - k]], block[rows[halo + k]]
            for i in range(summed.size):
                summed[i] += weight * (np.uint16(before[i]) + np.uint16(after[i]))


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _add_samples(
    line: NDArray[np.uint16], weights: NDArray[np.uint16], channels: int, total: NDArray[np.uint32]
) -> None:
    halo = weights.size - 1
    centre = line[halo * channels :]
    for i in range(total.size):
        total[i] = np.uint32(weights[0]) * np.uint32(centre[i])
    for k in range(1, halo + 1):
        weight = np.uint32(weights[k])
        if weight:
            before, after = line[(halo - k) * channels :], line[(halo + k) * channels :]
            for i in range(total.size):
                total[i] += weight * (np.uint32(before[i]) + np.uint32(after[i]))
