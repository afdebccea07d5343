"""Image sizes of a data set for the memory model, from the table of images or, before it exists, from file headers."""

import functools
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from pipeline.config.manifest import DatasetRecord
from pipeline.raw.datasets.entry import ImageEntry
from pipeline.raw.formats.suffixes import decoded_whole
from pipeline.runtime.job_memory import Picture
from pipeline.stores.tables import read_table

__all__ = ["picture_of_job", "pictures_in"]

COLUMNS = ["image_id", "file", "height", "width", "annotated", "rejected"]


def pictures_in(images: pd.DataFrame, *, classes: int) -> dict[str, Picture]:
    """Image id → picture, for the images that can be used.

    Parameters
    ----------
    images
        Columns ``image_id``, ``file``, ``height``, ``width``, ``annotated`` and ``rejected`` of ``raw/images.parquet``.
    classes
        Number of truth planes of an image.
    """
    usable = images[images["rejected"] == ""]
    return {
        str(row["image_id"]): Picture(
            int(row["height"]),
            int(row["width"]),
            whole=decoded_whole(str(row["file"])),
            truth=classes if row["annotated"] else 0,
        )
        for row in usable.to_dict("records")
    }


@functools.cache
def _pictures(table: Path, _changed_at: int, classes: int) -> dict[str, Picture]:
    return pictures_in(read_table(table)[COLUMNS], classes=classes)


def picture_of_job(
    image: str | None, *, table: Path, entries: Mapping[str, ImageEntry], record: DatasetRecord
) -> Picture:
    """Picture of a job's image, or the largest one of the data set for a job of all images.

    Parameters
    ----------
    image
        Id of the image; None for a job of all.
    table
        ``raw/images.parquet``, which need not exist yet.
    entries
        Image id → entry.
    record
        The data set.
    """
    known = _pictures(table, table.stat().st_mtime_ns, record.truth_planes) if table.is_file() else {}
    if known and (image is None or image in known):
        return known[image] if image else max(known.values(), key=lambda each: each.pixels)
    # Decoders take long to import; only jobs before the table of images get here.
    from pipeline.raw.datasets.headers import picture_of

    asked = entries.values() if image is None else [entries[image]]
    return max((picture_of(each, record=record) or Picture(1, 1) for each in asked), key=lambda each: each.pixels)
