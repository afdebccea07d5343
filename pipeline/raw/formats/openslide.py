"""Slide reader on OpenSlide, for scanner formats other than plain TIFF.

Levels of such slides need not align with whole pixels of level 0. So a level is always read in the same tiles, and
boxes do not depend on how an image is cut.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pipeline.config.raw import LARGEST_DECODE
from pipeline.errors import MissingDataError
from pipeline.geometry import Box
from pipeline.raw.formats.decoded_size import Unit, check_unit
from pipeline.raw.formats.light import over_white
from pipeline.raw.formats.pixel_size import pixel_size
from pipeline.raw.formats.source import checked_box, unusable
from pipeline.runtime.array_cache import ArrayCache
from pipeline.runtime.memory import PIECES

if TYPE_CHECKING:
    from openslide import OpenSlide

__all__ = ["SlideSource", "is_slide", "open_slide", "slide_size"]

SIDE = 512
"""Side of the tiles."""


def _openslide() -> ModuleType:
    # The library is loaded only where a file needs it: plain TIFF slides do not.
    try:
        import openslide
    except (ImportError, OSError) as error:
        raise MissingDataError(
            "OpenSlide is not installed.",
            where="pipeline.raw.formats.openslide",
            found=error,
            expected="openslide-python and openslide-bin",
            remedy="pip install openslide-python openslide-bin",
        ) from error
    module: ModuleType = openslide
    return module


def _bounds_corner(properties: Mapping[str, str]) -> tuple[int, int]:
    """Corner ``(y, x)`` of the scanned field; that of level 0 if the slide states no field."""
    try:
        return int(properties.get("openslide.bounds-y", 0)), int(properties.get("openslide.bounds-x", 0))
    except ValueError:
        return 0, 0


class SlideSource:
    """Image source of a slide that OpenSlide reads; see `pipeline.raw.formats.source.ImageSource`."""

    whole = False
    dtype = np.dtype(np.uint8)
    tile = (SIDE, SIDE)

    def __init__(
        self, slide: "OpenSlide", *, path: Path, each: Callable[[Callable[[Box], None], Iterable[Box]], Iterable[None]]
    ) -> None:
        self._slide, self._path, self._each = slide, path, each
        self._cache = ArrayCache(PIECES)
        self.levels = tuple((int(height), int(width)) for width, height in slide.level_dimensions)
        self._factors = tuple(float(each) for each in slide.level_downsamples)
        size = pixel_size(*(slide.properties.get(f"openslide.mpp-{axis}") for axis in "xy"))
        self.pixel_size_um, self.remarks = size.um, size.remarks
        self.origin = _bounds_corner(slide.properties)
        self.stored = f"{slide.properties.get('openslide.vendor', 'unknown')} slide, 8 bit"

    def read(self, box: Box, *, level: int = 0) -> NDArray[np.uint8]:
        """RGB pixels ``(h, w, 3)`` of a box of a level; unscanned areas are white."""
        checked_box(box, self.levels, level=level)
        found = np.empty((box.height, box.width, 3), np.uint8)
        within = Box.of_shape(*self.levels[level])

        def place(tile: Box) -> None:
            key = (level, tile.y0 // SIDE * (-(-within.width // SIDE)) + tile.x0 // SIDE)
            piece = self._cache.get(key, lambda: self._decode(tile, level))
            inner = tile.intersect(box)
            found[inner.shift(-box.y0, -box.x0).slices] = piece[inner.shift(-tile.y0, -tile.x0).slices]

        tiles = (
            Box(y0, x0, min(y0 + SIDE, within.height), min(x0 + SIDE, within.width))
            for y0 in range(box.y0 // SIDE * SIDE, box.y1, SIDE)
            for x0 in range(box.x0 // SIDE * SIDE, box.x1, SIDE)
        )
        for _ in self._each(place, tiles if box.area else ()):
            pass
        return found

    def _decode(self, tile: Box, level: int) -> NDArray[np.uint8]:
        factor = self._factors[level]
        corner = round(tile.x0 * factor), round(tile.y0 * factor)
        try:
            region = self._slide.read_region(corner, level, (tile.width, tile.height))
        except _openslide().OpenSlideError as error:
            place = f"the part at row {tile.y0}, column {tile.x0} of level {level} does not decode: {error}"
            raise unusable(self._path, place, expected="a whole slide") from error
        pixels = np.asarray(region)
        return np.ascontiguousarray(over_white(pixels[:, :, :3], pixels[:, :, 3:]), np.uint8)


def is_slide(path: Path) -> bool:
    """Slide check: whether OpenSlide recognises the file; false if it is not installed."""
    try:
        return _openslide().OpenSlide.detect_format(str(path)) is not None
    except MissingDataError:
        return False


@contextmanager
def _opened(path: Path) -> "Iterator[OpenSlide]":
    openslide = _openslide()
    try:
        slide = openslide.OpenSlide(str(path))
    except (openslide.OpenSlideError, OSError) as error:
        raise unusable(
            path, error, expected="a slide that OpenSlide reads, with all the files that belong to it"
        ) from error
    with slide:
        yield slide


def _check_tiles(slide: "OpenSlide", path: Path, *, largest: int) -> None:
    # OpenSlide decodes a stored tile whole, however small the requested part.
    for level in range(slide.level_count):
        high, wide = (
            int(slide.properties.get(f"openslide.level[{level}].tile-{each}", 0)) for each in ("height", "width")
        )
        check_unit(Unit(f"tile of level {level}", high, wide, samples=4), path, largest=largest)


@contextmanager
def open_slide(path: Path, *, workers: int = 1, largest: int = LARGEST_DECODE) -> Iterator[SlideSource]:
    """Slide, open for reading, of tiles of at most ``largest`` bytes.

    Raises
    ------
    ImageRejected
        The file is damaged, no slide, or one of too large tiles.
    MissingDataError
        OpenSlide is not installed.
    """
    with ExitStack() as stack:
        slide = stack.enter_context(_opened(path))
        _check_tiles(slide, path, largest=largest)
        each = stack.enter_context(ThreadPoolExecutor(workers)).map if workers > 1 else map
        yield SlideSource(slide, path=path, each=each)


def slide_size(path: Path) -> tuple[int, int]:
    """Image size ``(height, width)`` of level 0 of a slide.

    Raises
    ------
    ImageRejected
        The file is damaged or no slide.
    """
    with _opened(path) as slide:
        width, height = slide.dimensions
        return int(height), int(width)
