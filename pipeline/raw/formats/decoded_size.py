"""Decoded size of one unit (an image, page, tile or strip), from headers, before memory is allocated."""

from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from pipeline.errors import ImageRejected
from pipeline.raw.formats.jpeg_scan import segments
from pipeline.raw.formats.stream_headers import jpeg_xl_size, jpeg_xr_size, lerc_size

__all__ = ["Unit", "check_stream", "check_unit", "picture_unit", "stream_unit"]

GIBIBYTE = 2**30
FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""Markers of the header of a JPEG frame."""
JPEG, PNG, RIFF = b"\xff\xd8", b"\x89PNG\r\n\x1a\n", b"RIFF"
JPEG_2000, HEAD_OF_JPEG_2000 = b"\xff\x4f\xff\x51", 4096
MODES = {"I": 4, "F": 4}
"""Modes of Pillow and their bytes a sample; those that begin with I;16 have two, all others one."""
PNG_SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
"""Colour type of a PNG → samples a pixel."""


@dataclass(frozen=True, slots=True)
class Unit:
    """Unit of a file that a decoder returns whole."""

    name: str
    """What it is, such as ``tile``."""
    height: int
    width: int
    samples: int
    """Samples a pixel."""
    itemsize: int = 1
    """Bytes a sample."""

    @property
    def nbytes(self) -> int:
        """Decoded size."""
        return self.height * self.width * self.samples * self.itemsize


def check_unit(unit: Unit | None, path: Path, *, largest: int) -> None:
    """Check of a unit before it is decoded; None passes.

    Parameters
    ----------
    unit
        The unit, as headers declare it.
    path
        The file.
    largest
        Bytes that it may have.

    Raises
    ------
    ImageRejected
        It has more.
    """
    if unit is not None and unit.nbytes > largest:
        depth = f"{unit.samples} samples of {8 * unit.itemsize} bits"
        raise ImageRejected(
            f"The {unit.name} is too large to be decoded at once.",
            where=path,
            found=f"{unit.width}×{unit.height} pixels, {depth}: {_size(unit.nbytes)} decoded",
            expected=f"at most {_size(largest)} (raw.largest_decode)",
            remedy="Save the picture as tiled TIFF. Or raise raw.largest_decode (predict: --largest-decode), where the "
            "memory is there and the size is meant.",
        )


def _size(size: int) -> str:
    return f"{size / GIBIBYTE:.2f} GiB ({size} bytes)"


def picture_unit(picture: Image.Image, *, itemsize: int = 1) -> Unit:
    """Unit of a file whose header Pillow has read, with a lower bound for the bytes per sample."""
    size = max(itemsize, 2 if picture.mode.startswith("I;16") else MODES.get(picture.mode, 1))
    return Unit("picture", picture.height, picture.width, len(picture.getbands()), size)


def stream_unit(data: bytes, *, name: str) -> Unit | None:
    """Unit that the header of an image stream declares: JPEG, 2000, XL or XR, PNG, WebP, LERC; None for any other.

    Parameters
    ----------
    data
        The stream, or its beginning.
    name
        What it is in its file.
    """
    if data.startswith(JPEG):
        return _of_jpeg(data, name)
    if data.startswith(PNG) and len(data) > 25:
        samples, itemsize = PNG_SAMPLES.get(data[25], 4), 2 if data[24] == 16 else 1
        return Unit(name, _big(data[20:24]), _big(data[16:20]), samples, itemsize)
    if data.startswith(RIFF):
        return _of_webp(data, name)
    if (size := jpeg_xl_size(data) or jpeg_xr_size(data) or lerc_size(data)) is not None:
        return Unit(name, *size)
    start = data[:HEAD_OF_JPEG_2000].find(JPEG_2000)
    return None if start < 0 or len(data) < start + 43 else _of_jpeg_2000(data[start:], name)


def check_stream(data: bytes, *, name: str, path: Path, largest: int, piece: tuple[int, int]) -> None:
    """Check of the image stream of a tile or strip before it is decoded.

    Parameters
    ----------
    data
        The stream.
    name
        What it is in its file.
    path
        The file.
    largest
        Bytes that it may have decoded.
    piece
        Rows and columns of the tile or strip, which JPEG XL, JPEG XR and LERC must not exceed, because their decoders
        return any declared size; from other formats the needed part is taken.

    Raises
    ------
    ImageRejected
        It declares more.
    """
    unit = stream_unit(data, name=name)
    check_unit(unit, path, largest=largest)
    own = jpeg_xl_size(data) or jpeg_xr_size(data) or lerc_size(data)
    if own and (own[0] > piece[0] or own[1] > piece[1]):
        raise ImageRejected(
            "A piece of a TIFF declares another size than its page.",
            where=path,
            found=f"{name} of {own[1]}×{own[0]} pixels (width × height)",
            expected=f"at most {piece[1]}×{piece[0]}",
            remedy="Save the picture anew.",
        )


def _big(data: bytes) -> int:
    return int.from_bytes(data, "big")


def _little(data: bytes) -> int:
    return int.from_bytes(data, "little")


def _of_jpeg(data: bytes, name: str) -> Unit | None:
    for marker, body, _ in segments(data, 0):
        if marker in FRAMES and len(body) > 5:
            return Unit(name, _big(body[1:3]), _big(body[3:5]), body[5], 1 if body[0] <= 8 else 2)
        if marker == 0xDA:  # pixels begin
            break
    return None


def _of_jpeg_2000(data: bytes, name: str) -> Unit:
    width, height = _big(data[8:12]) - _big(data[16:20]), _big(data[12:16]) - _big(data[20:24])
    return Unit(name, max(height, 0), max(width, 0), _big(data[40:42]), 1 if data[42] & 127 < 8 else 2)


def _of_webp(data: bytes, name: str) -> Unit | None:
    kind = data[12:16] if len(data) >= 30 else b""
    if kind == b"VP8X":
        return Unit(name, 1 + _little(data[27:30]), 1 + _little(data[24:27]), 4 if data[20] & 0x10 else 3)
    if kind == b"VP8L":
        bits = _little(data[21:25])
        return Unit(name, 1 + (bits >> 14 & 0x3FFF), 1 + (bits & 0x3FFF), 4 if bits >> 28 & 1 else 3)
    return Unit(name, _little(data[28:30]) & 0x3FFF, _little(data[26:28]) & 0x3FFF, 3) if kind == b"VP8 " else None
