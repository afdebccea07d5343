"""How do sums become what is stored? Divided, rounded and halved in one pass, while a row is in the cache.

A pyramid level is the mean of 2 × 2 values of the level before, taken before rounding; so it is made while the finer
level is at hand and nothing is read again.
"""

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numba import njit
from numpy.typing import NDArray

from pipeline.geometry import Box

__all__ = ["Fused", "to_float16"]

Floats: TypeAlias = NDArray[np.float32]
_NO_WEIGHTS = np.ones((0, 0), np.float32)


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _quotient(row: Floats, source: Floats, weights: Floats) -> None:
    for x in range(row.size):
        row[x] = source[x] / weights[x] if weights[x] > 0 else np.float32(0)


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _round_to_halves(row: Floats, bits: NDArray[np.uint32], codes: NDArray[np.uint16]) -> None:
    # IEEE 754, to nearest, ties to even: by adding to the bits where float16 is normal; below that in steps of 2^-24,
    # rounded by adding and subtracting 2^23, whose neighbours are whole numbers.
    for x in range(row.size):
        b = bits[x]
        normal = (b + np.uint32(0xFFF) + ((b >> np.uint32(13)) & np.uint32(1)) - np.uint32(112 << 23)) >> np.uint32(13)
        steps = (row[x] * np.float32(2**24) + np.float32(2**23)) - np.float32(2**23)
        subnormal = np.uint32(np.int32(min(steps, np.float32(2048))))
        codes[x] = np.uint16(normal if b >= np.uint32(113 << 23) else subnormal)


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _round_to_bytes(row: Floats, codes: NDArray[np.uint8]) -> None:
    for x in range(row.size):
        codes[x] = np.uint8(np.int32(min(row[x], np.float32(1)) * np.float32(255) + np.float32(0.5)))


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _mean_of_four(upper: Floats, lower: Floats, half: Floats) -> None:
    # A pixel that does not exist is given as its neighbour: adding in pairs makes that the exact mean of the others.
    for x in range(upper.size // 2):
        total = (upper[2 * x] + upper[2 * x + 1]) + (lower[2 * x] + lower[2 * x + 1])
        half[x] = total * np.float32(0.25)
    if upper.size % 2:
        half[-1] = (upper[-1] + upper[-1] + (lower[-1] + lower[-1])) * np.float32(0.25)


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _finish(sums: Floats, weights: Floats, codes: NDArray[Any], half: Floats) -> None:
    # ``weights`` is empty where nothing is divided, ``half`` where no level follows.
    height, width = sums.shape[1:]
    rows = np.empty((2, width), np.float32)
    bits = rows.view(np.uint32)
    for c in range(sums.shape[0]):
        for y in range(height):
            if weights.size:
                _quotient(rows[y % 2], sums[c, y], weights[y])
            else:
                rows[y % 2] = sums[c, y]
            if codes.itemsize == 1:
                _round_to_bytes(rows[y % 2], codes[c, y, :width])
            else:
                _round_to_halves(rows[y % 2], bits[y % 2], codes[c, y, :width])
            if half.size and (y % 2 or y == height - 1):
                _mean_of_four(rows[0], rows[y % 2], half[c, y // 2])


def to_float16(values: Floats) -> NDArray[np.float16]:
    """Probabilities ``(class, y, x)`` rounded as NumPy does it, several times as fast; only for values from 0 to 2."""
    codes = np.empty(values.shape, np.uint16)
    _finish(values, _NO_WEIGHTS, codes, np.empty((0, 0, 0), np.float32))
    return codes.view(np.float16)


@dataclass(frozen=True, slots=True, eq=False)
class Fused:
    """The map of a block before it is stored: sums, and what they are divided by."""

    sums: Floats
    """``(class, y, x)``."""
    weights: Floats | None
    """``(y, x)``; None where nothing is divided."""

    def values(self) -> Floats:
        """The map ``(class, y, x)``; 0 where there was no window."""
        if self.weights is None:
            return self.sums
        return np.divide(self.sums, self.weights, out=np.zeros_like(self.sums), where=self.weights > 0)

    def empty_half(self) -> Floats:
        """Room for the next level of the pyramid."""
        classes, height, width = self.sums.shape
        return np.empty((classes, -(-height // 2), -(-width // 2)), np.float32)

    def store(self, box: Box, *, codes: NDArray[Any], half: Floats | None) -> None:
        """Round a part of the map, and halve it.

        Parameters
        ----------
        box
            Pixels of the map; it starts at even ones, and ends there or at the border of the map.
        codes
            ``(class, y, x)`` float16 or uint8, changed; its first pixel is that of the box, what lies beyond is kept.
        half
            Room for the whole half map, changed in this part; None where none is wanted.
        """
        y, x = box.slices
        weights = _NO_WEIGHTS if self.weights is None else self.weights[y, x]
        target = codes.view(np.uint16) if codes.dtype == np.float16 else codes
        if half is None:
            part = np.empty((0, 0, 0), np.float32)
        else:
            part = half[:, box.y0 // 2 : -(-box.y1 // 2), box.x0 // 2 : -(-box.x1 // 2)]
        _finish(self.sums[:, y, x], weights, target, part)
