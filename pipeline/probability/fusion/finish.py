"""Fused maps of a block from its sums: divided, halved for the pyramid and rounded, strip by strip in the cache.

A division takes several times as long as a product, and all classes of a pixel have the same divisor, so they are
multiplied by its reciprocal.

A pyramid level is the mean of 2 × 2 values of the previous level before rounding, so it is made together with the finer
level and nothing is read again. Torch rounds to float16 twenty times as fast as NumPy.
"""

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numba import njit
from numpy.typing import NDArray

from pipeline.geometry import Box

__all__ = ["Fused", "reciprocals"]

Floats: TypeAlias = NDArray[np.float32]
_NO_HALF = np.ones((0, 0), np.float32)
STRIP = 64
"""Rows divided before rounding: an even number that fits in the cache and that torch rounds in one thread."""


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _round_to_bytes(values: Floats, codes: NDArray[np.uint8]) -> None:
    for y in range(values.shape[0]):
        row, target = values[y], codes[y, : values.shape[1]]
        for x in range(row.size):
            target[x] = np.uint8(np.int32(min(row[x], np.float32(1)) * np.float32(255) + np.float32(0.5)))


def _round(values: Floats, codes: NDArray[Any]) -> None:
    """Round float32 ``(y, x)`` to float16, or from 0…1 to uint8 0…255, into the first columns of ``codes``."""
    if codes.dtype == np.float16:
        import torch

        torch.from_numpy(codes[:, : values.shape[1]]).copy_(torch.from_numpy(values))
    else:
        _round_to_bytes(np.ascontiguousarray(values), codes)


@njit(cache=True, nogil=True, error_model="numpy")  # type: ignore[untyped-decorator]
def _invert(weights: Floats) -> None:
    # NumPy's error model, because a check for zero at every division would prevent vectorisation.
    flat = weights.reshape(-1)
    for at in range(flat.size):
        flat[at] = np.float32(1) / flat[at] if flat[at] > 0 else np.float32(0)


def reciprocals(weights: Floats) -> Floats:
    """Reciprocals of weights, computed in place; 0 for weights of 0."""
    _invert(weights)
    return weights


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _mean_of_four(upper: Floats, lower: Floats, half: Floats) -> None:
    # A missing pixel repeats its neighbour; adding in pairs then gives the exact mean of the others.
    for x in range(upper.size // 2):
        total = (upper[2 * x] + upper[2 * x + 1]) + (lower[2 * x] + lower[2 * x + 1])
        half[x] = total * np.float32(0.25)
    if upper.size % 2:
        half[-1] = (upper[-1] + upper[-1] + (lower[-1] + lower[-1])) * np.float32(0.25)


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _halve(values: Floats, half: Floats, y0: int, x0: int, height: int, width: int) -> None:
    # The part is given by numbers and its rows are sliced here: numba cannot tell that rows of arrays sliced outside
    # are contiguous.
    for y in range(y0, y0 + height, 2):
        upper, lower = values[y, x0 : x0 + width], values[min(y + 1, y0 + height - 1), x0 : x0 + width]
        _mean_of_four(upper, lower, half[y // 2, x0 // 2 : (x0 + width + 1) // 2])


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _divide(sums: Floats, factors: Floats, values: Floats, half: Floats, y0: int, x0: int) -> None:
    # Halved in the same loop, while both rows are in the cache; ``half`` is empty if no level follows.
    height, width = values.shape
    for y in range(height):
        row, source, factor = values[y], sums[y0 + y, x0 : x0 + width], factors[y0 + y, x0 : x0 + width]
        for x in range(width):
            row[x] = source[x] * factor[x]
        if half.size and (y % 2 or y == height - 1):
            _mean_of_four(values[y - y % 2], row, half[(y0 + y) // 2, x0 // 2 : (x0 + width + 1) // 2])


@dataclass(frozen=True, slots=True, eq=False)
class Fused:
    """Map of a block before storage: sums and their factors."""

    sums: Floats
    """``(class, y, x)``, contiguous; values beyond the size do not belong to the map."""
    factors: Floats | None
    """``(y, x)`` reciprocals of the sums of weights, 0 without any window; None without division."""
    size: tuple[int, int] | None = None
    """Rows and columns of the map; by default those of the sums."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """Classes, rows, columns of the map."""
        height, width = self.size or self.sums.shape[1:]
        return self.sums.shape[0], height, width

    def inside(self, roi: NDArray[np.bool_]) -> "Fused":
        """The map, 0 outside a region ``(y, x)``. Sums or factors are changed in place."""
        _, height, width = self.shape
        if self.factors is None:
            self.sums[:, :height, :width] *= roi
        else:
            self.factors[:height, :width] *= roi
        return self

    def values(self) -> Floats:
        """The map ``(class, y, x)``; 0 where there was no window."""
        sums = self.sums[:, : self.shape[1], : self.shape[2]]
        return sums if self.factors is None else sums * self.factors

    def empty_half(self) -> Floats:
        """Memory for the next level of the pyramid."""
        classes, height, width = self.shape
        return np.empty((classes, -(-height // 2), -(-width // 2)), np.float32)

    def store(self, box: Box, *, codes: NDArray[Any], half: Floats | None) -> None:
        """Rounding of a part of the map, and its half for the next level of the pyramid.

        Parameters
        ----------
        box
            Pixels of the map; it starts at even pixels and ends at even ones or at the border of the map.
        codes
            ``(class, y, x)`` float16 or uint8, changed; its first pixel is that of the box; values beyond the box are
            kept.
        half
            ``(class, y, x)`` of the whole half map, changed in this part; None where none is wanted.
        """
        divided = np.empty((STRIP, box.width), np.float32)
        for c, plane in enumerate(self.sums):
            level = _NO_HALF if half is None else half[c]
            if self.factors is None:
                if half is not None:
                    _halve(plane, level, box.y0, box.x0, box.height, box.width)
                _round(plane[box.slices], codes[c, : box.height])
                continue
            for y in range(0, box.height, STRIP):
                values = divided[: min(STRIP, box.height - y)]
                _divide(plane, self.factors, values, level, box.y0 + y, box.x0)
                _round(values, codes[c, y : y + len(values)])
