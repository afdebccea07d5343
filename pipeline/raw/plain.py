"""How is a JPEG or PNG decoded? Whole and strictly: what is damaged is rejected, never filled with grey."""

import warnings
from pathlib import Path
from typing import Any

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


def decode_picture(path: Path) -> tuple[Pixels, str]:
    """Decode a picture to 8-bit RGB ``(h, w, 3)`` or 16-bit grey ``(h, w)``, and say how the file keeps it.

    Raises
    ------
    ImageRejected
        The file is damaged, empty, of an unknown format or of a type that is no picture.
    """
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
