"""Opening of image files with Pillow: allowed formats, the intended image, its EXIF turn, 16-bit PNG."""

import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import imagecodecs
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from pipeline.errors import ImageRejected
from pipeline.raw.formats.decoded_size import check_unit, picture_unit, stream_unit
from pipeline.raw.formats.jpeg_file import file_bytes
from pipeline.raw.formats.source import unusable

__all__ = ["FORMATS", "ORIENTATION", "ORIENTATION_OF_PNG", "PROBLEMS", "TURNS", "opened", "upright", "wide_png"]

ORIENTATION = 0x0112
ORIENTATION_OF_PNG = b"eXIf"
PROBLEMS = (OSError, SyntaxError, ValueError, EOFError, struct.error, UnidentifiedImageError)
FORMATS = ("JPEG", "PNG", "BMP", "GIF", "PPM", "TIFF", "WEBP", "JPEG2000")
"""Formats that Pillow may decode, whatever the file name. Others, such as PostScript, could start programs or fetch
files."""
KINDS = "JPEG, PNG, TIFF, BMP, GIF, PPM, WebP or JPEG 2000"
SIGNATURE, DEPTH, WIDE = b"\x89PNG\r\n\x1a\n", 24, 16
"""First bytes of a PNG, the position of its bits per sample, and the value that Pillow would cut to 8."""
TURNS = {2: (1, 0, 0), 3: (1, 1, 0), 4: (0, 1, 0), 5: (0, 0, 1), 6: (0, 1, 1), 7: (1, 1, 1), 8: (1, 0, 1)}
"""EXIF orientation → whether columns run backwards, whether rows do, and whether rows and columns then change places."""
LOSSY = ("JPEG", "MPO")
"""Formats that change the values of a mask; WebP may, too."""
HEAD = 64
"""Bytes with the size of a WebP, because opening one allocates the memory of the image."""


def _is_lossless_webp(path: Path) -> bool:
    return file_bytes(path, 16)[12:] == b"VP8L"


@contextmanager
def opened(path: Path, *, largest: int, itemsize: int = 1) -> Iterator[Image.Image]:
    """The single image of a file, with its header read; damage reported by Pillow is a rejection.

    Raises
    ------
    ImageRejected
        The file is damaged, of another format, too large to be decoded, or holds several pictures.
    """
    if (head := file_bytes(path, HEAD)).startswith(b"RIFF"):
        check_unit(stream_unit(head, name="picture"), path, largest=largest)
    # Pillow's guard against decompression bombs would refuse large slides exported as PNG; the user chose the file.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with Image.open(path, formats=FORMATS) as picture:
                _seek_largest(picture, path)
                check_unit(picture_unit(picture, itemsize=itemsize), path, largest=largest)
                yield picture
        except ImageRejected:
            raise
        except Image.DecompressionBombError as error:
            raise unusable(path, error, expected="at most 179 million pixels in JPEG or PNG; larger as TIFF") from error
        except PROBLEMS as error:
            raise unusable(path, error, expected=f"a whole image file: {KINDS}") from error


def _seek_largest(picture: Image.Image, path: Path) -> None:
    frames = getattr(picture, "n_frames", 1)
    if frames == 1 or picture.format == "MPO":  # The first is the image, the others are its previews.
        return
    sizes = []
    if picture.format == "TIFF":
        for frame in range(frames):
            picture.seek(frame)
            sizes.append(picture.width * picture.height)
    if not sizes or sizes.count(max(sizes)) > 1:
        raise unusable(path, f"{frames} frames", expected="one picture a file", remedy="Export the one that is meant.")
    picture.seek(sizes.index(max(sizes)))


def upright(path: Path, *, largest: int) -> tuple[Image.Image, bool]:
    """A decoded image as viewers show it, and whether its format changed its values."""
    with opened(path, largest=largest) as picture:
        picture.load()
        lossy = picture.format in LOSSY or (picture.format == "WEBP" and not _is_lossless_webp(path))
        return ImageOps.exif_transpose(picture) or picture, lossy


def wide_png(path: Path, *, largest: int) -> NDArray[np.uint16] | None:
    """Samples of a PNG of 16 bits, ``(h, w)`` or ``(h, w, s)``, upright; None for any other file."""
    head = file_bytes(path, DEPTH + 1)
    if not head.startswith(SIGNATURE) or head[DEPTH:] != bytes([WIDE]):
        return None
    with opened(path, largest=largest, itemsize=2) as picture:
        data = file_bytes(path)
        turn = picture.getexif().get(ORIENTATION, 1) if ORIENTATION_OF_PNG in data else 1
    try:
        values = np.asarray(imagecodecs.png_decode(data), np.uint16)
    except (*PROBLEMS, RuntimeError) as error:
        raise unusable(path, error, expected="a whole image file") from error
    columns, rows, swapped = TURNS.get(turn, (0, 0, 0))
    values = values[:: -1 if rows else 1, :: -1 if columns else 1]
    return values.swapaxes(0, 1) if swapped else values
