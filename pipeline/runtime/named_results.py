"""Named results of images: each must belong to the image in its name, which swapped or renamed files do not."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pipeline.errors import StoreError
from pipeline.stores import open_group
from pipeline.stores.documents import read_json
from pipeline.stores.image_store import NOTES
from pipeline.words import named_by_word

__all__ = ["check_names", "image_of", "is_named"]

STORES = ("normalized", "probability")
SHEETS = "raw"


def is_named(path: Path) -> bool:
    """Test for a result that notes its image and is named like it (``normalized/a.zarr``, ``raw/a.json``)."""
    parts = path.parts[:-1]
    if named_by_word(path):  # Result of a new image, whose folder is named like it.
        return False
    if path.suffix == ".zarr":
        return any(stage in parts for stage in STORES)
    return path.suffix == ".json" and parts[-1:] == (SHEETS,)


def image_of(path: Path) -> str | None:
    """Image behind a result, from its own notes; None without such a note.

    Raises
    ------
    StoreError
        It cannot be read.
    """
    notes: Any = dict(open_group(path).attrs).get(NOTES) if path.suffix == ".zarr" else read_json(path)
    return notes.get("image_id") if isinstance(notes, Mapping) else None


def check_names(paths: Iterable[Path | str]) -> None:
    """Names of results, compared with the images in their notes; results without such notes are skipped.

    Raises
    ------
    StoreError
        A result is of another image than its name says.
    """
    for path in filter(is_named, map(Path, paths)):
        if path.exists() and (found := image_of(path)) not in (None, path.stem):
            raise StoreError(
                "A result is of another image than its name says.",
                where=path,
                found=f"image {found}",
                expected=f"image {path.stem}",
                remedy="Give it its name back, or delete it and run again: it is made anew.",
            )
