"""JPEG and PNG decoding, whole and strictly: what is damaged is rejected, never filled with grey."""

import struct
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from pipeline.config.raw import LARGEST_DECODE
from pipeline.errors import ImageRejected
from pipeline.raw.formats.decoded_size import check_unit, picture_unit, stream_unit
from pipeline.raw.formats.jpeg_file import file_bytes, jpeg_remarks
from pipeline.raw.formats.light import Alpha
from pipeline.raw.formats.mask_colours import check_one_colour
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
FORMATS = ("JPEG", "PNG", "BMP", "GIF", "PPM", "TIFF", "WEBP", "JPEG2000")
"""What Pillow may decode, whatever a file is called. Others would start programs or fetch files: PostScript, for one."""
KINDS = "JPEG, PNG, TIFF, BMP, GIF, PPM, WebP or JPEG 2000"
SIGNATURE, DEPTH, WIDE = b"\x89PNG\r\n\x1a\n", 24, 16
"""How a PNG begins, the byte that holds its bits a sample, and the value of it that Pillow would cut to 8."""
TURNS = {2: (1, 0, 0), 3: (1, 1, 0), 4: (0, 1, 0), 5: (0, 0, 1), 6: (0, 1, 1), 7: (1, 1, 1), 8: (1, 0, 1)}
"""EXIF orientation → whether columns run backwards, whether rows do, and whether rows and columns then change places."""
LOSSY = ("JPEG", "MPO")
"""Formats that change the values of a mask; WebP may, too."""
HEAD = 64
"""Bytes in which WebP names its size: opening one asks for the memory of the picture."""
JPEG_THRESHOLD = 127
"""A value of a lossy mask is set above this."""


def _is_lossless_webp(path: Path) -> bool:
    return file_bytes(path, 16)[12:] == b"VP8L"


@contextmanager
def _opened(path: Path, *, largest: int, itemsize: int = 1) -> Iterator[Image.Image]:
    """The one picture of a file, its header read; what Pillow says of damage is a rejection.

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
    if frames == 1 or picture.format == "MPO":  # the first is the picture, the others are previews of it
        return
    sizes = []
    if picture.format == "TIFF":
        for frame in range(frames):
            picture.seek(frame)
            sizes.append(picture.width * picture.height)
    if not sizes or sizes.count(max(sizes)) > 1:
        raise unusable(path, f"{frames} frames", expected="one picture a file", remedy="Export the one that is meant.")
    picture.seek(sizes.index(max(sizes)))


def _upright(path: Path, *, largest: int) -> tuple[Image.Image, bool]:
    """A decoded picture as viewers show it, and whether its format changed its values."""
    with _opened(path, largest=largest) as picture:
        picture.load()
        lossy = picture.format in LOSSY or (picture.format == "WEBP" and not _is_lossless_webp(path))
        return ImageOps.exif_transpose(picture) or picture, lossy


def _wide_png(path: Path, *, largest: int) -> NDArray[np.uint16] | None:
    """Samples of a PNG of 16 bits, ``(h, w)`` or ``(h, w, s)``, upright; None for any other file."""
    head = file_bytes(path, DEPTH + 1)
    if not head.startswith(SIGNATURE) or head[DEPTH:] != bytes([WIDE]):
        return None
    with _opened(path, largest=largest, itemsize=2) as picture:
        data = file_bytes(path)
        turn = picture.getexif().get(ORIENTATION, 1) if ORIENTATION_OF_PNG in data else 1
    try:
        values = np.asarray(imagecodecs.png_decode(data), np.uint16)
    except (*PROBLEMS, RuntimeError) as error:
        raise unusable(path, error, expected="a whole image file") from error
    columns, rows, swapped = TURNS.get(turn, (0, 0, 0))
    values = values[:: -1 if rows else 1, :: -1 if columns else 1]
    return values.swapaxes(0, 1) if swapped else values


def _copied(picture: Image.Image, *, mode: str) -> NDArray[np.uint8]:
    # Strip by strip: an array of the whole picture would be held three times on its way out of Pillow.
    found = np.empty((picture.height, picture.width, len(mode)), np.uint8)
    for y0 in range(0, picture.height, STRIP):
        y1 = min(y0 + STRIP, picture.height)
        found[y0:y1] = np.asarray(picture.crop((0, y0, picture.width, y1)).convert(mode))
    return found


def ends(data: bytes) -> bool:
    """End marker near the end of JPEG or JPEG 2000 data: whether it is there, so that the data does not break off."""
    return END in data[-PADDING:]


def _jpeg(data: bytes) -> NDArray[np.uint8] | None:
    # The decoder fills what is missing with grey, and so would say nothing of a file that breaks off.
    return imagecodecs.jpeg8_decode(data) if ends(data) else None


def _png(data: bytes) -> NDArray[np.uint8] | None:
    return None if ORIENTATION_OF_PNG in data else imagecodecs.spng_decode(data)


_WIDE_MODES = {1: "I;16", 2: "LA", 3: "RGB", 4: "RGBA"}
_DECODERS: dict[str | None, Callable[[bytes], NDArray[np.uint8] | None]] = {"JPEG": _jpeg, "PNG": _png}


def _plain_rgb(path: Path, *, largest: int) -> NDArray[np.uint8] | None:
    """Pixels of the usual case, opaque 8-bit RGB that stands upright, in a fifth of the time and half of the memory.

    None for everything else and for what is damaged. Pillow decodes it then, or says what is wrong.
    """
    with _opened(path, largest=largest) as picture:
        plain = picture.mode == "RGB" and "transparency" not in picture.info
        decode = _DECODERS.get(picture.format) if plain else None
        size = (picture.height, picture.width, 3)
        # To look for it in a PNG, Pillow would decode the pixels.
        turned = picture.format == "JPEG" and picture.getexif().get(ORIENTATION, 1) != 1
    if decode is None or turned:
        return None
    try:
        found = decode(path.read_bytes())
    except (*PROBLEMS, RuntimeError):
        return None
    return found if found is not None and found.shape == size and found.dtype == np.uint8 else None


def decode_picture(
    path: Path, *, transparency: bool = False, largest: int = LARGEST_DECODE
) -> tuple[Pixels, str, Alpha]:
    """Pixels of a JPEG or PNG, how the file keeps them, and whether the last sample of each is transparency.

    Parameters
    ----------
    path
        The file.
    transparency
        Whether it is wanted.
    largest
        Bytes that it may have once it is decoded.

    Returns
    -------
    ndarray, str, str
        8-bit RGB ``(h, w, 3)``, RGBA ``(h, w, 4)``, or 16-bit samples ``(h, w)`` or ``(h, w, s)``; ``RGB 8 bit``;
        ``straight`` or ``none``.

    Raises
    ------
    ImageRejected
        The file is damaged, empty, of an unknown format or of a type that is no picture, too large, or holds several.
    """
    wide = _wide_png(path, largest=largest)
    if wide is not None:
        samples = 1 if wide.ndim == 2 else wide.shape[2]
        return wide, f"{_WIDE_MODES[samples]} 16 bit", "straight" if samples in (2, 4) else "none"
    plain = _plain_rgb(path, largest=largest)
    if plain is not None:
        return plain, "RGB 8 bit", "none"
    picture, _ = _upright(path, largest=largest)
    if picture.mode.startswith("I;16") or picture.mode == "I":
        return np.asarray(picture).astype(np.uint16), f"{picture.mode} 16 bit", "none"
    if picture.mode == "F":
        raise unusable(path, "pixels of type float32", expected="8 or 16 bit unsigned integers")
    clear = transparency and picture.has_transparency_data
    return _copied(picture, mode="RGBA" if clear else "RGB"), f"{picture.mode} 8 bit", "straight" if clear else "none"


def decode_values(
    path: Path, *, labels: bool = False, checked: bool = False, largest: int = LARGEST_DECODE
) -> tuple[NDArray[Any], bool]:
    """Values ``(h, w)`` of a mask or label image, and whether a lossy format has changed them.

    Parameters
    ----------
    path
        The file.
    labels
        Whether it is a label image, of which palette indices and grey values count as they are stored. The values of
        a mask are its light: the largest channel of a colour, also of one in a palette. What is transparent is 0.
    checked
        Whether JPEG scans were looked through before.
    largest
        Bytes that it may have once it is decoded.

    Raises
    ------
    ImageRejected
        The file is damaged, too large, or a label image in colour. A mask shows nothing: black strokes on a transparent ground,
        or values below what a lossy format blurs.
    """
    if not checked:
        jpeg_remarks(path)
    wide = _wide_png(path, largest=largest)
    if wide is not None:
        alpha = wide.ndim == 3 and wide.shape[2] in (2, 4)
        return one_value(wide, alpha=alpha, labels=labels, lossy=False, path=path), False
    picture, lossy = _upright(path, largest=largest)
    stored = np.asarray(picture)
    if picture.mode in ("P", "PA"):
        indices = stored if stored.ndim == 2 else stored[:, :, 0]
        return (indices if labels else _light_of(picture, indices, path=path)), lossy
    alpha = picture.mode in ("LA", "RGBA", "La", "RGBa")
    values = one_value(stored, alpha=alpha, labels=labels, lossy=lossy, path=path)
    if stored.ndim == 3 and not values.any() and not stored[:, :, :-1].any() and np.ptp(stored[:, :, -1]):
        raise unusable(
            path, "black on a transparent ground", expected="a mask that is white, or any colour, where it is set"
        )
    if lossy and not labels and 0 < values.max() <= JPEG_THRESHOLD:
        raise unusable(path, f"a lossy file with values up to {values.max()}", expected="0 and 255 in JPEG, or PNG")
    return values, lossy


def _light_of(picture: Image.Image, indices: NDArray[np.uint8], *, path: Path) -> NDArray[np.uint8]:
    light, colours = np.zeros(256, np.uint8), np.zeros((256, 3), np.uint8)
    palette = np.asarray(picture.getpalette("RGB") or [], np.uint8).reshape(-1, 3)
    colours[: len(palette)], light[: len(palette)] = palette, palette.max(axis=1)
    clear = picture.info.get("transparency")
    if isinstance(clear, int):
        light[clear] = 0
    elif isinstance(clear, bytes):
        light[: len(clear)][np.frombuffer(clear, np.uint8) < HALF] = 0
    if not light.any():  # a palette that was lost is black all over: its indices are all that there is
        return indices
    check_one_colour(colours, light, np.bincount(indices.ravel(), minlength=256), path=path)
    return np.take(light, indices)


def one_value(stored: NDArray[Any], *, alpha: bool, labels: bool, lossy: bool, path: Path) -> NDArray[Any]:
    """Mask or label values of ``(h, w)`` or ``(h, w, channel)``: the largest colour, 0 where alpha is transparent.

    Raises
    ------
    ImageRejected
        A label image whose channels differ. A lossless mask of several colours.
    """
    if stored.ndim == 2:
        return stored
    colours = stored[:, :, : -1 if alpha else 3]
    if labels and colours.shape[2] > 1 and (colours != colours[:, :, :1]).any():
        raise unusable(path, "a label image in colour", expected="one value a pixel: grey, or the indices of a palette")
    values = np.asarray(colours.max(axis=2))
    if alpha:
        opaque = stored[:, :, -1] > (0 if stored.dtype == np.bool_ else np.iinfo(stored.dtype).max // 2)
        values = np.asarray(values * opaque)
    if not lossy and not labels and colours.shape[2] == 3 and (colours != colours[:, :, :1]).any():
        check_one_colour(colours, values, np.ones(values.shape, np.uint8), path=path)
    return values


def picture_size(path: Path, *, largest: int = LARGEST_DECODE) -> tuple[int, int]:
    """Image size ``(height, width)`` as decoded, from the header alone.

    Raises
    ------
    ImageRejected
        The header cannot be read, or names more than the largest picture that is decoded.
    """
    with _opened(path, largest=largest) as picture:
        width, height = picture.size
        return (width, height) if picture.getexif().get(ORIENTATION) in ROTATED else (height, width)
