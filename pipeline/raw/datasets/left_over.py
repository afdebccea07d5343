"""Left-over files, rows and images of a data set, which match no pattern or row, counted by kind."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

from pipeline.config.manifest import DatasetRecord, Lookup
from pipeline.raw.datasets.corrections import corrections_without_image
from pipeline.raw.datasets.entry import ImageEntry
from pipeline.raw.datasets.files import visible_files
from pipeline.raw.datasets.folder import truth_without_image
from pipeline.raw.datasets.tables import answers, dropped_zeros, fit_of_table, lookup_column, named_and_counted
from pipeline.raw.formats.suffixes import SLIDES, TIFF

__all__ = ["PICTURES", "left_over", "truth_elsewhere"]

PICTURES = (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp", ".jp2", ".ppm", ".pgm")
POLYGONS = (".geojson",)
WITHOUT = {"negative": "and their images count as without the class", "unknown": "and the class is unknown there"}
PIECES = (".dcm",)
"""Suffixes of slides in several files, only one of which is named."""


def left_over(
    record: DatasetRecord,
    *,
    entries: Sequence[ImageEntry],
    root: Path | None,
    splits: str | None = None,
    corrections: Path | None = None,
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
    corrections
        Folder of corrections, or None.

    Raises
    ------
    MissingDataError, ManifestError
        A folder or a table that cannot be read.
    """
    said = _files(record, entries=entries, root=root) if root is not None else []
    if corrections is not None and (lost := corrections_without_image(corrections, entries=entries)):
        said.append(f"{named_and_counted(lost)} corrections are named like no image: nothing is corrected by them")
    plain = [entry.image_id for entry in entries if not entry.annotated]
    if plain and len(plain) < len(entries):
        said.append(f"{named_and_counted(plain)} images without truth, where others have it: only predicted")
    for fact, lookup in (("group", record.group), ("centre", record.centre)):
        if lookup is not None and lookup.csv is not None:
            said += _rows(lookup, fact=fact, root=root or Path(), entries=entries)
        elif lookup is not None and root is not None:
            said += _not_fitted(lookup, fact=fact, entries=entries)
    if splits is not None:
        table = lookup_column(Path(splits), column="split")
        lost, unnamed = fit_of_table(table, entries=entries)
        said += _kinds(f"table of splits {splits}", lost=lost, unnamed=unnamed)
    return said


def _rows(lookup: Lookup, *, fact: str, root: Path, entries: Sequence[ImageEntry]) -> list[str]:
    table = lookup_column(root / (lookup.csv or ""), column=lookup.column or fact, image=lookup.image_column)
    lost, unnamed = fit_of_table(table, entries=entries)
    return _kinds(f"{fact} table {lookup.csv}", lost=lost, unnamed=unnamed)


def _not_fitted(lookup: Lookup, *, fact: str, entries: Sequence[ImageEntry]) -> list[str]:
    """Images that a pattern does not match, so that each is its own group."""
    known = answers(lookup, fact=fact, root=None, entries=entries)
    unnamed = sorted(entry.image_id for entry in entries if not known.get(entry.image_id))
    alone = ": each is a group of its own" if fact == "group" else ""
    return [f"{named_and_counted(unnamed)} images do not fit {fact}.pattern {lookup.pattern}{alone}"] if unnamed else []


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
    files = [path for entry in entries for path in (*entry.files.values(), *entry.replaced)]
    used = {path.relative_to(root).as_posix() for path in files if path.is_relative_to(root)}
    unused = [
        path
        for path in visible_files(root)
        if path not in used and path not in lost and _looks_like_data(path, record=record)
    ]
    said = [f"{named_and_counted(lost)} truth files without image"] if lost else []
    alike = truth_elsewhere([*unused, *_plain_files(entries, root=root)], codes=record.codes, entries=entries)
    if alike:
        said.append(
            f"{named_and_counted(alike)} files are named like masks, but lie where none are looked for,"
            f" {WITHOUT[record.missing_mask]}"
        )
    return [*said, f"{named_and_counted(unused)} files look like images or masks and are not used"] if unused else said


def _plain_files(entries: Sequence[ImageEntry], *, root: Path) -> list[str]:
    plain = [entry.image for entry in entries if entry.image and not entry.annotated]
    return [path.relative_to(root).as_posix() for path in plain]


def truth_elsewhere(paths: Sequence[str], *, codes: Sequence[str], entries: Sequence[ImageEntry]) -> list[str]:
    """Files named like the mask of an image that has none of that class: its id, then the code, among other words.

    Parameters
    ----------
    paths
        Files that are not read as truth, in text order.
    codes
        Class codes.
    entries
        Images; those only predicted, or with one truth file for all classes, are skipped.
    """
    missing = {
        entry.image_id.lower(): {code.lower() for code in codes} - {code.lower() for code, _ in entry.masks}
        for entry in entries
        if entry.annotated and not (entry.label or entry.annotations)
    }
    return [path for path in paths if _is_mask_of_one(PurePosixPath(path.lower()).stem, missing)]


def _is_mask_of_one(stem: str, missing: Mapping[str, set[str]]) -> bool:
    ends = [at.start() for at in re.finditer(r"[^0-9a-z]+", stem)]
    return any(missing.get(stem[:end], set()) & set(re.split(r"[^0-9a-z]+", stem[end:])) for end in ends)


def _looks_like_data(path: str, *, record: DatasetRecord) -> bool:
    """Test whether a file could be an image or its truth, by its suffix, and in a release by its folder."""
    parts, suffix = PurePosixPath(path.lower()).parts, PurePosixPath(path.lower()).suffix
    # A release has further parts, for other tasks; files that systems add to archives are no images.
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
