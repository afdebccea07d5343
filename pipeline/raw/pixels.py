"""Pixels of one image, from its file or its phantom: the entry point by which stages read the images of a data set."""

from collections.abc import Iterator
from contextlib import contextmanager

from pipeline.config.manifest import DatasetRecord
from pipeline.raw.datasets.entry import ImageEntry
from pipeline.raw.formats.light import Showing
from pipeline.raw.formats.reader import open_picture
from pipeline.raw.formats.reading import Reading
from pipeline.raw.formats.source import ArraySource, ImageSource
from pipeline.raw.phantom.make import phantom

__all__ = ["open_image", "polygon_origin"]


@contextmanager
def open_image(entry: ImageEntry, *, record: DatasetRecord, workers: int = 1) -> Iterator[ImageSource]:
    """Image, open for reading. A tiled or striped file is not decoded yet.

    Parameters
    ----------
    entry
        The image.
    record
        Its data set: significant bits, modality, and the content of a phantom.
    workers
        Threads that decode pieces.

    Raises
    ------
    ImageRejected
        The file is damaged, not an image, or too large to be decoded.
    """
    if entry.image is not None:
        showing = Showing(bits=record.significant_bits, glass=record.modality == "histology")
        reading = Reading(workers, checked=entry.checked is not None, largest=entry.largest_decode)
        with open_picture(entry.image, showing=showing, reading=reading) as source:
            yield source
    elif record.phantom is not None:
        pixels = phantom(record.phantom, number=entry.number).image
        yield ArraySource(pixels, stored="RGB 8 bit, synthetic")
    else:
        raise AssertionError(f"{entry.image_id} has no file and is no phantom")


def polygon_origin(source: ImageSource, *, record: DatasetRecord) -> tuple[int, int]:
    """Origin ``(y, x)`` of the coordinates of polygons read and written, in pixels of level 0.

    QuPath's origin is OpenSlide's bounds. With ``origin: level0`` in the manifest it is the corner of level 0.
    """
    return (0, 0) if record.layout and record.layout.origin == "level0" else source.origin
