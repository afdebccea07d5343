"""TIFF series: the pyramid pages of the largest picture in a file, whatever stands before it."""

import math
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import tifffile

from pipeline.config.raw import LARGEST_DECODE
from pipeline.raw.formats.decoded_size import check_unit
from pipeline.raw.formats.source import unusable
from pipeline.raw.formats.tiff_page import DAMAGE, decoded_unit

__all__ = ["EXPECTED", "PROBLEMS", "opened_tiff", "picture_pages", "tiff_size"]

UPRIGHT = (0, 1)
"""Values of the tag Orientation; 0 is not in the standard and means unset."""
EXPECTED = "one grey or RGB picture of 8 or 16 bit, with or without smaller copies of itself"
"""Required content of a file, for messages."""
PROBLEMS = (*DAMAGE, struct.error)
"""Errors raised for damaged headers."""
NUMBERS = ("photometric", "planarconfig", "compression", "predictor", "fillorder")
"""Attributes of a page that readers expect to be numbers."""


@contextmanager
def opened_tiff(path: Path) -> Iterator[tifffile.TiffFile]:
    """TIFF file, open, its headers read.

    Raises
    ------
    ImageRejected
        The file is damaged.
    """
    try:
        # Each file of an OME-TIFF set lists the images of all, so the largest one may be in another file.
        file = tifffile.TiffFile(path, _multifile=False)
    except PROBLEMS as error:
        raise unusable(path, error, expected="a whole TIFF file") from error
    with file:
        yield file


def picture_pages(file: tifffile.TiffFile, path: Path) -> list[Any]:
    """Pyramid pages of the largest picture that a file holds, finest first.

    Raises
    ------
    ImageRejected
        A damaged file, a stack of pictures, or one that is turned.
    """
    try:
        series = _largest_first(file)
        levels = [(level, level.pages[0].aspage()) for level in series[0].levels]
        pages = [page for level, page in levels if math.prod(level.shape) == page.size and page.imagedepth == 1]
        alike = [page for page in pages if _alike(page, pages[0])]
        _ = [int(getattr(page, name)) for page in pages for name in NUMBERS]  # A damaged tag may hold none.
    except (*PROBLEMS, ZeroDivisionError, AttributeError, TypeError) as error:
        raise unusable(path, error, expected="a whole TIFF file") from error
    if levels and levels[0][1].tags.valueof("Orientation", default=1) not in UPRIGHT:
        turned = f"orientation {levels[0][1].tags.valueof('Orientation')}"
        raise unusable(path, turned, expected="a TIFF whose first row is on top: readers differ in how they turn it")
    if not pages or pages[0] is not levels[0][1] or _is_pair(series):
        found = "; ".join(f"{each.axes} {'×'.join(map(str, each.shape))}" for each in series[:5])
        raise unusable(path, f"a stack of channels or planes ({found})", expected=EXPECTED)
    return alike


def _largest_first(file: tifffile.TiffFile) -> list[Any]:
    """Series by the area of their pages: a macro, label or thumbnail may stand before the picture."""

    def area(series: Any) -> int:  # noqa: ANN401 pages that may be None by their type
        first = series.levels[0].pages[0].aspage()
        return int(first.imagelength) * int(first.imagewidth)

    return sorted(file.series, key=area, reverse=True)


def _is_pair(series: list[Any]) -> bool:
    """Test for two largest images of one kind, of which either could be intended."""
    return len(series) > 1 and (series[0].shape, series[0].dtype) == (series[1].shape, series[1].dtype)


def _alike(page: tifffile.TiffPage, first: tifffile.TiffPage) -> bool:
    same = all(getattr(page, each) == getattr(first, each) for each in ("samplesperpixel", "photometric", "dtype"))
    high, wide = first.imagelength / page.imagelength, first.imagewidth / page.imagewidth
    # Small levels are rounded, so a quotient may be off by the effect of one pixel.
    return same and abs(high - wide) <= high / page.imagelength + wide / page.imagewidth


def tiff_size(path: Path, *, largest: int = LARGEST_DECODE) -> tuple[int, int]:
    """Image size ``(height, width)`` of the picture in a TIFF file.

    Raises
    ------
    ImageRejected
        The header cannot be read, or names more than is decoded at once.
    """
    with opened_tiff(path) as file:
        page = picture_pages(file, path)[0]
        check_unit(decoded_unit(page), path, largest=largest)
        return int(page.imagelength), int(page.imagewidth)
