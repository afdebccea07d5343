"""Image source: an image outside memory; any box can be read at any level of its own pyramid."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import GeometryError, ImageRejected
from pipeline.geometry import Box, aligned_boxes
from pipeline.raw.formats.pixel_size import PixelSize

__all__ = [
    "ArraySource",
    "ImageSource",
    "Pixels",
    "blocks",
    "check_values",
    "checked_box",
    "piece_boxes",
    "three_channels",
    "to_eight_bit",
    "unusable",
]

Pixels: TypeAlias = NDArray[np.uint8] | NDArray[np.uint16]
EIGHT_BIT, SIXTEEN_BIT = 255, 65535
UNKNOWN = PixelSize()


class ImageSource(Protocol):
    """Image source: an open image. Reading is pure and may be done from several threads."""

    @property
    def levels(self) -> tuple[tuple[int, int], ...]:
        """``(height, width)`` of each level, finest first."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the pixels, uint8 or uint16."""

    @property
    def stored(self) -> str:
        """Storage in the file, such as ``3 channels 8 bit``."""

    @property
    def pixel_size_um(self) -> float | None:
        """Side of a pixel of level 0 in micrometres, as the file says; None where it says nothing."""

    @property
    def origin(self) -> tuple[int, int]:
        """QuPath's origin ``(y, x)`` on level 0: the corner of the scanned field, if a slide states it."""

    @property
    def remarks(self) -> Mapping[str, int]:
        """Remarks on content skipped so far, with counts, such as an impossible pixel size."""

    @property
    def whole(self) -> bool:
        """Test for a decoded image, which is whole in memory."""

    @property
    def tile(self) -> tuple[int, int]:
        """``(rows, columns)`` of the pieces that the finest level is decoded in; boxes along them are read fastest."""

    def read(self, box: Box, *, level: int = 0) -> Pixels:
        """RGB pixels ``(h, w, 3)`` of a box of a level, in pixels of that level."""


class ArraySource:
    """Image source of an array, decoded at once or never in a file."""

    whole = True
    origin = (0, 0)

    def __init__(
        self,
        pixels: NDArray[Any],
        *,
        stored: str,
        pixel_size: PixelSize = UNKNOWN,
        light: Callable[[NDArray[Any]], Pixels] | None = None,
        remarks: Mapping[str, int] | None = None,
    ) -> None:
        """Wrap ``(h, w)``, or ``(h, w, c)`` with grey, grey and alpha, RGB or RGBA; without ``light`` alpha is dropped."""
        if pixels.ndim == 2:
            pixels = pixels[:, :, None]
        if pixels.ndim != 3 or not 1 <= pixels.shape[2] <= 4 or not pixels.size:
            raise ImageRejected(
                "An array is no picture.",
                where=stored,
                found=f"shape {pixels.shape}",
                expected="a grey, RGB or RGBA picture",
                remedy="Export the image as RGB.",
            )
        self._pixels, self._light = pixels, light
        self.levels = ((pixels.shape[0], pixels.shape[1]),)
        self.dtype = np.dtype(np.uint16 if pixels.dtype == np.uint16 else np.uint8)
        self.stored = stored
        self.pixel_size_um, self.remarks = pixel_size.um, pixel_size.remarks | dict(remarks or {})
        self.tile = self.levels[0]

    def read(self, box: Box, *, level: int = 0) -> Pixels:
        """RGB pixels ``(h, w, 3)`` of a box, as a copy."""
        checked_box(box, self.levels, level=level)
        stored = self._pixels[box.slices]
        part = three_channels(self._light(stored) if self._light else stored)
        return part.copy() if np.may_share_memory(part, self._pixels) else part


def checked_box(box: Box, levels: tuple[tuple[int, int], ...], *, level: int) -> None:
    """Check of a box: it lies inside its pyramid level.

    Raises
    ------
    GeometryError
        No such level, or pixels outside it.
    """
    if not 0 <= level < len(levels) or not Box.of_shape(*levels[level]).contains(box):
        raise GeometryError(
            "A box does not lie inside the image.",
            where=f"level {level} of {len(levels)}",
            found=box,
            expected=f"a box within {levels[min(max(level, 0), len(levels) - 1)]}",
            remedy="Cut the box at the border.",
        )


def check_values(dtype: np.dtype[Any] | None, *, whole_range: bool, path: Path) -> None:
    """Check of the type of a mask or label file: numbers, unsigned where light is inverted or transparent.

    Raises
    ------
    ImageRejected
        Other values.
    """
    if dtype is None or dtype.kind not in ("bu" if whole_range else "buif"):
        raise unusable(path, f"values of type {dtype}", expected="unsigned whole numbers of 1, 8 or 16 bits")


WHOLE_AGAIN = "Replace the file by a whole one, and call again."


def unusable(path: Path, problem: object, *, expected: str, remedy: str = WHOLE_AGAIN) -> ImageRejected:
    """Rejection of a file that cannot be used."""
    return ImageRejected(
        "The file cannot be used.",
        where=path,
        found=problem,
        expected=expected,
        remedy=remedy,
    )


def three_channels(pixels: NDArray[Any]) -> Pixels:
    """RGB channels ``(h, w, 3)`` of grey, grey and alpha, RGB or RGBA; copied only where it has to be."""
    channels = np.repeat(pixels[:, :, :1], 3, axis=2) if pixels.shape[2] < 3 else pixels[:, :, :3]
    return np.ascontiguousarray(channels)


def to_eight_bit(pixels: Pixels | NDArray[np.uint8 | np.uint16]) -> NDArray[np.uint8]:
    """Picture in 8 bit: 65535 becomes 255, values between are rounded. 8-bit pixels are returned as they are."""
    if pixels.dtype == np.uint8:
        return pixels.view(np.uint8)
    return ((pixels.astype(np.uint32) * EIGHT_BIT + SIXTEEN_BIT // 2) // SIXTEEN_BIT).astype(np.uint8)


def blocks(source: ImageSource, *, most: int) -> Iterator[Box]:
    """Blocks of at most about ``most`` pixels that cover level 0 along its tiles or strips."""
    return piece_boxes(source.levels[0], tile=source.tile, most=most)


def piece_boxes(shape: tuple[int, int], *, tile: tuple[int, int], most: int) -> Iterator[Box]:
    """Boxes of at most about ``most`` pixels that cover a page along its tiles or strips.

    They have full width where one row of tiles is small enough, so that no tile is decoded twice.
    """
    (height, width), (rows, columns) = shape, tile
    wide = width
    if rows * width > most:
        wide = min(width, columns * max(1, most // (rows * columns)))
    tall = rows * max(1, most // (rows * wide))
    if rows * wide > most:  # Pieces larger than a box occur only for images in memory.
        tall = max(1, most // wide)
    return aligned_boxes(height, width, tall, wide)
