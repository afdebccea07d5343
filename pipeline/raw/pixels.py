"""What are the pixels of one image and of its truth? The one door through which stages read a data set."""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import ImageRejected, explain
from pipeline.manifest import DatasetRecord, PhantomLayout
from pipeline.raw.entry import ImageEntry
from pipeline.raw.phantom_fundus import fundus_phantom
from pipeline.raw.phantom_histology import histology_phantom
from pipeline.raw.phantom_shapes import Phantom
from pipeline.raw.reader import DecodedImage, decode_image, decode_mask, label_masks

__all__ = ["decoders", "phantom", "read_image", "read_truth"]


def phantom(layout: PhantomLayout, *, number: int) -> Phantom:
    """The synthetic image of a number, with its truth."""
    make = fundus_phantom if layout.world == "fundus" else histology_phantom
    return make(number, size=layout.size, seed=layout.seed)


def read_image(entry: ImageEntry, *, record: DatasetRecord) -> DecodedImage:
    """The picture of an image, 8-bit RGB ``(h, w, 3)``.

    Raises
    ------
    ImageRejected
        The file is damaged or no picture.
    """
    if record.phantom is not None:
        return DecodedImage(phantom(record.phantom, number=entry.number).image, "RGB 8 bit, synthetic")
    if entry.image is None:
        raise AssertionError(f"{entry.image_id} has no file and is no phantom")
    return decode_image(entry.image)


def read_truth(entry: ImageEntry, *, record: DatasetRecord, height: int, width: int) -> NDArray[np.uint8]:
    """The truth of an image, 0 or 1, ``(class, h, w)`` with classes in manifest order and overlaps kept.

    A class without a file is empty.

    Raises
    ------
    ImageRejected
        A mask is damaged or of another size than the image.
    """
    truth = np.zeros((len(record.codes), height, width), np.uint8)
    if record.phantom is not None:
        masks = phantom(record.phantom, number=entry.number).masks
        files = {}
    elif entry.label is not None and record.folder is not None:
        masks, files = label_masks(entry.label, values=record.folder.values), dict.fromkeys(record.codes, entry.label)
    else:
        files = dict(entry.masks)
        masks = {code: decode_mask(path) for code, path in files.items()}
    for at, code in enumerate(record.codes):
        if code in masks:
            if masks[code].shape != (height, width):
                raise ImageRejected(
                    explain("A mask has another size than its image.", where=f"{files.get(code)} ({code})",
                            found=f"{masks[code].shape[1]}×{masks[code].shape[0]} pixels (width × height)",
                            expected=f"{width}×{height}, as {entry.image}", remedy="Export the mask at image size.")
                )  # fmt: skip
            truth[at] = masks[code]
    return truth


def decoders(
    files: Mapping[str, Path], *, numbers: Mapping[str, int], record: DatasetRecord
) -> dict[str, Callable[[], NDArray[np.uint8]]]:
    """For each image a call that decodes its picture, so that only those that are looked at are decoded.

    Parameters
    ----------
    files
        Image id → file; none for phantoms.
    numbers
        Image id → number of a phantom.
    record
        Facts of the data set.
    """
    entries = [ImageEntry(name, files.get(name), number=number) for name, number in numbers.items()]
    return {entry.image_id: _decoder(entry, record) for entry in entries}


def _decoder(entry: ImageEntry, record: DatasetRecord) -> Callable[[], NDArray[np.uint8]]:
    return lambda: read_image(entry, record=record).pixels
