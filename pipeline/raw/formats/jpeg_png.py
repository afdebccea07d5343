"""JPEG and PNG decoding, whole and strictly: what is damaged is rejected, never filled with grey."""

import struct
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from pipeline.raw.formats.source import Pixels, unusable

__all__ = ["JPEG_THRESHOLD", "decode_picture", "decode_values", "ends", "one_value", "picture_size"]

HALF = 128
ROTATED = (5, 6, 7, 8)
"""Values of the EXIF orientation tag that swap height and width."""
ORIENTATION = 0x0112
STRIP = 1024
"""Rows that are copied out of a decoder at a time."""
END, PADDING = b"\xff\xd9", 64
"""The marker at the end of a JPEG, which its pixels never contain, and how many bytes may stand after it."""
ORIENTATION_OF_PNG = b"eXIf"
PROBLEMS = (OSError, SyntaxError, ValueError, EOFError, struct.error, UnidentifiedImageError)
LOSSY = ("JPEG", "MPO")
"""Formats that change the values of a mask; WebP may, too."""
JPEG_THRESHOLD = 127
"""A value of a lossy mask is set above this."""


def _is_lossless_webp(path: Path) -> bool:
    with path.open("rb") as stream:
        return stream.read(16)[12:] == b"VP8L"


def _upright(path: Path) -> tuple[Image.Image, bool]:
    """A decoded picture as viewers show it, and whether its format changed its values."""
    # Pillow's guard against decompression bombs would refuse large slides exported as PNG; the user chose the file.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        try:
            with Image.open(path) as picture:
                picture.load()
                lossy = picture.format in LOSSY or (picture.format == "WEBP" and not _is_lossless_webp(path))
            return ImageOps.exif_transpose(picture) or picture, lossy
        except Image.DecompressionBombError as error:
            raise unusable(path, error, expected="at most 179 million pixels in JPEG or PNG; larger as TIFF") from error
        except PROBLEMS as error:
            raise unusable(path, error, expected="a whole image file") from error


def _copied(picture: Image.Image) -> NDArray[np.uint8]:
    # Strip by strip: an array of the whole picture would be held three times on its way out of Pillow.
    found = np.empty((picture.height, picture.width, 3), np.uint8)
    for y0 in range(0, picture.height, STRIP):
        y1 = min(y0 + STRIP, picture.height)
        found[y0:y1] = np.asarray(picture.crop((0, y0, picture.width, y1)).convert("RGB"))
    return found


def ends(data: bytes) -> bool:
    """End marker near the end of JPEG or JPEG 2000 data: whether it is there, so that the data does not break off."""
    return END in data[-PADDING:]


def _jpeg(data: bytes) -> NDArray[np.uint8] | None:
    # The decoder fills what is missing with grey, and so would say nothing of a file that breaks off.
    return imagecodecs.jpeg8_decode(data) if ends(data) else None


def _png(data: bytes) -> NDArray[np.uint8] | None:
    return None if ORIENTATION_OF_PNG in data else imagecodecs.spng_decode(data)


_DECODERS: dict[str | None, Callable[[bytes], NDArray[np.uint8] | None]] = {"JPEG": _jpeg, "PNG": _png}


def _plain_rgb(path: Path) -> NDArray[np.uint8] | None:
    """Pixels of the usual case, 8-bit RGB that stands upright, in a fifth of the time and half of the memory.

    None for everything else and for what is damaged. Pillow decodes it then, or says what is wrong.
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
    """Pixels of a JPEG or PNG (8-bit RGB ``(h, w, 3)`` or 16-bit grey ``(h, w)``) and how the file keeps them.

    Raises
    ------
    ImageRejected
        The file is damaged, empty, of an unknown format or of a type that is no picture.
    """
    plain = _plain_rgb(path)
    if plain is not None:
        return plain, "RGB 8 bit"
    picture, _ = _upright(path)
    if picture.mode.startswith("I;16") or picture.mode == "I":
        return np.asarray(picture).astype(np.uint16), f"{picture.mode} 16 bit"
    return _copied(picture), f"{picture.mode} 8 bit"


def decode_values(path: Path, *, labels: bool = False) -> tuple[NDArray[Any], bool]:
    """Values ``(h, w)`` of a mask or label image, and whether a lossy format has changed them.

    Parameters
    ----------
    path
        The file.
    labels
        Whether it is a label image, of which palette indices and grey values count as they are stored. The values of
        a mask are its light: the largest channel of a colour, also of one in a palette. What is transparent is 0.

    Raises
    ------
    ImageRejected
        The file is damaged, or a label image in colour. A mask shows nothing: black strokes on a transparent ground,
        or values below what a lossy format blurs.
    """
    picture, lossy = _upright(path)
    stored = np.asarray(picture)
    if picture.mode in ("P", "PA"):
        indices = stored if stored.ndim == 2 else stored[:, :, 0]
        return (indices if labels else _light_of(picture, indices)), lossy
    values = one_value(stored, alpha=picture.mode in ("LA", "RGBA", "La", "RGBa"), labels=labels, path=path)
    if stored.ndim == 3 and not values.any() and not stored[:, :, :-1].any() and np.ptp(stored[:, :, -1]):
        raise unusable(
            path, "black on a transparent ground", expected="a mask that is white, or any colour, where it is set"
        )
    if lossy and not labels and 0 < values.max() <= JPEG_THRESHOLD:
        raise unusable(path, f"a lossy file with values up to {values.max()}", expected="0 and 255 in JPEG, or PNG")
    return values, lossy


def _light_of(picture: Image.Image, indices: NDArray[np.uint8]) -> NDArray[np.uint8]:
    light = np.zeros(256, np.uint8)
    palette = np.asarray(picture.getpalette("RGB") or [], np.uint8).reshape(-1, 3).max(axis=1)
    light[: len(palette)] = palette
    clear = picture.info.get("transparency")
    if isinstance(clear, int):
        light[clear] = 0
    elif isinstance(clear, bytes):
        light[: len(clear)][np.frombuffer(clear, np.uint8) < HALF] = 0
    # A palette that was lost is black all over: its indices are all that there is.
    return np.take(light, indices) if light.any() else indices


def one_value(stored: NDArray[Any], *, alpha: bool, labels: bool, path: Path) -> NDArray[Any]:
    """Mask or label values of ``(h, w)`` or ``(h, w, channel)``: the largest colour, 0 where alpha is transparent.

    Raises
    ------
    ImageRejected
        A label image whose channels differ.
    """
    if stored.ndim == 2:
        return stored
    colours = stored[:, :, : -1 if alpha else 3]
    if labels and colours.shape[2] > 1 and (colours != colours[:, :, :1]).any():
        raise unusable(path, "a label image in colour", expected="one value a pixel: grey, or the indices of a palette")
    values = np.asarray(colours.max(axis=2))
    if not alpha:
        return values
    opaque = stored[:, :, -1] > np.iinfo(stored.dtype).max // 2
    return np.asarray(values * opaque)


def picture_size(path: Path) -> tuple[int, int]:
    """Image size ``(height, width)`` as decoded, from the header alone.

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
