"""Image and mask reader, chosen by the file. Damaged files are rejected, never filled with grey.

Slides and TIFF files are read piece by piece. JPEG and PNG are decoded whole, and their orientation tags are applied,
as in every viewer. The values of a mask are its light, whatever a palette or an inverted TIFF stores for it;
`pipeline.raw.truth_values` decides from which value it is set. For a label image the stored values count.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from numpy.typing import NDArray

from pipeline.config.raw import LARGEST_DECODE
from pipeline.geometry import Box
from pipeline.raw.formats.jpeg_file import jpeg_remarks
from pipeline.raw.formats.jpeg_png import decode_picture, picture_size
from pipeline.raw.formats.light import AS_STORED, Light, Showing
from pipeline.raw.formats.mask_values import decode_values
from pipeline.raw.formats.ome_zarr import ome_zarr_size, open_ome_zarr
from pipeline.raw.formats.openslide import is_slide, open_slide, slide_size
from pipeline.raw.formats.reading import READING, Reading
from pipeline.raw.formats.source import ArraySource, ImageSource
from pipeline.raw.formats.suffixes import SLIDES, TIFF, is_store
from pipeline.raw.formats.tiff import open_tiff, open_tiff_values
from pipeline.raw.formats.tiff_series import tiff_size

__all__ = ["ValueSource", "file_size", "open_picture", "open_values"]


class ValueSource(Protocol):
    """Mask or label file, open for reading."""

    @property
    def shape(self) -> tuple[int, int]:
        """Its size ``(height, width)``."""

    @property
    def lossy(self) -> bool:
        """Lossy compression: whether JPEG has changed the values."""

    @property
    def tile(self) -> tuple[int, int]:
        """``(rows, columns)`` of the pieces that it is decoded in."""

    def read(self, box: Box) -> NDArray[Any]:
        """Stored values ``(h, w)`` of a box."""


class _Held:
    """Values decoded whole, in memory."""

    def __init__(self, values: NDArray[Any], *, lossy: bool) -> None:
        self._values, self.lossy = values, lossy
        self.shape = self.tile = (values.shape[0], values.shape[1])

    def read(self, box: Box) -> NDArray[Any]:
        return self._values[box.slices]


@contextmanager
def open_picture(
    path: Path | str,
    *,
    showing: Showing = AS_STORED,
    reading: Reading = READING,
) -> Iterator[ImageSource]:
    """Picture in a file, open for reading. Nothing of a tiled or striped file is decoded yet.

    Parameters
    ----------
    path
        JPEG, PNG, TIFF, a slide, or a folder of OME-Zarr.
    showing
        Significant bits of 16-bit samples, and whether transparent pixels are glass.
    reading
        Threads, cache and limits.

    Raises
    ------
    ImageRejected
        The file is damaged, empty, of an unknown format or of a type that is no picture, or too large to be decoded.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if is_store(path.name):
        yield open_ome_zarr(path, showing=showing, reading=reading)
        return
    if suffix in TIFF:
        with open_tiff(path, showing=showing, reading=reading) as source:
            if source is not None:
                yield source
                return
    if suffix in SLIDES or (suffix in TIFF and is_slide(path)):
        with open_slide(path, workers=reading.workers, largest=reading.largest) as slide:
            yield slide
        return
    remarks = {} if reading.checked else jpeg_remarks(path)
    pixels, stored, alpha = decode_picture(path, transparency=showing.glass, largest=reading.largest)
    yield ArraySource(pixels, stored=stored, light=Light(path, showing, alpha), remarks=remarks)


@contextmanager
def open_values(
    path: Path,
    *,
    labels: bool = False,
    reading: Reading = READING,
) -> Iterator[ValueSource]:
    """Mask or label image, open for reading: the light of a mask, the stored values of a label image.

    Parameters
    ----------
    path
        TIFF, which is read piece by piece, or JPEG or PNG.
    labels
        Whether it is a label image.
    reading
        Threads, cache and limits.

    Raises
    ------
    ImageRejected
        The file is damaged, too large to be decoded, or no mask or label image.
    """
    if path.suffix.lower() in TIFF:
        with open_tiff_values(path, labels=labels, reading=reading) as source:
            yield source
    else:
        values, lossy = decode_values(path, labels=labels, checked=reading.checked, largest=reading.largest)
        yield _Held(values, lossy=lossy)


def file_size(path: Path, *, largest: int = LARGEST_DECODE) -> tuple[int, int]:
    """Image size ``(height, width)`` of an image or mask as it is decoded, from its header alone.

    Raises
    ------
    ImageRejected
        The header cannot be read, or names more than is decoded at once.
    """
    suffix = path.suffix.lower()
    if is_store(path.name):
        return ome_zarr_size(path)
    if suffix in SLIDES:
        return slide_size(path)
    return tiff_size(path, largest=largest) if suffix in TIFF else picture_size(path, largest=largest)
