"""Colour histogram of a slide over all 24-bit colours, percentiles from it, and a random sample of pixels.

Statistics of single-pixel values, such as a percentile of stain concentrations, are exact from this table, whatever the
size of the slide. Counts add up, so they do not depend on how the slide is cut. The sample from which a dictionary is
learned is keyed by position: the coordinates of a pixel alone decide whether it is in the sample, and its place in the
order.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from pipeline.errors import GeometryError
from pipeline.geometry import Box

__all__ = [
    "COLOURS",
    "ColourTable",
    "colour_table",
    "count_colours",
    "ordered_sample",
    "percentile",
    "sample_pixels",
]

COLOURS = 2**24
"""Number of 8-bit RGB colours; the code of one is ``65536 red + 256 green + blue``."""

# The position hash is splitmix64 (Steele, Lea, Flood 2014), a bijection of 64-bit numbers: no two pixels share a key.
_STEP, _MIX_ONE, _MIX_TWO = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_KEY = np.uint64(0x6C6573696F6E6D61)
_S27, _S30, _S31, _S32 = np.uint64(27), np.uint64(30), np.uint64(31), np.uint64(32)

_BINS = 4096


@dataclass(frozen=True, slots=True, eq=False)
class ColourTable:
    """Colour histogram: the occurring colours in the order of their codes, and their numbers of pixels."""

    colours: NDArray[np.uint8]
    """``(n, 3)``: red, green, blue; no colour twice."""
    counts: NDArray[np.int64]
    """``(n,)``, at least 1."""

    def __post_init__(self) -> None:
        if self.colours.shape != (*self.counts.shape, 3) or self.counts.ndim != 1:
            raise GeometryError(
                "Colours and counts do not belong together.",
                where="normalized.stain.colour_table.ColourTable",
                found=f"{self.colours.shape}, {self.counts.shape}",
                expected="(n, 3) and (n,)",
                remedy="Make the table with colour_table.",
            )

    @property
    def pixels(self) -> int:
        """Number of pixels counted."""
        return int(self.counts.sum())


def count_colours(block: NDArray[np.uint8], include: NDArray[np.bool_] | None, counts: NDArray[np.int64]) -> None:
    """Addition of a block's colours to the counts, in place. Threads need a lock or separate counts.

    Parameters
    ----------
    block
        ``(y, x, 3)``.
    include
        ``(y, x)``, the pixels that count; all by default.
    counts
        ``(2**24,)``, additive over blocks; see `colour_table`.

    Raises
    ------
    GeometryError
        Where block, mask or counts are of other sizes.
    """
    _check_block(block, include, where="normalized.stain.colour_table.count_colours")
    if counts.shape != (COLOURS,):
        raise GeometryError(
            "The counts are not those of all colours.",
            where="normalized.stain.colour_table.count_colours",
            found=counts.shape,
            expected=(COLOURS,),
            remedy="Begin with np.zeros(COLOURS, np.int64).",
        )
    pixels = np.ascontiguousarray(block).reshape(-1, 3)
    if include is None:
        _count_all(pixels, counts)
    else:
        _count_some(pixels, np.ascontiguousarray(include).reshape(-1), counts)


def colour_table(counts: NDArray[np.int64]) -> ColourTable:
    """Colour histogram from counts, with only the occurring colours.

    Parameters
    ----------
    counts
        ``(2**24,)``, as `count_colours` filled it.
    """
    codes = np.flatnonzero(counts != 0)
    return ColourTable(_colours(codes), counts[codes])


def percentile(values: NDArray[np.float64], counts: NDArray[np.int64], q: float) -> float:
    """Weighted percentile, of values with multiplicities.

    Parameters
    ----------
    values
        ``(n,)``, at least one, finite.
    counts
        ``(n,)``, how often each occurs, at least 1.
    q
        0…100.

    Returns
    -------
    float
        ``np.percentile(np.repeat(values, counts), q)``, bit for bit, without the repetition and in linear time.

    Raises
    ------
    GeometryError
        Without values.
    """
    if values.size == 0 or values.shape != counts.shape:
        raise GeometryError(
            "There is no percentile.",
            where="normalized.stain.colour_table.percentile",
            found=f"{values.shape}, {counts.shape}",
            expected="as many counts as values, at least one",
            remedy="Leave out slides without tissue.",
        )
    values = np.ascontiguousarray(values, np.float64)
    place = (int(counts.sum()) - 1) * (q / 100)
    rank = int(np.floor(place))
    low, high = _neighbours(values, np.ascontiguousarray(counts), rank)
    share, step = place - rank, high - low
    return float(low + step * share if share < 0.5 else high - step * (1 - share))


def sample_pixels(
    block: NDArray[np.uint8], include: NDArray[np.bool_] | None, box: Box, share: float
) -> tuple[NDArray[np.uint64], NDArray[np.uint8]]:
    """Random sample of a slide's pixels: those of one block.

    Parameters
    ----------
    block
        ``(y, x, 3)``, the pixels of ``box``.
    include
        ``(y, x)``, the pixels that may be drawn; all by default.
    box
        Where the block lies in the slide.
    share
        Share of the pixels, 0…1: those with a hashed position below it are in the sample.

    Returns
    -------
    tuple
        Keys ``(m,)`` and colours ``(m, 3)``; see `ordered_sample`.

    Raises
    ------
    GeometryError
        Where block, mask or box are of other sizes.
    """
    _check_block(block, include, where="normalized.stain.colour_table.sample_pixels", box=box)
    limit = min(int(share * 2**64), 2**64)
    if limit <= 0 or block.size == 0:
        return np.empty(0, np.uint64), np.empty((0, 3), np.uint8)
    every = np.ones((1, 1), np.bool_) if include is None else np.ascontiguousarray(include)
    places, keys = _keys_below(every, box.y0, box.x0, box.height, box.width, np.uint64(limit - 1))
    return keys, np.ascontiguousarray(block).reshape(-1, 3)[places]


def ordered_sample(parts: Iterable[tuple[NDArray[np.uint64], NDArray[np.uint8]]]) -> NDArray[np.uint8]:
    """Random sample ``(n, 3)`` of a slide, from the parts of its blocks, in the order of the keys.

    It is the same for any partition into blocks and any order of the parts. It is as random as a shuffled sample, and
    each prefix is itself a sample of the whole slide.
    """
    found = list(parts)
    keys = np.concatenate([np.empty(0, np.uint64), *(key for key, _ in found)])
    colours = np.concatenate([np.empty((0, 3), np.uint8), *(colour for _, colour in found)])
    return np.ascontiguousarray(colours[np.argsort(keys)])


def _check_block(
    block: NDArray[np.uint8], include: NDArray[np.bool_] | None, *, where: str, box: Box | None = None
) -> None:
    size = block.shape[:2] if box is None else (box.height, box.width)
    masked = include is None or include.shape == size
    if block.dtype != np.uint8 or block.ndim != 3 or block.shape != (*size, 3) or not masked:
        found = f"block {block.shape} {block.dtype}, mask {None if include is None else include.shape}, {box}"
        raise GeometryError(
            "Block and mask do not fit.",
            where=where,
            found=found,
            expected="(y, x, 3) uint8 and (y, x)",
            remedy="Read image and tissue of the same box.",
        )


def _colours(codes: NDArray[np.int64]) -> NDArray[np.uint8]:
    return np.stack([codes >> 16, codes >> 8, codes], axis=-1).astype(np.uint8)


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _count_all(pixels: NDArray[np.uint8], counts: NDArray[np.int64]) -> None:
    for i in range(pixels.shape[0]):
        counts[(np.uint32(pixels[i, 0]) << 16) | (np.uint32(pixels[i, 1]) << 8) | np.uint32(pixels[i, 2])] += 1


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _count_some(pixels: NDArray[np.uint8], include: NDArray[np.bool_], counts: NDArray[np.int64]) -> None:
    for i in range(pixels.shape[0]):
        code = (np.uint32(pixels[i, 0]) << 16) | (np.uint32(pixels[i, 1]) << 8) | np.uint32(pixels[i, 2])
        counts[code] += include[i]


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _neighbours(values: NDArray[np.float64], counts: NDArray[np.int64], rank: int) -> tuple[float, float]:
    # The values of that rank and the next. Bins of equal width sort like their values, so counts are enough to skip all
    # bins except those of the two ranks.
    least, most = values.min(), values.max()
    if not most > least:
        return least, most
    scale = min((_BINS - 1) / (most - least), 1e300)
    inside = np.zeros(_BINS, np.int64)
    for i in range(values.size):
        inside[int((values[i] - least) * scale)] += counts[i]
    first, before = 0, 0
    while before + inside[first] <= rank:
        before += inside[first]
        first += 1
    last, until = first, before + inside[first]
    while until <= rank + 1 and last < _BINS - 1:
        last += 1
        until += inside[last]
    near = np.array([i for i in range(values.size) if first <= int((values[i] - least) * scale) <= last])
    low, high, end = most, most, before
    for i in near[np.argsort(values[near])]:
        start, end = end, end + counts[i]
        if start <= rank < end:
            low = values[i]
        if start <= rank + 1 < end:
            high = values[i]
    return low, high


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _keys_below(
    include: NDArray[np.bool_], y0: int, x0: int, height: int, width: int, last: np.uint64
) -> tuple[NDArray[np.int64], NDArray[np.uint64]]:
    masked = include.shape[0] == height and include.shape[1] == width
    places, keys = np.empty(height * width, np.int64), np.empty(height * width, np.uint64)
    found = 0
    for y in range(height):
        for x in range(width):
            key = ((np.uint64(y0 + y) << _S32) | np.uint64(x0 + x)) * _STEP + _KEY
            key = (key ^ (key >> _S30)) * _MIX_ONE
            key = (key ^ (key >> _S27)) * _MIX_TWO
            key = key ^ (key >> _S31)
            # Always written, kept if in the sample, which avoids a branch.
            places[found], keys[found] = y * width + x, key
            found += int(key <= last and (not masked or include[y, x]))
    return places[:found].copy(), keys[:found].copy()
