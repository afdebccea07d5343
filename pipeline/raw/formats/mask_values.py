"""Values of masks and label images in JPEG, PNG and the like: the light of a mask, the stored values of labels."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pipeline.config.raw import LARGEST_DECODE
from pipeline.raw.formats.jpeg_file import jpeg_remarks
from pipeline.raw.formats.mask_colours import OWN_DATA, check_one_colour
from pipeline.raw.formats.pillow_file import upright, wide_png
from pipeline.raw.formats.source import unusable

__all__ = ["JPEG_THRESHOLD", "decode_values", "one_value"]

HALF = 128
JPEG_THRESHOLD = 127
"""A value of a lossy mask is set above this."""


def decode_values(
    path: Path, *, labels: bool = False, checked: bool = False, largest: int = LARGEST_DECODE
) -> tuple[NDArray[Any], bool]:
    """Values ``(h, w)`` of a mask or label image, and whether a lossy format has changed them.

    Parameters
    ----------
    path
        The file.
    labels
        Whether it is a label image, whose stored palette indices and grey values count. The values of a mask are its
        light: the largest channel of a colour, also in a palette. Transparent pixels are 0.
    checked
        Whether JPEG scans were checked before.
    largest
        Most bytes after decoding.

    Raises
    ------
    ImageRejected
        The file is damaged, too large, or a label image in colour. A mask shows nothing: black strokes on a transparent
        ground, or values below what a lossy format blurs.
    """
    if not checked:
        jpeg_remarks(path)
    wide = wide_png(path, largest=largest)
    if wide is not None:
        alpha = wide.ndim == 3 and wide.shape[2] in (2, 4)
        return one_value(wide, alpha=alpha, labels=labels, lossy=False, path=path), False
    picture, lossy = upright(path, largest=largest)
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
        raise unusable(
            path,
            f"a lossy file with values up to {values.max()}",
            expected="0 and 255 in JPEG, or PNG",
            remedy="Export it anew as PNG or TIFF: lossy compression changes small values and numbers of classes.",
        )
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
    if not light.any():  # A lost palette is all black; only the indices remain.
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
        raise unusable(
            path,
            "a label image in colour",
            expected="one value a pixel: grey, or the indices of a palette",
            remedy=f"Write a number for each colour: {OWN_DATA}.",
        )
    values = np.asarray(colours.max(axis=2))
    if alpha:
        opaque = stored[:, :, -1] > (0 if stored.dtype == np.bool_ else np.iinfo(stored.dtype).max // 2)
        values = np.asarray(values * opaque)
    if not lossy and not labels and colours.shape[2] == 3 and (colours != colours[:, :, :1]).any():
        check_one_colour(colours, values, np.ones(values.shape, np.uint8), path=path)
    return values
