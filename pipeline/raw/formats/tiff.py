"""TIFF reader: slides, exported pictures, masks and label images, tiled or striped, read piece by piece.

Aperio SVS, OME-TIFF and generic pyramids (levels as pages or as SubIFDs) are understood. Opening reads headers only. A
truncated file is detected on opening, a piece that does not decode on reading.
"""

import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import tifffile
from numpy.typing import NDArray

from pipeline.errors import ImageRejected
from pipeline.geometry import Box
from pipeline.raw.formats.decoded_size import check_unit
from pipeline.raw.formats.jpeg_scan import extra_remarks
from pipeline.raw.formats.light import AS_STORED, EXTRA_SAMPLES, Alpha, Light, Showing
from pipeline.raw.formats.mask_values import one_value
from pipeline.raw.formats.pixel_size import PixelSize, tiff_pixel_size
from pipeline.raw.formats.reading import READING, Reading
from pipeline.raw.formats.source import (
    ArraySource,
    ImageSource,
    Pixels,
    check_values,
    checked_box,
    three_channels,
    unusable,
)
from pipeline.raw.formats.tiff_page import LARGEST_PIECE, Page, decoded_unit, is_jpeg
from pipeline.raw.formats.tiff_series import EXPECTED, PROBLEMS, opened_tiff, picture_pages
from pipeline.runtime.array_cache import ArrayCache

__all__ = ["TiffSource", "TiffValues", "open_tiff", "open_tiff_values"]

GREY, COLOUR = (0, 1), (2, 6)
INVERTED, YCBCR = 0, 6
PICTURE_CODECS = (7, 33003, 33004, 33005, 33007, 34712, 34892, 50001, 50002)
"""Compressions whose decoders give RGB where YCbCr is stored."""


class _Unread(Exception):
    """The file is not damaged, but another reader has to be tried."""


class TiffSource:
    """Image source of a tiled or striped TIFF; see `pipeline.raw.formats.source.ImageSource`."""

    whole = False
    origin = (0, 0)

    def __init__(self, pages: list[Page], *, light: Light, stored: str, pixel_size: PixelSize) -> None:
        self._pages, self._light = pages, light
        self.levels = tuple((page.height, page.width) for page in pages)
        self.dtype = np.dtype(np.uint16 if pages[0].dtype == np.uint16 else np.uint8)
        self.stored, self.pixel_size_um, self._said = stored, pixel_size.um, pixel_size.remarks
        self.tile = pages[0].tile

    @property
    def remarks(self) -> dict[str, int]:
        """Remarks on content skipped so far, with counts."""
        return self._said | extra_remarks(sum(len(page.extra) for page in self._pages))

    def read(self, box: Box, *, level: int = 0) -> Pixels:
        """RGB pixels ``(h, w, 3)`` of a box of a level."""
        checked_box(box, self.levels, level=level)
        return three_channels(self._light(self._pages[level].read(box)))


class TiffValues:
    """Values of a mask or label file, one a pixel."""

    def __init__(self, page: Page, *, value: Callable[[NDArray[Any]], NDArray[Any]], lossy: bool) -> None:
        self._page, self._value = page, value
        self.shape, self.tile = (page.height, page.width), page.tile
        self.lossy = lossy
        """Whether JPEG has changed the values."""
        self._held = value(page.whole()) if page.piece_bytes > LARGEST_PIECE else None

    def read(self, box: Box) -> NDArray[Any]:
        """Values ``(h, w)`` of a box."""
        checked_box(box, (self.shape,), level=0)
        return self._value(self._page.read(box)) if self._held is None else self._held[box.slices]


def _value(
    page: tifffile.TiffPage, *, inverted: bool, labels: bool, lossy: bool, path: Path
) -> Callable[[NDArray[Any]], NDArray[Any]]:
    """Function from samples ``(h, w, sample)`` to one value per pixel: light of a mask, stored value of a label image."""
    alpha = _alpha(page) != "none"
    light = None if labels or page.colormap is None else np.any(page.colormap, axis=0).astype(np.uint8)

    def value(samples: NDArray[Any]) -> NDArray[Any]:
        if light is not None and light.any():  # An all-black palette was lost; only the indices remain.
            return _looked_up(light, samples[:, :, 0])
        samples = _inverse(samples) if inverted else samples
        stored = samples if samples.shape[2] > 1 else samples[:, :, 0]
        return one_value(stored, alpha=alpha, labels=labels, lossy=lossy, path=path)

    return value


def _looked_up(light: NDArray[np.uint8], indices: NDArray[Any]) -> NDArray[np.uint8]:
    """Light of palette indices."""
    if indices.dtype.itemsize > 1:
        return np.asarray(np.take(light, indices))
    table = np.zeros(256, np.uint8)
    table[: len(light)] = light
    # In a tenth of the time of `take`.
    return np.asarray(cv2.LUT(np.ascontiguousarray(indices).view(np.uint8), table), np.uint8)


def _inverse(values: NDArray[Any]) -> NDArray[Any]:
    """Stored values of a mask whose 0 is white, as light of which 0 is black."""
    if values.dtype == np.bool_:
        values = values.astype(np.uint8) * np.uint8(255)
    return np.asarray(np.iinfo(values.dtype).max - values)


def _alpha(page: tifffile.TiffPage) -> Alpha:
    return EXTRA_SAMPLES.get(int(page.extrasamples[0]), "none") if page.extrasamples else "none"


def _name(code: Any) -> str:  # noqa: ANN401 an enumeration, or a number that it does not know
    return str(getattr(code, "name", code))


def _check_picture(page: tifffile.TiffPage, path: Path) -> None:
    photometric, samples, bits = int(page.photometric), int(page.samplesperpixel), page.bitspersample
    converted = photometric != YCBCR or int(page.compression) in PICTURE_CODECS
    if photometric not in (*GREY, *COLOUR) or not converted or int(page.compression) == 6:
        raise _Unread(f"a picture of kind {_name(page.photometric)}, {_name(page.compression)}")
    if page.dtype is None or page.dtype.kind not in "bu" or bits not in (1, 8, 16):
        raise unusable(path, f"pixels of type {page.dtype}, {bits} bits", expected="8 or 16 bit unsigned integers")
    if samples not in ((1, 2) if photometric in GREY else (3, 4)):
        raise unusable(path, f"{samples} channels of kind {_name(page.photometric)}", expected=EXPECTED)


def _stored(page: tifffile.TiffPage, read: Page) -> str:
    cut = f"tiles of {read.tile[1]}×{read.tile[0]}" if page.is_tiled else f"strips of {int(page.rowsperstrip)} rows"
    return f"{page.samplesperpixel} channels {page.bitspersample} bit, {_name(page.compression).lower()}, {cut}"


class _Opener:
    """Makes readers of the pages of one file that share a stream, a cache and threads."""

    def __init__(self, path: Path, *, reading: Reading, stack: ExitStack) -> None:
        self.path, self.reading = path, reading
        self._stream = stack.enter_context(path.open("rb"))
        self._lock, self._cache = threading.Lock(), ArrayCache(reading.cache_bytes)
        self._each: Callable[[Callable[[int], None], Iterable[int]], Iterable[None]] = map
        if reading.workers > 1:
            self._each = stack.enter_context(ThreadPoolExecutor(reading.workers)).map

    def page(self, page: tifffile.TiffPage, *, number: int = 0, fill: int = 0) -> Page:
        try:
            return Page(
                page,
                stream=self._stream,
                lock=self._lock,
                path=self.path,
                cache=self._cache,
                number=number,
                each=self._each,
                fill=fill,
                # Stage raw has read only the finest level.
                reading=replace(self.reading, checked=self.reading.checked and number == 0),
            )
        except ImageRejected:
            raise
        except PROBLEMS as error:
            raise unusable(self.path, error, expected="a whole TIFF file") from error


def _picture(file: tifffile.TiffFile, opener: _Opener, showing: Showing) -> ImageSource:
    found = picture_pages(file, opener.path)
    _check_picture(found[0], opener.path)
    check_unit(decoded_unit(found[0]), opener.path, largest=opener.reading.largest)
    light = Light(opener.path, showing, _alpha(found[0]), int(found[0].photometric) == INVERTED)
    # Areas that a scanner left out are glass.
    fill = min(light.white, 1 if found[0].dtype == np.bool_ else int(np.iinfo(found[0].dtype).max))
    pages = [opener.page(page, number=number, fill=fill) for number, page in enumerate(found)]
    size, stored = tiff_pixel_size(file, found[0]), _stored(found[0], pages[0])
    if pages[0].piece_bytes > LARGEST_PIECE:
        return ArraySource(pages[0].whole(), stored=stored, pixel_size=size, light=light)
    pages = [page for page in pages if page.piece_bytes <= LARGEST_PIECE]
    return TiffSource(pages, light=light, stored=stored, pixel_size=size)


@contextmanager
def open_tiff(
    path: Path,
    *,
    showing: Showing = AS_STORED,
    reading: Reading = READING,
) -> Iterator[ImageSource | None]:
    """TIFF picture, open for reading; None where another reader has to be tried.

    Parameters
    ----------
    path
        The file.
    showing
        Significant bits, and whether transparent pixels are glass.
    reading
        Threads, cache and limits; stage raw has checked the JPEG scans of the finest level only.

    Raises
    ------
    ImageRejected
        The file is damaged, too large to be decoded, or does not hold exactly one image.
    """
    with ExitStack() as stack:
        file = stack.enter_context(opened_tiff(path))
        try:
            opener = _Opener(path, reading=reading, stack=stack)
            source: ImageSource | None = _picture(file, opener, showing)
        except _Unread:
            source = None
        yield source


@contextmanager
def open_tiff_values(
    path: Path,
    *,
    labels: bool = False,
    reading: Reading = READING,
) -> Iterator[TiffValues]:
    """Mask or label image in TIFF, open for reading. Pieces missing in the file are black, or label 0.

    Parameters
    ----------
    path
        The file.
    labels
        Whether it is a label image, whose stored values count.
    reading
        Threads, cache and limits.

    Raises
    ------
    ImageRejected
        The file is damaged, too large to be decoded, or holds a stack.
    """
    with ExitStack() as stack:
        page = picture_pages(stack.enter_context(opened_tiff(path)), path)[0]
        opener = _Opener(path, reading=reading, stack=stack)
        inverted = int(page.photometric) == INVERTED and not labels
        check_values(page.dtype, whole_range=inverted or _alpha(page) != "none", path=path)
        check_unit(decoded_unit(page), path, largest=reading.largest)
        fill = 0 if not inverted else 1 if page.dtype == np.bool_ else np.iinfo(page.dtype).max
        value = _value(page, inverted=inverted, labels=labels, lossy=is_jpeg(page), path=path)
        yield TiffValues(opener.page(page, fill=fill), value=value, lossy=is_jpeg(page))
