"""Thumbnail of an image, in which its region of interest and its stains are found."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.geometry import strips
from pipeline.raw.formats.source import ImageSource, to_eight_bit
from pipeline.runtime.memory import THUMBNAIL

__all__ = ["Thumbnail", "read_thumbnail"]

SIDE = 1024
"""Longer side of the thumbnail, at most."""
STRIP_PIXELS = THUMBNAIL // 6
"""Pixels in memory while a thumbnail is made."""


@dataclass(frozen=True, slots=True, eq=False)
class Thumbnail:
    """Thumbnail of an image: means over square cells of pixels of one pyramid level of its file."""

    pixels: NDArray[np.uint8]
    """``(h, w, 3)``; the last cells may be cut by the border of the image."""
    factor: int
    """Side of a cell in pixels of that level."""
    height: int
    """Rows of that level."""
    width: int
    """Columns of that level."""

    def cell_of(self, height: int, width: int) -> float:
        """Side of a cell in pixels of a grid of ``height`` × ``width`` over the same field, averaged over both axes."""
        return self.factor * (height / self.height + width / self.width) / 2

    def histogram(self) -> NDArray[np.int64]:
        """Histogram ``(3, 256)`` of the grey values of each channel."""
        channels = np.moveaxis(self.pixels, 2, 0)
        return np.stack([np.bincount(channel.ravel(), minlength=256) for channel in channels]).astype(np.int64)


def read_thumbnail(source: ImageSource) -> Thumbnail:
    """Thumbnail of an image, made strip by strip from the coarsest level with ``SIDE`` pixels along one axis."""
    # Its kernel is compiled by numba, which many who open an image never need: a third of a second to import.
    from pipeline.normalized.roi import thumbnail_factor, thumbnail_rows

    enough = [at for at, size in enumerate(source.levels) if max(size) >= SIDE]
    level = max(enough, default=0)
    height, width = source.levels[level]
    factor = thumbnail_factor(height, width, SIDE)
    rows = factor * max(1, STRIP_PIXELS // (width * factor))
    parts = [
        thumbnail_rows(to_eight_bit(source.read(box, level=level)), box=box, factor=factor)
        for box in strips(height, width, rows)
    ]
    return Thumbnail(np.concatenate(parts), factor, height, width)
