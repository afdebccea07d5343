"""How large is a picture, without decoding it? Sizes from file headers, for checks before a run."""

import warnings
from pathlib import Path

import tifffile
from PIL import Image, UnidentifiedImageError

from pipeline.raw.entry import ImageEntry
from pipeline.raw.reader import TIFF

__all__ = ["header_problems", "header_size"]

ROTATED = (5, 6, 7, 8)
"""Values of the EXIF orientation tag that swap height and width."""
ORIENTATION = 0x0112


def header_size(path: Path) -> tuple[int, int] | None:
    """``(height, width)`` as stages see it, or None where the header cannot be read."""
    try:
        if path.suffix.lower() in TIFF:
            with tifffile.TiffFile(path) as file:
                page = file.pages[0]
                return int(page.imagelength), int(page.imagewidth)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(path) as picture:
                width, height = picture.size
                return (width, height) if picture.getexif().get(ORIENTATION) in ROTATED else (height, width)
    except (OSError, ValueError, IndexError, KeyError, UnidentifiedImageError, tifffile.TiffFileError):
        return None


def header_problems(entry: ImageEntry) -> list[str]:
    """What stage raw would reject this image for, as far as headers tell."""
    if entry.image is None:
        return []
    size = header_size(entry.image)
    if size is None:
        return [f"{entry.image_id}: {entry.image} cannot be read"]
    masks = (*entry.masks, *([("label", entry.label)] if entry.label else []))
    return [
        f"{entry.image_id}: {path} ({code}) is {found[1]}×{found[0]}, the image {size[1]}×{size[0]}"
        if found
        else f"{entry.image_id}: {path} ({code}) cannot be read"
        for code, path in masks
        if (found := header_size(path)) != size
    ]
