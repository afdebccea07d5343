"""Value counts of one mask or label file, and the conclusions from them: the cut of a mask, undeclared labels.

A mask of 0 and one other value is set where it is not 0. A mask with more values was stored as JPEG or has anti-aliased
rims: it is cut in the middle, above 127 of 255 or 32767 of 65535. This is valid only for noise and rims: a mask with
areas of other values is refused, because their meaning is unknown.
"""

import itertools
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.counts import first_names
from pipeline.errors import ImageRejected
from pipeline.geometry import Box
from pipeline.raw.formats.reader import ValueSource
from pipeline.raw.formats.source import piece_boxes

__all__ = ["ValueCounts", "check_labels", "count_values", "mask_cut"]

BLOCK_PIXELS = 2**22
"""Pixels examined together."""
MOST_DISTINCT = 2**16
"""Most different values of a mask or label image."""
LISTED, RECORDED = 8, 32
"""Most values in a message and in a fact sheet, the most frequent ones; the rest is summed up."""
BYTE, WORD = 255, 65535
NOISE = 16
"""A flat area of this value of 255 or above is no noise: the ringing of JPEG is not flat."""
QUARTER, THREE_QUARTERS = 64, 192
INNER_SHARE = 0.01
"""Largest share of pixels inside areas of other values, relative to the set pixels, in a two-valued mask."""


@dataclass(frozen=True, slots=True, eq=False)
class ValueCounts:
    """Value counts of a file."""

    values: NDArray[np.float64]
    """``(n,)``, each once, ascending."""
    pixels: NDArray[np.int64]
    """``(n,)``, number of pixels with each value."""

    def _shares(self, most: int) -> tuple[list[tuple[str, float]], int, float]:
        # By share, then by value, for a stable order.
        order = np.argsort(-self.pixels, kind="stable")
        total = max(int(self.pixels.sum()), 1)
        listed = [(f"{self.values[at]:.10g}", float(self.pixels[at] / total)) for at in order[:most]]
        return listed, len(order[most:]), float(self.pixels[order[most:]].sum() / total)

    def record(self) -> dict[str, Any]:
        """Plain JSON: ``values``, value → share of the pixels, the most frequent ones; the rest is summed up."""
        listed, more, share = self._shares(RECORDED)
        return {"values": dict(listed), "other_values": more, "other_share": share}

    def __str__(self) -> str:
        """Values and shares, the most frequent first."""
        listed, more, share = self._shares(LISTED)
        text = ", ".join(f"{value} ({100 * part:.3g} %)" for value, part in listed)
        return text + (f" and {more} more values up to {self.values[-1]:.10g} ({100 * share:.3g} %)" if more else "")


def _counts(values: NDArray[Any]) -> ValueCounts:
    if values.dtype.kind == "b" or values.dtype in (np.uint8, np.uint16):
        whole = np.ascontiguousarray(values.astype(np.uint8) if values.dtype.kind == "b" else values)
        top, above = int(whole.max(initial=0)), cv2.countNonZero(whole)
        if (
            cv2.sumElems(whole)[0] == top * above
        ):  # Most masks have 0 and one other value; this takes a tenth of the time.
            two = np.array([(0, whole.size - above), (top, above)], np.int64)
            two = two[two[:, 1] > 0]
            return ValueCounts(two[:, 0].astype(np.float64), two[:, 1])
        size = int(np.iinfo(whole.dtype).max) + 1
        # In a third of the time of `bincount`. Its float32 is exact: a block has less than 2²⁴ pixels.
        pixels = cv2.calcHist([whole], [0], None, [size], [0, size]).ravel().astype(np.int64)
        found = np.flatnonzero(pixels)
        return ValueCounts(found.astype(np.float64), pixels[found])
    found, pixels = np.unique(values, return_counts=True)
    return ValueCounts(found.astype(np.float64), pixels.astype(np.int64))


def _whole_numbers(values: NDArray[Any]) -> NDArray[Any]:
    """Values as uint16 if they are integers that fit, which are counted fastest; else unchanged."""
    if values.dtype.kind == "b" or values.dtype in (np.uint8, np.uint16) or not values.size:
        return values
    if values.min() >= 0 and values.max() <= WORD:  # False for NaN.
        whole = values.astype(np.uint16)
        return whole if np.array_equal(whole, values) else values
    return values


def _together(first: ValueCounts, second: ValueCounts) -> ValueCounts:
    values, places = np.unique(np.concatenate([first.values, second.values]), return_inverse=True)
    pixels = np.zeros(len(values), np.int64)
    np.add.at(pixels, places, np.concatenate([first.pixels, second.pixels]))
    return ValueCounts(values, pixels)


def _refused(what: str, path: Path, *, found: object, expected: str, remedy: str) -> ImageRejected:
    return ImageRejected(what, where=path, found=found, expected=expected, remedy=remedy)


def count_values(source: ValueSource, *, path: Path) -> ValueCounts:
    """Value counts of a mask or label file, which is read once, block by block.

    Parameters
    ----------
    source
        The file, open.
    path
        Its name, for messages.

    Raises
    ------
    ImageRejected
        A value is negative, fractional or NaN, or there are more than `MOST_DISTINCT` different ones.
    """
    found = ValueCounts(np.empty(0, np.float64), np.empty(0, np.int64))
    for box in piece_boxes(source.shape, tile=source.tile, most=BLOCK_PIXELS):
        values = source.read(box)
        block = _counts(_whole_numbers(values))
        if not np.all((block.values >= 0) & (block.values == np.floor(block.values)) & np.isfinite(block.values)):
            raise _refused(
                "A mask or label image holds values that are no whole numbers from 0.",
                path,
                found=f"{values.dtype}: {block}",
                expected="0 and positive whole numbers",
                remedy="Export it as unsigned 8 bit, cut where you want the border to be.",
            )
        found = _together(found, block)
        if len(found.values) > MOST_DISTINCT:
            raise _refused(
                "A mask or label image holds too many different values.",
                path,
                found=str(found),
                expected=f"at most {MOST_DISTINCT}",
                remedy="Check that it is a mask or a label image, and no picture.",
            )
    return found


def check_labels(counts: ValueCounts, *, declared: Collection[int], ignore: Collection[int] = (), path: Path) -> None:
    """Check of a label image: it may hold 0, for background, and values declared in the manifest.

    No value means "not sure" by default. 255 does in many data sets, but is foreground in others and background in
    some, so it must be declared too.

    Parameters
    ----------
    counts
        Its value counts.
    declared
        Values of all classes.
    ignore
        Values of pixels that nobody is sure of.
    path
        Its name, for messages.

    Raises
    ------
    ImageRejected
        It holds other values.
    """
    known = {0, *declared, *ignore}
    unknown = [f"{value:.10g}" for value in counts.values if value not in known]
    if not unknown:
        return
    raise _refused(
        f"A label image holds values that the manifest does not declare: {first_names(unknown, most=LISTED)}.",
        path,
        found=str(counts),
        expected=f"0 for background and {', '.join(_ranges(sorted(known - {0})))}",
        remedy="Mend the label image, or declare the values of each class: a number, or a list of numbers;"
        f" for pixels that nobody is sure of: ignore: [{unknown[-1]}].",
    )


def _ranges(values: Sequence[int]) -> Iterator[str]:
    """Ascending values in words, from three in a row as first and last."""
    for _, group in itertools.groupby(enumerate(values), key=lambda each: each[1] - each[0]):
        row = [value for _, value in group]
        yield from [f"{row[0]} to {row[-1]}"] if len(row) > 2 else map(str, row)


def mask_cut(source: ValueSource, counts: ValueCounts, *, path: Path, ignore: Collection[int] = ()) -> int:
    """Cut of a mask, which is set where its value is above the cut.

    Parameters
    ----------
    source
        The file, open.
    counts
        Its value counts.
    path
        Its name, for messages.
    ignore
        Values of uncertain pixels. If there are any, the mask must have two other values, without noise.

    Returns
    -------
    int
        0 for a lossless mask of 0 and one other value, or of one value; else 127 or 32767.

    Raises
    ------
    ImageRejected
        It is not two-valued up to noise and rims.
    """
    values = counts.values[~np.isin(counts.values, [*ignore])]
    two = len(values) < 2 or (len(values) == 2 and values[0] == 0)
    if two and not source.lossy:
        return 0
    if ignore:
        raise _refused(
            "A mask with pixels to ignore is not two-valued beside them.",
            path,
            found=f"{'a JPEG file, ' if source.lossy else ''}{counts}",
            expected=f"0, one other value, and {', '.join(map(str, ignore))} for pixels that nobody is sure of",
            remedy="Export it as PNG or TIFF, without smoothing.",
        )
    top = int(values[-1])
    scale = BYTE if top <= BYTE else WORD
    middle = scale // 2
    if top and (top <= middle or top > WORD or _is_ambiguous(source, counts, scale=scale)):
        raise _refused(
            "A mask is not two-valued, not even up to noise.",
            path,
            found=str(counts),
            expected=f"0 and one other value, or noise and thin rims around 0 and {scale}",
            remedy="Export 0 and 255. Several classes in one file are a label image: declare its values"
            + ("; as PNG or TIFF, because a lossy file cannot hold them." if source.lossy else "."),
        )
    return middle


def _is_ambiguous(source: ValueSource, counts: ValueCounts, *, scale: int) -> bool:
    """Test for an ambiguous mask, whose pixels may mean something other than set and unset."""
    middle, quarter, top = scale // 2, scale // 4, counts.values[-1]
    low = (counts.values > 0) & (counts.values <= middle)
    between = np.any((counts.values > quarter) & (counts.values < scale - quarter))
    noisy = np.any((counts.values > middle) & (counts.values < top))
    if low.any() and not between and not noisy and not source.lossy:
        return True  # Noise lies around both values; here are 0, a few labels and one other value.
    inner = sum(_inner(source, box, scale=scale) for box in _blocks(source))
    return inner > INNER_SHARE * int(counts.pixels[counts.values > middle].sum())


def _blocks(source: ValueSource) -> Iterator[Box]:
    return piece_boxes(source.shape, tile=source.tile, most=BLOCK_PIXELS)


def _inner(source: ValueSource, box: Box, *, scale: int) -> int:
    """Pixels of a box that lie, with their eight neighbours, in an area of intermediate values or in a flat low one."""
    height, width = source.shape
    grown = Box(max(box.y0 - 1, 0), max(box.x0 - 1, 0), min(box.y1 + 1, height), min(box.x1 + 1, width))
    values = source.read(grown)
    eight = (values if scale == BYTE else values.astype(np.uint16) >> 8).astype(np.uint8)
    square = np.ones((3, 3), np.uint8)
    least, most = cv2.erode(eight, square), cv2.dilate(eight, square)
    between = (least >= QUARTER) & (most < THREE_QUARTERS)
    flat = (least == most) & (least >= NOISE) & (least <= BYTE // 2)
    return int(np.count_nonzero((between | flat)[box.shift(-grown.y0, -grown.x0).slices]))
