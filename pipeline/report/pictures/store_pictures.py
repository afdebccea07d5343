"""Pictures of stores: a few hundred pixels from a suitable pyramid level, never all of it; JPEG files.

Level 0 is read whole only if it is no larger than a picture. Masks, which have no pyramid, are read block by block.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline import stores
from pipeline.arrays.raster import Raster
from pipeline.geometry import Box
from pipeline.report.pictures.overlays import Picture
from pipeline.report.pictures.reduce import picture_shape, reduce_masks

__all__ = [
    "Shot",
    "framed",
    "level_of",
    "mask_raster",
    "resized",
    "roi_picture",
    "save_picture",
    "store_box",
    "store_picture",
    "store_shape",
]

QUALITY = 90


@dataclass(frozen=True, slots=True)
class Shot:
    """Picture file."""

    name: str
    """File name in the folder of figures."""
    caption: str
    width: int
    height: int
    dark: str = ""
    """The same for a dark page; empty where one file serves both."""
    chart: Mapping[str, Any] = field(default_factory=dict)
    """Vega-Lite specification of a chart; empty for a picture."""


def save_picture(picture: Picture, folder: Path, name: str, *, caption: str, quality: int = QUALITY) -> Shot:
    """JPEG file without colour subsampling, which would blur thin coloured lines."""
    options = [
        cv2.IMWRITE_JPEG_QUALITY,
        quality,
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR,
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
    ]
    _, data = cv2.imencode(".jpg", np.ascontiguousarray(picture[..., ::-1]), options)
    (folder / name).write_bytes(data.tobytes())
    return Shot(name, caption, picture.shape[1], picture.shape[0])


def resized(array: NDArray[Any], shape: tuple[int, int]) -> NDArray[Any]:
    """Picture or map resampled to the size ``(h, w)``, by the mean over areas."""
    return np.asarray(cv2.resize(array, shape[::-1], interpolation=cv2.INTER_AREA))


def level_of(path: Path, *, side: int) -> NDArray[Any]:
    """Coarsest pyramid level with a longer side of at least ``side``; the finest if there is none."""
    metadata: Any = dict(stores.open_group(path).attrs)["ome"]
    levels = metadata["multiscales"][0]["datasets"]
    array = stores.open_array(path, "0")
    for each in levels[1:]:
        coarser = stores.open_array(path, each["path"])
        if max(coarser.shape[-2:]) < side:
            break
        array = coarser
    return np.asarray(array[:])


def store_shape(path: Path) -> tuple[int, int]:
    """Rows and columns of the image of a store."""
    height, width = stores.open_array(path, "0").shape[-2:]
    return int(height), int(width)


def store_picture(path: Path, *, side: int) -> Picture:
    """Picture of a normalised image, at most ``side`` pixels a side."""
    pixels = np.ascontiguousarray(np.moveaxis(level_of(path, side=side), 0, 2))
    return np.asarray(resized(pixels, picture_shape(*store_shape(path), side=side)), dtype=np.uint8)


def store_box(path: Path, box: Box) -> Picture:
    """Crop of a normalised image, pixel for pixel."""
    return np.ascontiguousarray(np.moveaxis(stores.read_box(stores.open_array(path, "0"), box), 0, 2))


def mask_raster(path: Path, name: str) -> Raster[np.bool_] | None:
    """Reader of the masks of a store, box by box; None if it has none of that name."""
    if name not in stores.open_group(path):
        return None
    stored = stores.raster_of(stores.open_array(path, name))
    return Raster(stored.shape, lambda box: np.asarray(stored.read(box) > 0).reshape(-1, box.height, box.width))


def roi_picture(path: Path, *, side: int) -> NDArray[np.bool_]:
    """Region of interest on the pixels of ``store_picture``."""
    target = picture_shape(*store_shape(path), side=side)
    reduced = reduce_masks(mask_raster(path, "roi"), classes=1, picture=target)
    return np.zeros(target, dtype=bool) if reduced.truth is None else reduced.truth[0]


def framed(picture: Picture, box: Box, *, scale: float) -> Picture:
    """Picture of an image with a frame around a box; ``scale`` is pixels of the picture per pixel of the image."""
    corners = (round(box.x0 * scale), round(box.y0 * scale)), (round(box.x1 * scale) - 1, round(box.y1 * scale) - 1)
    framed = np.ascontiguousarray(picture).copy()
    cv2.rectangle(framed, *corners, (0, 0, 0), 4)
    cv2.rectangle(framed, *corners, (255, 255, 255), 2)
    return np.asarray(framed, dtype=np.uint8)
