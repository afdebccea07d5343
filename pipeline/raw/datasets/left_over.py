"""Left-over files, rows and images of a data set: what no pattern takes and no row names, counted by kind."""

from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from pipeline.config.manifest import DatasetRecord, Lookup
from pipeline.raw.datasets.entry import ImageEntry
from pipeline.raw.datasets.files import visible_files
from pipeline.raw.datasets.folder import truth_without_image
from pipeline.raw.datasets.tables import dropped_zeros, fit_of_table, lookup_column, named_and_counted
from pipeline.raw.formats.suffixes import SLIDES, TIFF

__all__ = ["left_over"]

PICTURES = (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp", ".jp2", ".ppm", ".pgm")
POLYGONS = (".geojson",)
PIECES = (".dcm",)
"""Suffixes of slides that lie in several files, only one of which is named."""


def left_over(
    record: DatasetRecord, *, entries: Sequence[ImageEntry], root: Path | None, splits: str | None = None
) -> list[str]:
    """Left-over files, rows and images of a list of images: a sentence for each kind, with the count and the first three names.

    Parameters
    ----------
    record
        Facts of the data set.
    entries
        Its images.
    root
        Its folder; None for phantoms.
    splits
        Table of splits, or None.

    Raises
    ------
    MissingDataError, ManifestError
        A folder or a table that cannot be read.
    """
    said = _files(record, entries=entries, root=root) if root is not None else []
    plain = [entry.image_id for entry in entries if not entry.annotated]
    if plain and len(plain) < len(entries):
        said.append(f"{named_and_counted(plain)} images without truth, where others have it: only predicted")
    for fact, lookup in (("group", record.group), ("centre", record.centre)):
        if lookup is not None and lookup.csv is not None:
            said += _rows(lookup, fact=fact, root=root or Path(), entries=entries)
    if splits is not None:
        table = lookup_column(Path(splits), column="split")
        lost, unnamed = fit_of_table(table, entries=entries)
        said += _kinds(f"table of splits {splits}", lost=lost, unnamed=unnamed)
    return said


def _rows(lookup: Lookup, *, fact: str, root: Path, entries: Sequence[ImageEntry]) -> list[str]:
    table = lookup_column(root / (lookup.csv or ""), column=lookup.column or fact)
    lost, unnamed = fit_of_table(table, entries=entries)
    return _kinds(f"{fact} table {lookup.csv}", lost=lost, unnamed=unnamed)


def _kinds(table: str, *, lost: Sequence[str], unnamed: Sequence[str]) -> list[str]:
    said = [f"{named_and_counted(lost)} rows of the {table} fit no image"] if lost else []
    said += [f"{named_and_counted(unnamed)} images are in no row of the {table}"] if unnamed else []
    zeros = dropped_zeros(lost, unnamed).strip()
    return [*said[:-1], f"{said[-1]}. {zeros}"] if zeros else said


def _files(record: DatasetRecord, *, entries: Sequence[ImageEntry], root: Path) -> list[str]:
    layout = record.layout
    lost: list[str] = []
    if layout is not None:
        lost = truth_without_image(root, layout=layout)
    used = {path.relative_to(root).as_posix() for entry in entries for path in entry.files.values()}
    unused = [
        path
        for path in visible_files(root)
        if path not in used and path not in lost and _looks_like_data(path, record=record)
    ]
    said = [f"{named_and_counted(lost)} truth files without image"] if lost else []
    return [*said, f"{named_and_counted(unused)} files look like images or masks and are not used"] if unused else said


def _looks_like_data(path: str, *, record: DatasetRecord) -> bool:
    """Look of a file: whether it could be an image or its truth, by its suffix, and in a release by its folder."""
    parts, suffix = PurePosixPath(path.lower()).parts, PurePosixPath(path.lower()).suffix
    # A release holds further parts, for other tasks; what systems add to archives holds no picture.
    if any(part.startswith("__") or part.endswith(".zarr") for part in parts[:-1]):
        return False
    if record.adaptor == "idrid":
        words = ("original images", "groundtruths")
        return any(word in part for word in words for part in parts[:-1]) and suffix in (*PICTURES, *TIFF)
    if record.adaptor != "slide" or record.layout is None:
        return suffix in (*PICTURES, *TIFF, *SLIDES, *(POLYGONS if record.layout else ()))
    # Slides have labels and thumbnails beside them.
    patterns = (record.layout.images, *record.layout.masks.values(), record.layout.label, record.layout.annotations)
    own = {PurePosixPath(each.lower()).suffix for each in patterns if each}
    return suffix in {*own, *TIFF, *SLIDES, *POLYGONS} - {*PIECES}
