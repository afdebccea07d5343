"""Image open for reading, on the grid on which it is processed."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache

import numpy as np

from pipeline.arrays.raster import Raster
from pipeline.config import NormalizedConfig
from pipeline.config.manifest import DatasetRecord
from pipeline.normalized.thumbnail import Thumbnail, read_thumbnail
from pipeline.normalized.view import View, rescaling_of
from pipeline.raw.datasets.entry import ImageEntry
from pipeline.raw.formats.source import to_eight_bit
from pipeline.raw.pixels import open_image

__all__ = ["Opened", "open_view"]


@dataclass(frozen=True, slots=True, eq=False)
class Opened:
    """Image open for reading, on the grid on which it is processed."""

    view: View
    thumbnail: Callable[[], Thumbnail]
    """Thumbnail of the image, read on first use."""
    pixel_size_um: float | None
    """Side of a pixel of level 0 in micrometres."""

    @property
    def height(self) -> int:
        """Rows of the view."""
        return self.view.rescaling.height

    @property
    def width(self) -> int:
        """Columns of the view."""
        return self.view.rescaling.width

    @property
    def eight_bit(self) -> Raster[np.uint8]:
        """Raster of the view in 8 bit, ``(h, w, 3)``."""
        return self.view.raster.map(to_eight_bit)

    @property
    def scaled_pixel_um(self) -> float | None:
        """Side of a pixel of the view in micrometres."""
        return None if self.pixel_size_um is None else self.pixel_size_um / self.view.rescaling.factor_y


@contextmanager
def open_view(entry: ImageEntry, *, record: DatasetRecord, config: NormalizedConfig, workers: int) -> Iterator[Opened]:
    """Image on the grid of its configuration, open for reading. A tiled or striped file is never decoded whole.

    Raises
    ------
    ImageRejected
        The file was damaged after stage raw had read it.
    ConfigurationError
        The file has no such level or no pixel size.
    """
    with open_image(entry, record=record, workers=workers) as source:
        thumbnail = cache(lambda: read_thumbnail(source))
        size = record.pixel_size_um or source.pixel_size_um
        rescaling = rescaling_of(
            source.levels,
            rescale=config.rescale,
            pixel_size_um=size,
            thumbnail=thumbnail,
            name=entry.image_id,
            said="; ".join(source.remarks),
        )
        yield Opened(View(source, rescaling), thumbnail, size)
