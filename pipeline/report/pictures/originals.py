"""Original images before normalisation: downscaled, and at full resolution for a closer look.

They are read as in stage normalized, so a slide is never decoded whole, and a place has the same pixels before and
after.
"""

from collections.abc import Mapping
from pathlib import Path

from pipeline.config import NormalizedConfig
from pipeline.config.manifest import DatasetRecord
from pipeline.config.raw import LARGEST_DECODE
from pipeline.geometry import Box
from pipeline.normalized.opened import open_view
from pipeline.raw.datasets.entry import ImageEntry
from pipeline.raw.formats.source import to_eight_bit
from pipeline.report.paths import Look, Original

__all__ = ["looks"]


def looks(
    files: Mapping[str, Path],
    *,
    numbers: Mapping[str, int],
    record: DatasetRecord,
    config: NormalizedConfig,
    largest_decode: int = LARGEST_DECODE,
) -> dict[str, Look]:
    """Readers of the original images, one per image, so that only shown images are opened.

    Parameters
    ----------
    files
        Image id → file; none for phantoms.
    numbers
        Image id → number of a phantom.
    record
        Facts of the data set.
    config
        How stage normalized reads an image: its size.
    largest_decode
        Bytes of the largest unit that is decoded at once.
    """
    entries = [
        ImageEntry(name, files.get(name), number=number, largest_decode=largest_decode)
        for name, number in numbers.items()
    ]
    return {entry.image_id: _look(entry, record, config) for entry in entries}


def _look(entry: ImageEntry, record: DatasetRecord, config: NormalizedConfig) -> Look:
    def look(box: Box | None) -> Original:
        with open_view(entry, record=record, config=config, workers=1) as opened:
            near = None if box is None else to_eight_bit(opened.view.read(box))
            return Original(opened.thumbnail().pixels, near)

    return look
