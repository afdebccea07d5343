"""Image sizes from file headers, without decoding: for checks before a run, and for the memory of its jobs."""

from pathlib import Path

from pipeline.config.manifest import DatasetRecord
from pipeline.errors import ImageRejected
from pipeline.raw.datasets.entry import ImageEntry
from pipeline.raw.formats.reader import file_size
from pipeline.raw.formats.suffixes import decoded_whole
from pipeline.raw.truth import has_size
from pipeline.runtime.job_memory import Picture

__all__ = ["check_headers", "header_size", "picture_of"]


def header_size(path: Path) -> tuple[int, int] | None:
    """Image size ``(height, width)`` as stages see it, or None where the header cannot be read."""
    try:
        return file_size(path)
    except ImageRejected:
        return None


def picture_of(entry: ImageEntry, *, record: DatasetRecord) -> Picture | None:
    """Size of an image from its header, for the memory model, or None where the header cannot be read.

    Parameters
    ----------
    entry
        The image.
    record
        Its data set.
    """
    truth = len(record.codes) if entry.annotated else 0
    if entry.image is None:
        side = record.phantom.size if record.phantom else 1
        return Picture(side, side, truth=truth)
    size = header_size(entry.image)
    return None if size is None else Picture(*size, whole=decoded_whole(entry.image.name), truth=truth)


def check_headers(entry: ImageEntry, *, any_level: bool = False) -> list[str]:
    """Size checks of one image: what stage raw would reject it for, as far as headers tell.

    Parameters
    ----------
    entry
        The image.
    any_level
        Whether masks may have the size of any pyramid level of the image, as those of slides may.
    """
    if entry.image is None:
        return []
    size = header_size(entry.image)
    if size is None:
        return [f"{entry.image_id}: {entry.image} cannot be read"]
    masks = (*entry.masks, *([("label", entry.label)] if entry.label else []))
    problems = []
    for code, path in masks:
        found = header_size(path)
        if found is None:
            problems.append(f"{entry.image_id}: {path} ({code}) cannot be read")
        elif not has_size(found, of=size, any_level=any_level):
            problems.append(
                f"{entry.image_id}: {path} ({code}) is {found[1]}×{found[0]}, the image {size[1]}×{size[0]}"
            )
    return problems
