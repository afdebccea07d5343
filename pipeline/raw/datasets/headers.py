"""How large is a picture, without decoding it? Sizes from file headers, for checks before a run."""

from pathlib import Path

from pipeline.errors import ImageRejected
from pipeline.raw.datasets.entry import ImageEntry
from pipeline.raw.formats.reader import file_size
from pipeline.raw.truth import is_level

__all__ = ["header_problems", "header_size"]


def header_size(path: Path) -> tuple[int, int] | None:
    """``(height, width)`` as stages see it, or None where the header cannot be read."""
    try:
        return file_size(path)
    except ImageRejected:
        return None


def header_problems(entry: ImageEntry, *, any_level: bool = False) -> list[str]:
    """What stage raw would reject this image for, as far as headers tell.

    Parameters
    ----------
    entry
        The image.
    any_level
        Whether masks may have the size of any level of the image, as those of slides may.
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
        elif found != size and not (any_level and is_level(found, of=size)):
            problems.append(
                f"{entry.image_id}: {path} ({code}) is {found[1]}×{found[0]}, the image {size[1]}×{size[0]}"
            )
    return problems
