"""How do pixels come out of files? Strict decoders: what is damaged is rejected, never filled with grey.

An image is given as 8-bit RGB. 16-bit files are scaled to their full range (65535 → 255). JPEG orientation tags are
obeyed, as every viewer does. A mask of a lossless format is set where its value (or palette index) is not 0, and of a
JPEG where it is above 127, because JPEG blurs 0 and 255 into their neighbours.
"""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from pipeline.errors import ImageRejected, explain

__all__ = ["DecodedImage", "decode_image", "decode_indices", "decode_mask", "label_masks"]

TIFF = (".tif", ".tiff")
JPEG = (".jpg", ".jpeg")
JPEG_THRESHOLD = 127
EIGHT_BIT, SIXTEEN_BIT = 255, 65535


@dataclass(frozen=True, slots=True)
class DecodedImage:
    """A picture in memory."""

    pixels: NDArray[np.uint8]
    """``(h, w, 3)`` RGB."""
    stored: str
    """How the file keeps it, such as ``RGB 8 bit``."""


def _rejected(path: Path, problem: object, *, expected: str) -> ImageRejected:
    return ImageRejected(
        explain("The file cannot be used.", where=path, found=problem, expected=expected,
                remedy="Replace the file by a whole one; it is tried again as soon as it changes.")
    )  # fmt: skip


def _open_pillow(path: Path) -> Image.Image:
    # Pillow's guard against decompression bombs would refuse large slides exported as PNG; the user chose the file.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        try:
            with Image.open(path) as picture:
                picture.load()
        except Image.DecompressionBombError as error:
            raise _rejected(
                path, error, expected="at most 179 million pixels in JPEG or PNG; larger as TIFF"
            ) from error
        except (OSError, SyntaxError, ValueError, UnidentifiedImageError) as error:
            raise _rejected(path, error, expected="a whole image file") from error
    return picture


def _upright(path: Path) -> Image.Image:
    picture = _open_pillow(path)
    return ImageOps.exif_transpose(picture) or picture


def _open_tiff(path: Path) -> tuple[NDArray[Any], bool]:
    # Of a palette image tifffile gives the indices, where Pillow and OpenCV may give colours; the flag tells.
    try:
        with tifffile.TiffFile(path) as file:
            page = file.pages[0]
            return np.asarray(page.asarray()), page.photometric == tifffile.PHOTOMETRIC.PALETTE
    except (OSError, ValueError, IndexError, KeyError, RuntimeError, tifffile.TiffFileError) as error:
        raise _rejected(path, error, expected="a whole TIFF file") from error


def _eight_bit(pixels: NDArray[Any], *, path: Path) -> NDArray[np.uint8]:
    if pixels.dtype == np.bool_:
        return pixels.astype(np.uint8) * np.uint8(EIGHT_BIT)
    if pixels.dtype == np.uint8:
        return pixels
    if pixels.dtype == np.uint16:
        return ((pixels.astype(np.uint32) * EIGHT_BIT + SIXTEEN_BIT // 2) // SIXTEEN_BIT).astype(np.uint8)
    raise _rejected(path, f"pixels of type {pixels.dtype}", expected="8 or 16 bit unsigned integers")


def _three_channels(pixels: NDArray[np.uint8], *, path: Path) -> NDArray[np.uint8]:
    if pixels.ndim == 3 and pixels.shape[0] in (3, 4) and pixels.shape[2] not in (3, 4):
        pixels = np.moveaxis(pixels, 0, 2)
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[:, :, 0]
    if pixels.ndim == 2:
        return np.repeat(pixels[:, :, None], 3, axis=2)
    if pixels.ndim == 3 and pixels.shape[2] in (3, 4):
        return np.ascontiguousarray(pixels[:, :, :3])
    raise _rejected(path, f"an array of shape {pixels.shape}", expected="a grey, RGB or RGBA picture")


def decode_image(path: Path) -> DecodedImage:
    """Decode a JPEG, PNG or TIFF picture whole.

    Returns
    -------
    DecodedImage
        8-bit RGB; an alpha channel is dropped, grey is repeated.

    Raises
    ------
    ImageRejected
        The file is damaged, empty, of an unknown format or of a type that is no picture.
    """
    if path.suffix.lower() in TIFF:
        pixels, palette = _open_tiff(path)
        if not palette:
            text = f"{pixels.shape[2] if pixels.ndim == 3 else 1} channels {pixels.dtype.itemsize * 8} bit"
            return DecodedImage(_three_channels(_eight_bit(pixels, path=path), path=path), text)
    picture = _upright(path)
    if picture.mode.startswith("I;16") or picture.mode == "I":
        wide = np.asarray(picture).astype(np.uint16)
        return DecodedImage(_three_channels(_eight_bit(wide, path=path), path=path), f"{picture.mode} 16 bit")
    return DecodedImage(np.array(picture.convert("RGB")), f"{picture.mode} 8 bit")


def decode_indices(path: Path) -> NDArray[Any]:
    """Decode a mask or label file to its stored values ``(h, w)``: palette indices, grey values, or 0 and 1.

    A picture in colour gives the largest of its three channels.
    """
    if path.suffix.lower() in TIFF:
        values, _ = _open_tiff(path)
    else:
        picture = _upright(path)
        values = np.asarray(picture)
        if picture.mode in ("LA", "PA"):
            values = values[:, :, 0]
    if values.ndim == 3:
        values = values[:, :, :3].max(axis=2)
    return values


def decode_mask(path: Path) -> NDArray[np.bool_]:
    """Decode the mask of one class to ``(h, w)``."""
    values = decode_indices(path)
    return np.asarray(values > JPEG_THRESHOLD if path.suffix.lower() in JPEG else values > 0)


def label_masks(path: Path, *, values: Mapping[str, int]) -> dict[str, NDArray[np.bool_]]:
    """Decode a label image to one mask per class code.

    Raises
    ------
    ImageRejected
        For a JPEG, which does not keep values.
    """
    if path.suffix.lower() in JPEG:
        raise _rejected(path, "a JPEG file", expected="a lossless label image: JPEG changes values")
    stored = decode_indices(path)
    return {code: np.asarray(stored == value) for code, value in values.items()}


def thumbnail(pixels: NDArray[np.uint8], *, side: int) -> NDArray[np.uint8]:
    """The picture reduced by area so that its longer side is at most ``side``."""
    height, width = pixels.shape[:2]
    factor = min(1.0, side / max(height, width))
    size = max(round(width * factor), 1), max(round(height * factor), 1)
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
