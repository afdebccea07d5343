"""How is a JPEG or PNG decoded? Whole and strictly: what is damaged is rejected, never filled with grey."""

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from pipeline.raw.source import Pixels, unusable

__all__ = ["JPEG", "decode_picture", "decode_values", "picture_size"]

JPEG = (".jpg", ".jpeg")
ROTATED = (5, 6, 7, 8)
"""Values of the EXIF orientation tag that swap height and width."""
ORIENTATION = 0x0112
STRIP = 1024
"""Rows that are copied out of a decoder at a time."""
END_OF_JPEG, PADDING = b"\xff\xd9", 64
"""The marker at the end of a JPEG, which its pixels never contain, and how many bytes may stand after it."""
ORIENTATION_OF_PNG = b"eXIf"
PROBLEMS = (OSError, SyntaxError, ValueError, UnidentifiedImageError)


def _upright(path: Path) -> Image.Image:
    # Pillow's guard against decompression bombs would refuse large slides exported as PNG; the user chose the file.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        try:
            with Image.open(path) as picture:
                picture.load()
        except Image.DecompressionBombError as error:
            raise unusable(path, error, expected="at most 179 million pixels in JPEG or PNG; larger as TIFF") from error
        except PROBLEMS as error:
            raise unusable(path, error, expected="a whole image file") from error
    return ImageOps.exif_transpose(picture) or picture


def _copied(picture: Image.Image) -> NDArray[np.uint8]:
    # Strip by strip: an array of the whole picture would be held three times on its way out of Pillow.
    found = np.empty((picture.height, picture.width, 3), np.uint8)
    for y0 in range(0, picture.height, STRIP):
        y1 = min(y0 + STRIP, picture.height)
        found[y0:y1] = np.asarray(picture.crop((0, y0, picture.width, y1)).convert("RGB"))
    return found


def _jpeg(data: bytes) -> NDArray[np.uint8] | None:
    # The decoder fills what is missing with grey, and so would say nothing of a file that breaks off.
    return imagecodecs.jpeg8_decode(data) if END_OF_JPEG in data[-PADDING:] else None


def _png(data: bytes) -> NDArray[np.uint8] | None:
    return None if ORIENTATION_OF_PNG in data else imagecodecs.spng_decode(data)


_DECODERS: dict[str | None, Callable[[bytes], NDArray[np.uint8] | None]] = {"JPEG": _jpeg, "PNG": _png}


def _plain_rgb(path: Path) -> NDArray[np.uint8] | None:
    """The pixels of the usual case, 8-bit RGB that stands upright, in a fifth of the time and half of the memory.

    None for everything else, and for what is damaged: Pillow decodes it then, or says what is wrong.
    """
    try:
        with warnings.catch_warnings(), Image.open(path) as picture:
            warnings.simplefilter("ignore")
            decode = _DECODERS.get(picture.format) if picture.mode == "RGB" else None
            size = (picture.height, picture.width, 3)
            # To look for it in a PNG, Pillow would decode the pixels.
            turned = picture.format == "JPEG" and picture.getexif().get(ORIENTATION, 1) != 1
            if decode is None or turned:
                return None
        found = decode(path.read_bytes())
    except (*PROBLEMS, RuntimeError, Image.DecompressionBombError):
        return None
    return found if found is not None and found.shape == size and found.dtype == np.uint8 else None


def decode_picture(path: Path) -> tuple[Pixels, str]:
    """Decode a picture to 8-bit RGB ``(h, w, 3)`` or 16-bit grey ``(h, w)``, and say how the file keeps it.

    Raises
    ------
    ImageRejected
        The file is damaged, empty, of an unknown format or of a type that is no picture.
    """
    plain = _plain_rgb(path)
    if plain is not None:
        return plain, "RGB 8 bit"
    picture = _upright(path)
    if picture.mode.startswith("I;16") or picture.mode == "I":
        return np.asarray(picture).astype(np.uint16), f"{picture.mode} 16 bit"
    return _copied(picture), f"{picture.mode} 8 bit"


def decode_values(path: Path) -> NDArray[Any]:
    """Decode a mask or label file to its stored values ``(h, w)``: palette indices, grey values, or 0 and 1.

    A picture in colour gives the largest of its three channels.
    """
    picture = _upright(path)
    values = np.asarray(picture)
    if picture.mode in ("LA", "PA"):
        values = values[:, :, 0]
    return np.asarray(values[:, :, :3].max(axis=2) if values.ndim == 3 else values)


def picture_size(path: Path) -> tuple[int, int]:
    """``(height, width)`` as decoded, from the header alone.

    Raises
    ------
    ImageRejected
        The header cannot be read.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with Image.open(path) as picture:
                width, height = picture.size
                return (width, height) if picture.getexif().get(ORIENTATION) in ROTATED else (height, width)
        except (*PROBLEMS, Image.DecompressionBombError) as error:
            raise unusable(path, error, expected="an image file") from error
