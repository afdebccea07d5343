"""Pixels of one image, from its file or its phantom: the door through which stages read the pictures of a data set."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.config.manifest import DatasetRecord
from pipeline.geometry import Box
from pipeline.raw.datasets.entry import ImageEntry
from pipeline.raw.formats.reader import open_picture
from pipeline.raw.formats.source import ArraySource, ImageSource, to_eight_bit
from pipeline.raw.phantom.make import phantom

__all__ = ["DecodedImage", "open_image", "read_image"]


@dataclass(frozen=True, slots=True)
class DecodedImage:
    """A picture in memory."""

    pixels: NDArray[np.uint8]
    """``(h, w, 3)`` RGB."""
    stored: str
    """How the file keeps it, such as ``RGB 8 bit``."""


@contextmanager
def open_image(entry: ImageEntry, *, record: DatasetRecord, workers: int = 1) -> Iterator[ImageSource]:
    """Open an image for reading; nothing of a tiled or striped file is decoded yet.

    Parameters
    ----------
    entry
        The image.
    record
        Its data set, which makes the picture of a phantom.
    workers
        Threads that decode pieces.

    Raises
    ------
    ImageRejected
        The file is damaged or no picture.
    """
    if entry.image is not None:
        with open_picture(entry.image, workers=workers) as source:
            yield source
    elif record.phantom is not None:
        pixels = phantom(record.phantom, number=entry.number).image
        yield ArraySource(pixels, stored="RGB 8 bit, synthetic")
    else:
        raise AssertionError(f"{entry.image_id} has no file and is no phantom")


def read_image(entry: ImageEntry, *, record: DatasetRecord) -> DecodedImage:
    """The picture of an image whole, 8-bit RGB ``(h, w, 3)``.

    Raises
    ------
    ImageRejected
        The file is damaged or no picture.
    """
    with open_image(entry, record=record) as source:
        pixels = source.read(Box.of_shape(*source.levels[0]))
        return DecodedImage(to_eight_bit(pixels), source.stored)
