"""Tiles and strips of one TIFF page: those that touch a box are decoded and cached.

A page is cut into pieces: its tiles, its strips, or runs of rows where strips are stored without compression.
"""

import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias

import numpy as np
import tifffile
from numpy.typing import NDArray

from pipeline.geometry import Box
from pipeline.raw.formats.decoded_size import Unit, check_stream
from pipeline.raw.formats.jpeg_png import ends
from pipeline.raw.formats.jpeg_scan import ScanCheck, check_scans
from pipeline.raw.formats.reading import READING, Reading
from pipeline.raw.formats.source import unusable
from pipeline.runtime.array_cache import ArrayCache

__all__ = ["DAMAGE", "LARGEST_PIECE", "Page", "decoded_unit", "is_jpeg"]

Values: TypeAlias = NDArray[Any]
LARGEST_PIECE = 2**26
"""Most bytes of a decoded piece of a file that is read in pieces."""
RUN_BYTES = 2**20
"""Bytes of a run of rows where strips are not compressed."""
JPEG = (7, 33007, 34892)
YCBCR_JPEG_2000 = 33003
"""Compression of Aperio slides whose codestreams hold YCbCr without saying so."""
JPEG_2000 = (33003, 33004, 33005, 34712)
PICTURES = (*JPEG, *JPEG_2000, 22610, 34887, 34933, 34934, 50001, 50002, 52546)
"""Compressions whose data declare a size of their own: also LERC, PNG, JPEG XR, WebP and JPEG XL."""
CODESTREAM = b"\xff\x4f"
"""First bytes of a bare JPEG 2000 stream, which ends like a JPEG."""
DAMAGE = (
    OSError,
    ValueError,
    IndexError,
    KeyError,
    RuntimeError,
    TypeError,
    AttributeError,
    AssertionError,
    OverflowError,
    ZeroDivisionError,
    tifffile.TiffFileError,
)
"""Errors of decoders for damaged files."""


def is_jpeg(page: tifffile.TiffPage) -> bool:
    """Test for JPEG compression of a page, which blurs its values."""
    return int(page.compression) in (6, *JPEG)


def _is_plain(page: tifffile.TiffPage) -> bool:
    simple = int(page.compression) == 1 and int(page.predictor) == 1 and int(page.fillorder) == 1
    return bool(not page.is_tiled and simple and not page.is_subsampled and page.bitspersample in (8, 16))


def decoded_unit(page: tifffile.TiffPage) -> Unit:
    """Unit that a page is decoded in: a tile, a strip, a run of rows, or the whole page where these are large."""
    height, width, itemsize = int(page.imagelength), int(page.imagewidth), np.dtype(page.dtype or np.uint8).itemsize
    samples = 1 if int(page.planarconfig) == 2 else int(page.samplesperpixel)
    if page.is_tiled:
        unit = Unit("tile", int(page.tilelength), int(page.tilewidth), samples, itemsize)
    else:
        rows = min(int(page.rowsperstrip), height)
        rows = min(rows, max(1, RUN_BYTES // max(width * samples * itemsize, 1))) if _is_plain(page) else rows
        unit = Unit("strip", rows, width, samples, itemsize)
    return unit if unit.nbytes <= LARGEST_PIECE else Unit("page", height, width, int(page.samplesperpixel), itemsize)


class Page:
    """Page of an open TIFF file, read piece by piece as the values that it stores.

    Parameters
    ----------
    page
        The page.
    stream
        The file, for reading; ``lock`` is held while it is read.
    path
        Its name, for messages.
    cache
        Where decoded pieces are kept, under ``number``.
    each
        A map over pieces, of one thread or several.
    fill
        Value of pieces missing in the file.
    reading
        Whether its JPEG scans were checked, and the largest piece that is decoded, whatever its data declare.

    Raises
    ------
    ImageRejected
        A piece that should be in the file lies outside it.
    """

    def __init__(
        self,
        page: tifffile.TiffPage,
        *,
        stream: BinaryIO,
        lock: threading.Lock,
        path: Path,
        cache: ArrayCache,
        number: int,
        each: Callable[[Callable[[int], None], Iterable[int]], Iterable[None]],
        fill: int = 0,
        reading: Reading = READING,
    ) -> None:
        self._page, self._stream, self._lock, self._path = page, stream, lock, path
        self.extra: set[int] = set()
        """Number of pieces with harmless bytes between the end of a JPEG scan and the next marker."""
        self._cache, self._number, self._each, self._fill = cache, number, each, fill
        self._reading = reading
        self.height, self.width = int(page.imagelength), int(page.imagewidth)
        self.samples = int(page.samplesperpixel)
        self.dtype = np.dtype(page.dtype)
        self._apart = int(page.planarconfig) == 2 and self.samples > 1
        if page.is_tiled:
            self.tile = int(page.tilelength), int(page.tilewidth)
        else:
            self.tile = min(int(page.rowsperstrip), self.height), self.width
        self._check_count(min(len(page.dataoffsets), len(page.databytecounts)))
        self._tops = np.arange(0, self.height, self.tile[0])
        self._lefts = np.arange(0, self.width, self.tile[1])
        self._offsets, self._counts = (np.asarray(each, np.int64) for each in (page.dataoffsets, page.databytecounts))
        self._check_whole()
        # Read once here, because some of them access the file.
        self._is_picture = int(page.compression) in PICTURES
        self._tables, self._header, self._decoder = page.jpegtables, page.jpegheader, page.decode
        self._runs = _is_plain(page)
        if self._runs:
            self._cut_strips()
        self._columns = len(self._lefts)

    @property
    def piece_bytes(self) -> int:
        """Bytes of a decoded piece."""
        values = self.tile[0] * self.tile[1] * (1 if self._apart else self.samples)
        return int(values * self.dtype.itemsize)

    @property
    def is_single(self) -> bool:
        """Test for a page that is a single piece."""
        return len(self._offsets) == 1

    def _check_count(self, stored: int) -> None:
        # Before any array over the pieces is made, because a damaged header may declare sides of billions of pixels.
        rows, columns = self.tile
        needed = -(-self.height // max(rows, 1)) * -(-self.width // max(columns, 1))
        needed *= self.samples if self._apart else 1
        if min(rows, columns) < 1 or stored < needed:
            raise unusable(self._path, f"{stored} of {needed} pieces", expected="a TIFF file with all its pieces")

    def _check_whole(self) -> None:
        length = self._stream.seek(0, 2)
        ends = np.where(self._counts > 0, self._offsets + self._counts, 0)
        if ends.max(initial=0) > length:
            raise unusable(
                self._path,
                f"a file cut at {length} bytes, whose pixels reach to byte {ends.max()}",
                expected="a whole TIFF file",
            )

    def _cut_strips(self) -> None:
        row = self.width * (1 if self._apart else self.samples) * self.dtype.itemsize
        rows = max(1, RUN_BYTES // row)
        strips = len(self._tops)
        within = np.arange(0, self.tile[0], rows)
        tops = (self._tops[:, None] + within[None, :]).ravel()
        inside = tops < self.height
        starts = self._offsets[: strips * (self.samples if self._apart else 1)].reshape(-1, strips, 1) + within * row
        held = self._counts[: starts.shape[0] * strips].reshape(-1, strips)
        lengths = (np.minimum(self._tops + self.tile[0], self.height) - self._tops) * row
        if np.any((held > 0) & (held < lengths)):
            raise unusable(self._path, "strips shorter than their rows", expected="a whole TIFF file")
        missing = np.repeat((held == 0)[:, :, None], len(within), axis=2)
        self._tops = tops[inside]
        ends = np.minimum(np.append(self._tops[1:], self.height), self.height)
        self._offsets = starts.reshape(starts.shape[0], -1)[:, inside].ravel()
        counts = np.tile((ends - self._tops) * row, starts.shape[0])
        self._counts = np.where(missing.reshape(starts.shape[0], -1)[:, inside].ravel(), 0, counts)
        self.tile = min(rows, self.tile[0]), self.width
        self._check_whole()

    def read(self, box: Box) -> Values:
        """Stored values ``(h, w, samples)`` of a box."""
        shape = (box.height, box.width, self.samples)
        if not box.area:
            return np.zeros(shape, self.dtype)
        found = np.full(shape, self._fill, self.dtype)
        rows = range(*_touching(self._tops, box.y0, box.y1))
        columns = range(*_touching(self._lefts, box.x0, box.x1))
        planes = range(self.samples if self._apart else 1)
        grid = len(self._tops)

        def place(index: int) -> None:
            if self._counts[index]:
                self._copy(index, box, found)

        wanted = (
            (plane * grid + row) * self._columns + column for plane in planes for row in rows for column in columns
        )
        for _ in self._each(place, wanted):
            pass
        return found

    def whole(self) -> Values:
        """Stored values of the whole page; a page that is one piece is not copied."""
        if self.is_single and not self._apart and self._counts[0]:
            return self._decode(0)[: self.height, : self.width]
        return self.read(Box.of_shape(self.height, self.width))

    def _copy(self, index: int, box: Box, found: Values) -> None:
        plane, place = divmod(index, len(self._tops) * self._columns)
        y0, x0 = int(self._tops[place // self._columns]), int(self._lefts[place % self._columns])
        bottom = self._tops[place // self._columns + 1] if place // self._columns + 1 < len(self._tops) else self.height
        inner = Box(y0, x0, int(bottom), min(x0 + self.tile[1], self.width)).intersect(box)
        piece = self._cache.get((self._number, index), lambda: self._decode(index))
        part = piece[inner.shift(-y0, -x0).slices]
        if part.shape[:2] != (inner.height, inner.width):
            raise self._damaged(index, f"{piece.shape[1]}×{piece.shape[0]} pixels decoded")
        channels = slice(plane, plane + 1) if self._apart else slice(None)
        found[(*inner.shift(-box.y0, -box.x0).slices, channels)] = part

    def _damaged(self, index: int, problem: object) -> Exception:
        place = index % (len(self._tops) * self._columns)
        y, x = self._tops[place // self._columns], self._lefts[place % self._columns]
        kind = "tile" if self._page.is_tiled else "strip"
        return unusable(
            self._path,
            f"{kind} {index} at row {y}, column {x} does not decode: {problem}",
            expected=f"a {kind} of {getattr(self._page.compression, 'name', self._page.compression)} data",
        )

    def _bytes(self, index: int) -> bytes:
        with self._lock:
            self._stream.seek(int(self._offsets[index]))
            data = self._stream.read(int(self._counts[index]))
        if len(data) != self._counts[index]:
            raise self._damaged(index, f"{len(data)} of {self._counts[index]} bytes")
        return data

    def _decode(self, index: int) -> Values:
        data = self._bytes(index)
        if self._runs:
            order = np.dtype(self.dtype.newbyteorder(self._page.parent.byteorder))
            stored = np.frombuffer(data, order).astype(self.dtype, copy=False)
            return stored.reshape(-1, self.width, 1 if self._apart else self.samples)
        kind = f"data of {'tile' if self._page.is_tiled else 'strip'} {index}"
        if self._is_picture:
            check_stream(data, name=kind, path=self._path, largest=self._reading.largest, piece=self.tile)
        if not self._reading.checked:
            self._check_scans(data, index)
        try:
            decoded, _, _ = self._decoder(data, index, jpegtables=self._tables, jpegheader=self._header)
        except (*DAMAGE, MemoryError) as error:  # A damaged header may request any size.
            raise self._damaged(index, str(error) or "its size is beyond memory") from error
        piece = np.asarray(decoded)[0]
        return _rgb_of_ycbcr(piece) if self._is_hidden_ycbcr(data) else piece

    def _check_scans(self, data: bytes, index: int) -> None:
        # Decoders silently fill missing or wrong data.
        codec = int(self._page.compression)
        check = check_scans(data, tables=self._tables or b"") if codec in JPEG else ScanCheck()
        looks_whole = codec not in JPEG and not (codec in JPEG_2000 and data.startswith(CODESTREAM))
        if not (check.known or looks_whole or ends(data)):
            check = ScanCheck(fault="the data breaks off")
        if check.fault:
            raise self._damaged(index, check.fault)
        if check.extra:
            self.extra.add(index)

    def _is_hidden_ycbcr(self, data: bytes) -> bool:
        # With subsampled chroma the decoder has recognised YCbCr and returned RGB already.
        if int(self._page.compression) != YCBCR_JPEG_2000 or self.samples != 3:
            return False
        start = data.find(b"\xff\x4f\xff\x51")
        return start < 0 or data[start + 46 : start + 48] == b"\x01\x01"


def _touching(starts: NDArray[np.int64], first: int, end: int) -> tuple[int, int]:
    """First and last-but-one index of the pieces that hold pixels ``first <= i < end`` along one axis."""
    return int(np.searchsorted(starts, first, side="right")) - 1, int(np.searchsorted(starts, end, side="left"))


def _rgb_of_ycbcr(piece: Values) -> Values:
    """JFIF's conversion of full-range YCbCr, in whole numbers of 1/65536."""
    y, cb, cr = (piece[:, :, channel].astype(np.int32) - offset for channel, offset in enumerate((0, 128, 128)))
    red = y + ((91881 * cr + 32768) >> 16)
    green = y - ((22554 * cb + 46802 * cr + 32767) >> 16)
    blue = y + ((116130 * cb + 32768) >> 16)
    return np.asarray(np.clip(np.stack([red, green, blue], axis=2), 0, 255), np.uint8)
