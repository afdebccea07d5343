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
_NO_WEIGHTS, _NO_HALF = np.ones((0, 0), np.float32), np.ones((0, 0, 0), np.float32)


@njit(cache=True, nogil=True, error_model="numpy")  # type: ignore[untyped-decorator]
def _quotient(row: Floats, source: Floats, weights: Floats) -> None:
    # NumPy's error model: a check for zero at every division would keep the loop from being vectorised.
    for x in range(row.size):
        row[x] = source[x] / weights[x] if weights[x] > 0 else np.float32(0)


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _round_to_halves(row: Floats, raised: Floats, codes: NDArray[np.uint16]) -> None:
    # IEEE 754, to nearest, ties to even: by adding to the bits where float16 is normal. Below that in steps of 2^-24,
    # which is the distance of float32 numbers from 0.5 to 1: adding 0.5 rounds to them. Every sum is cut to 32 bits,
    # because numba would widen it to 64 and half as many fit a vector.
    bits, steps = row.view(np.uint32), raised.view(np.uint32)
    for x in range(row.size):
        raised[x] = row[x] + np.float32(0.5)
    for x in range(row.size):
        b = bits[x]
        odd = np.uint32(np.uint32(b >> np.uint32(13)) & np.uint32(1))
        rounded = np.uint32(np.uint32(np.uint32(b + np.uint32(0xFFF)) + odd) - np.uint32(112 << 23))
        subnormal = np.uint32(steps[x] - np.uint32(126 << 23))
        codes[x] = np.uint16(np.uint32(rounded >> np.uint32(13)) if b >= np.uint32(113 << 23) else subnormal)


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
def _finish(
    sums: Floats, weights: Floats, codes: NDArray[Any], half: Floats, y0: int, x0: int, height: int, width: int
) -> None:
    # ``weights`` is empty where nothing is divided, ``half`` where no level follows. The part is given by numbers and
    # its rows are cut out here: of arrays that were cut outside, numba does not know that neighbours are adjacent.
    rows, raised = np.empty((2, width), np.float32), np.empty(width, np.float32)
    for c in range(sums.shape[0]):
        for y in range(height):
            source = sums[c, y0 + y, x0 : x0 + width]
            if weights.size:
                _quotient(rows[y % 2], source, weights[y0 + y, x0 : x0 + width])
            else:
                rows[y % 2] = source
            if codes.itemsize == 1:
                _round_to_bytes(rows[y % 2], codes[c, y, :width])
            else:
                _round_to_halves(rows[y % 2], raised, codes[c, y, :width])
            if half.size and (y % 2 or y == height - 1):
                _mean_of_four(rows[0], rows[y % 2], half[c, (y0 + y) // 2, x0 // 2 : (x0 + width + 1) // 2])


def to_float16(values: Floats) -> NDArray[np.float16]:
    """Probabilities ``(class, y, x)`` rounded as NumPy does it, several times as fast; only for values from 0 to 2."""
    codes = np.empty(values.shape, np.uint16)
    _finish(values, _NO_WEIGHTS, codes, _NO_HALF, 0, 0, *values.shape[1:])
    return codes.view(np.float16)


@dataclass(frozen=True, slots=True, eq=False)
class Fused:
    """The map of a block before it is stored: sums, and what they are divided by."""

    sums: Floats
    """``(class, y, x)``, contiguous; what lies beyond the size is no part of the map."""
    weights: Floats | None
    """``(y, x)``; None where nothing is divided."""
    size: tuple[int, int] | None = None
    """Rows and columns of the map; None for those of the sums."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """Classes, rows, columns of the map."""
        height, width = self.size or self.sums.shape[1:]
        return self.sums.shape[0], height, width

    def values(self) -> Floats:
        """The map ``(class, y, x)``; 0 where there was no window."""
        sums = self.sums[:, : self.shape[1], : self.shape[2]]
        if self.weights is None:
            return sums
        return np.divide(sums, self.weights, out=np.zeros_like(sums), where=self.weights > 0)

    def empty_half(self) -> Floats:
        """Room for the next level of the pyramid."""
        classes, height, width = self.shape
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
        weights = _NO_WEIGHTS if self.weights is None else self.weights
        target = codes.view(np.uint16) if codes.dtype == np.float16 else codes
        room = _NO_HALF if half is None else half
        _finish(self.sums, weights, target, room, box.y0, box.x0, box.height, box.width)
