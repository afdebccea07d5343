"""Fingerprint of a data set: sizes of its images, their apparent modality, and sizes of its lesions."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.errors import ImageRejected
from pipeline.geometry import Box
from pipeline.raw.datasets.headers import header_size
from pipeline.raw.formats.reader import open_picture, open_values
from pipeline.raw.inspection.contents import LARGEST, of_readable, spread
from pipeline.raw.inspection.world import World, world_of

__all__ = ["LOOKED_AT", "Fingerprint", "Lesions", "fingerprint", "lesions_of"]

LOOKED_AT = 5
"""Images examined for pixel sizes, and truth files of each class examined for sizes of lesions."""


@dataclass(frozen=True, slots=True)
class Lesions:
    """Connected components of a class in some images."""

    count: int
    small_px: float
    """Diameter of the disc of the same area, 25th percentile, in pixels of the image."""
    median_px: float
    share: float
    """Share of the pixels of these images."""
    empty: int
    """Files without any."""
    files: int


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """Sizes and world of the images of a folder."""

    images: int
    unreadable: int
    height: int
    width: int
    """Median size in pixels."""
    largest: tuple[int, int]
    """Height and width of the image of the most pixels."""
    smallest_side: int
    world: World | None
    """Modality; None where the images do not show it."""
    reason: str
    """Evidence for it, or the lack of it."""
    pixel_sizes: tuple[float | None, ...] = ()
    """Micrometres per pixel of the examined images, from their files; None for one without a plausible value."""


def fingerprint(root: Path, files: Sequence[str], *, slides: bool) -> Fingerprint:
    """Fingerprint of images.

    Parameters
    ----------
    root
        Folder that the files are relative to.
    files
        Images in text order.
    slides
        Whether they are slides.

    Raises
    ------
    ImageRejected
        No image can be read.
    """
    known = {path: size for path in files if (size := header_size(root / path))}
    sizes = list(known.values())
    if not sizes:
        raise ImageRejected(
            "No image can be read.",
            where=root,
            found=f"{len(files)} files like {files[0]}",
            expected="whole pictures",
            remedy="Copy them again.",
        )
    shapes = np.array(sizes)
    largest = max(sizes, key=lambda size: size[0] * size[1])
    world, reason = world_of(root, list(known), slides=slides)
    height, width = (int(each) for each in np.median(shapes, axis=0))
    return Fingerprint(
        len(files),
        len(files) - len(sizes),
        height,
        width,
        largest,
        int(shapes.min()),
        world,
        reason,
        _pixel_sizes(root, list(known)),
    )


def _pixel_sizes(root: Path, files: Sequence[str]) -> tuple[float | None, ...]:
    found, _ = of_readable(_pixel_size, root, spread(files, LOOKED_AT))
    return tuple(found.values())


def _pixel_size(path: Path) -> float | None:
    with open_picture(path) as source:
        return source.pixel_size_um


def lesions_of(
    root: Path, files: Sequence[str], *, values: Sequence[int] | None, numbered: bool = False
) -> Lesions | None:
    """Lesions of one class in some of its truth files; None if none can be read.

    Parameters
    ----------
    root
        Folder that the files are relative to.
    files
        Masks or label images in text order.
    values
        Values of the class in label images; None for masks, which are set where they are not black.
    numbered
        Whether each value is one object, so that objects that touch are several.
    """
    diameters: list[float] = []
    pixels = set_pixels = empty = seen = 0
    for path in spread(files, LOOKED_AT):
        found = _class_values(root / path, values=values)
        if found is None:
            continue
        areas = _areas(found, numbered=numbered)
        diameters += list(2 * np.sqrt(areas / np.pi))
        seen, empty = seen + 1, empty + (len(areas) == 0)
        pixels, set_pixels = pixels + found.size, set_pixels + int(areas.sum())
    if not seen:
        return None
    small, median = (float(np.percentile(diameters, at)) for at in (25, 50)) if diameters else (0.0, 0.0)
    return Lesions(len(diameters), small, median, set_pixels / pixels, empty, seen)


def _areas(found: NDArray[Any], *, numbered: bool) -> NDArray[np.float64]:
    """Pixels of each object: of each value, or of each connected component of what is not 0."""
    if numbered:
        return np.unique(found[found > 0], return_counts=True)[1].astype(np.float64)
    count, _, stats, _ = cv2.connectedComponentsWithStats((found > 0).view(np.uint8), connectivity=8)
    return np.asarray(stats[1:count, cv2.CC_STAT_AREA], np.float64)


def _class_values(path: Path, *, values: Sequence[int] | None) -> NDArray[Any] | None:
    """Values ``(y, x)`` of one class, 0 elsewhere; None if the file cannot be read."""
    size = header_size(path)
    if size is None or size[0] * size[1] > LARGEST:
        return None
    try:
        with open_values(path, labels=values is not None) as source:
            found = source.read(Box.of_shape(*source.shape))
    except ImageRejected:
        return None
    if values is not None:
        return np.ascontiguousarray(np.where(np.isin(found, list(values)), found, 0))
    top = found.max(initial=0)
    return np.ascontiguousarray(found > (top / 2 if top > 2 else 0))
