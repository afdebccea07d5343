"""Significant bits of 16-bit images: unscaled data of 10 to 14 bits would be nearly black in 8 bits."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.config.manifest import DatasetRecord
from pipeline.raw.datasets.entry import ImageEntry
from pipeline.raw.formats.source import blocks, unusable
from pipeline.raw.formats.suffixes import decoded_whole
from pipeline.raw.pixels import open_image

__all__ = ["check_bits", "largest_value", "may_be_wide", "refuse_few_bits"]

CAMERAS = (10, 12, 14)
"""Bits that cameras store in 16."""
DARK, WHITE = 2**14, 65535
PNG, PNG_DEPTH = b"\x89PNG", 24
"""First bytes of a PNG, and the position of its byte with the bits per sample."""
EIGHT_BIT = (b"\xff\xd8", b"GIF8", b"RIFF", b"BM")
"""First bytes of JPEG, GIF, WebP and BMP files."""
BLOCK = 2**23
"""Pixels that are read at a time."""


def largest_value(pixels: NDArray[Any]) -> int:
    """Largest 16-bit value except white, which may be unscanned area, transparency or burnt-in text."""
    return int(pixels.max(where=pixels < WHITE, initial=0)) if pixels.dtype == np.uint16 else 0


def refuse_few_bits(largest: int, *, entry: ImageEntry, record: DatasetRecord) -> None:
    """Check of the largest value of an image, without white, unless its data set states the number of bits in use.

    Raises
    ------
    ImageRejected
        16-bit values that need 14 bits at most.
    """
    if 0 < largest < DARK and record.significant_bits is None:
        bits = next(each for each in CAMERAS if largest < 2**each)
        raise unusable(
            entry.image or Path(entry.image_id),
            f"16-bit values up to {largest}",
            expected=f"values that use the 16 bits, or significant_bits in the manifest: {bits}, or 16",
            remedy="Say in the manifest how many bits count; the image is tried again.",
        )


def may_be_wide(path: Path) -> bool:
    """Test whether a file may hold 16-bit samples, by its first bytes; for files read in pieces, opening them tells."""
    if not decoded_whole(path.name):
        return True
    try:
        with path.open("rb") as stream:
            head = stream.read(PNG_DEPTH + 1)
    except OSError:  # The check of its header says so.
        return False
    return head[PNG_DEPTH:] == bytes([16]) if head.startswith(PNG) else not head.startswith(EIGHT_BIT)


def check_bits(entry: ImageEntry, *, record: DatasetRecord, workers: int = 1) -> None:
    """Check of an image that has no fact sheet; only 16-bit pictures are read through.

    Raises
    ------
    ImageRejected
        16-bit values that need 14 bits at most, or a damaged file.
    """
    with open_image(entry, record=record, workers=workers) as source:
        if source.dtype == np.uint16 and record.significant_bits is None:
            largest = max(largest_value(source.read(box)) for box in blocks(source, most=BLOCK))
            refuse_few_bits(largest, entry=entry, record=record)
