"""Which images show the same picture? A perceptual hash of each, and the pairs whose hashes are close.

The hash is the sign, against their median, of the 255 lowest frequencies (16 × 16 without the mean) of the cosine
transform of the luminance at 64 × 64. Gain, offset, size and compression of a picture hardly change them. Fundus
photographs all look alike, so hashes of the usual 64 bits come too close to each other: measured on the 12 IDRiD
images at hand, different images differ in at least 62 of the 255 bits, and copies of them (a sixth of the size, JPEG of
quality 10 at an eighth of it, brightness and gamma changed until it saturates) in at most 22.

References
----------
.. [1] C. Zauner, "Implementation and benchmarking of perceptual image hash functions", 2010.
"""

from collections.abc import Mapping
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.geometry import Box
from pipeline.raw.source import ImageSource

__all__ = ["ALIKE", "Shrink", "alike_pairs", "hash_level", "perceptual_hash"]

SMALL, FREQUENCIES = 64, 16
ALIKE = 32
"""Bits in which two hashes of one picture differ at most."""
SEEN = 0.5
"""Grey levels of standard deviation below which there is nothing to be told apart."""
LEAST_SIDE = 512


@lru_cache(maxsize=8)
def _weights(start: int, stop: int, length: int) -> NDArray[np.float32]:
    """``(SMALL, stop - start)``: which share of each pixel lies in which part of the small picture."""
    borders = np.arange(start, stop + 1, dtype=np.float64) * SMALL / length
    low, high = borders[None, :-1], borders[None, 1:]
    part = np.arange(SMALL, dtype=np.float64)[:, None]
    return np.asarray(np.clip(np.minimum(high, part + 1) - np.maximum(low, part), 0, None), dtype=np.float32)


class Shrink:
    """The luminance of an image at 64 × 64, the mean over areas, gathered block by block."""

    def __init__(self, height: int, width: int) -> None:
        """Begin with nothing of an image of that size."""
        self._shape = height, width
        self._sum = np.zeros((SMALL, SMALL), dtype=np.float64)

    def add(self, box: Box, pixels: NDArray[np.uint8] | NDArray[np.uint16]) -> None:
        """Add the RGB pixels ``(h, w, 3)`` of a box; boxes must cover the image once."""
        grey = cv2.cvtColor(np.ascontiguousarray(pixels), cv2.COLOR_RGB2GRAY).astype(np.float32)
        down = _weights(box.y0, box.y1, self._shape[0])
        right = _weights(box.x0, box.x1, self._shape[1])
        self._sum += down @ grey @ right.T

    @property
    def picture(self) -> NDArray[np.float32]:
        """``(64, 64)``; to a hundredth of a grey level, so that the order of adding cannot be seen."""
        return np.round(self._sum, 2).astype(np.float32)


def hash_level(source: ImageSource) -> int:
    """The coarsest level of an image's own pyramid that is still much larger than the small picture."""
    return max(at for at, size in enumerate(source.levels) if at == 0 or min(size) >= LEAST_SIDE)


def perceptual_hash(small: NDArray[np.float32]) -> str:
    """64 hexadecimal digits for a picture ``(64, 64)``; empty for one that shows nothing."""
    if float(small.std()) < SEEN:
        return ""
    lowest = cv2.dct(small)[:FREQUENCIES, :FREQUENCIES].ravel()[1:]
    bits = np.concatenate([[False], lowest > np.median(lowest)])
    return np.packbits(bits).tobytes().hex()


def alike_pairs(hashes: Mapping[str, str]) -> list[tuple[str, str, int]]:
    """Pairs of images that show the same picture.

    Parameters
    ----------
    hashes
        Image id → hash; images whose hash is empty are like no other.

    Returns
    -------
    list
        Two ids in text order and the number of bits in which they differ, by id.
    """
    names = sorted(name for name, text in hashes.items() if text)
    joined = bytes.fromhex("".join(hashes[name] for name in names))
    words = np.frombuffer(joined, dtype=np.uint64).reshape(len(names), FREQUENCIES**2 // 64)
    pairs = []
    for at, own in enumerate(words[:-1]):
        apart = np.bitwise_count(words[at + 1 :] ^ own).sum(axis=1)
        pairs += [
            (names[at], names[at + 1 + int(other)], int(apart[other])) for other in np.flatnonzero(apart <= ALIKE)
        ]
    return pairs
