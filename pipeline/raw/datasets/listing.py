"""List of the images of a data set: from its adaptor, with patient and centre added. No image is opened."""

import csv
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from pipeline.config.manifest import DatasetRecord, Lookup, PhantomLayout
from pipeline.errors import ManifestError
from pipeline.raw.datasets import digestpath, idrid
from pipeline.raw.datasets.entry import ImageEntry, checked_entries, existing_root
from pipeline.raw.datasets.folder import list_folder
from pipeline.words import safe_id

__all__ = ["list_images", "lookup_column"]


class Adaptor(Protocol):
    """Adaptor of a released folder: the images in it, each with the files of its truth."""

    def __call__(self, root: Path, *, codes: tuple[str, ...]) -> list[ImageEntry]:
        """Images below a root, for these class codes."""


RELEASED: Mapping[str, tuple[Adaptor, str]] = {
    "digestpath": (digestpath.list_digestpath, digestpath.LAYOUT),
    "idrid": (idrid.list_idrid, idrid.LAYOUT),
}
"""Adaptors of released folders, and how the folder must look. A new one has a line here and in `DatasetRecord`."""


def _phantoms(layout: PhantomLayout, *, dataset: str) -> list[ImageEntry]:
    digits, first_test = max(len(str(layout.images)), 2), layout.images - layout.test
    names = [f"{dataset}_{number + 1:0{digits}}" for number in range(layout.images)]
    return [ImageEntry(name, None, number=at, official_test=at >= first_test) for at, name in enumerate(names)]


def _listed(record: DatasetRecord, *, root: Path | None, dataset: str) -> tuple[list[ImageEntry], str]:
    if record.phantom is not None:
        return _phantoms(record.phantom, dataset=dataset), "phantom"
    if record.layout is not None:
        layout = f"a folder with files like {record.layout.images}"
        folder = existing_root(root, dataset=dataset, source=record.source, layout=layout)
        return list_folder(folder, layout=record.layout), f"{folder}: {record.layout.images}"
    list_released, layout = RELEASED[record.adaptor]
    folder = existing_root(root, dataset=dataset, source=record.source, layout=layout)
    return list_released(folder, codes=record.codes), str(folder)


def _rows(path: Path) -> list[dict[str, str]]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:
            return list(csv.DictReader(stream))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ManifestError(
            "The table cannot be read.",
            where=path,
            found=error,
            expected="a CSV file in UTF-8",
            remedy="Check the path, and save the table as CSV in UTF-8.",
        ) from error


def lookup_column(path: Path, *, column: str) -> dict[str, str]:
    """Column of a CSV file, as ``image_id`` → value.

    Raises
    ------
    ManifestError
        The file or a column is missing, an id stands twice, or an id is not safe in a path.
    """
    found: dict[str, str] = {}
    for number, row in enumerate(_rows(path), start=2):
        if row.get("image_id") is None or row.get(column) is None:
            raise ManifestError(
                "A column is missing.",
                where=f"{path}, line {number}",
                found=", ".join(map(str, row)),
                expected=f"columns image_id and {column}",
                remedy="Add the column.",
            )
        name = row["image_id"].strip()
        if "/" in name or "\\" in name or name.startswith(".") or safe_id(name) in found:
            raise ManifestError(
                "An image id cannot be used.",
                where=f"{path}, line {number}",
                found=repr(name),
                expected="an id once, without path separators and not beginning with a dot",
                remedy="Write the name of the image file without folder and suffix, once.",
            )
        found[safe_id(name)] = row[column].strip()
    return found


def _answers(lookup: Lookup | None, *, fact: str, root: Path | None, entries: Sequence[ImageEntry]) -> dict[str, str]:
    if lookup is None:
        return {}
    if lookup.csv is not None:
        where = (root or Path()) / lookup.csv
        table = lookup_column(where, column=lookup.column or fact)
        names = {
            entry.image_id: (entry.image_id, safe_id(entry.image.name if entry.image else "")) for entry in entries
        }
        answers = {image: table[name] for image, known in names.items() for name in known if name in table}
        _some_answer(answers, fact=fact, where=where, found=table, entries=entries)
        return answers
    found = {entry.image_id: re.search(lookup.pattern or "", entry.image_id) for entry in entries}
    answers = {image: match[1] if match.groups() else match[0] for image, match in found.items() if match}
    _some_answer(answers, fact=fact, where=f"{fact}.pattern", found=[lookup.pattern or ""], entries=entries)
    return {image: answer or "" for image, answer in answers.items()}


def _some_answer(
    answers: Mapping[str, str], *, fact: str, where: object, found: Iterable[str], entries: Sequence[ImageEntry]
) -> None:
    """Refuse a table or pattern that fits no image: each would silently be a patient of its own."""
    if not any(answers.values()):
        first = ", ".join(list(found)[:3]) or "nothing"
        raise ManifestError(
            f"The {fact} of no image is found.",
            where=where,
            found=first,
            expected=f"the ids of images, such as {entries[0].image_id}",
            remedy=f"Write the names of image files without suffix there, or take {fact} out of the manifest.",
        )


def list_images(record: DatasetRecord, *, dataset: str, root: Path | None) -> tuple[ImageEntry, ...]:
    """Images of a data set in text order of their ids.

    Parameters
    ----------
    record
        Facts of the data set.
    dataset
        Its name.
    root
        Its folder; None for phantoms.

    Raises
    ------
    MissingDataError
        The root is not there or lacks a folder of the layout.
    ManifestError
        No images, colliding ids, a class without any file, a table that does not fit.
    """
    entries, where = _listed(record, root=root, dataset=dataset)
    codes = record.codes if _needs_truth(record, entries) else ()
    entries = list(checked_entries(entries, dataset=dataset, codes=codes, where=where))
    groups = _answers(record.group, fact="group", root=root, entries=entries)
    centres = _answers(record.centre, fact="centre", root=root, entries=entries)
    return tuple(
        replace(
            entry,
            group=groups.get(entry.image_id) or entry.group or entry.image_id,
            centre=centres.get(entry.image_id, ""),
            annotated=entry.annotated and _fully_known(entry, record=record),
        )
        for entry in entries
    )


def _needs_truth(record: DatasetRecord, entries: list[ImageEntry]) -> bool:
    # Slides are often there to be normalised or predicted only. With other images, masks that are declared and found
    # nowhere mean a slip in the pattern.
    layout = record.layout
    if layout is None:
        return True
    declared = bool(layout.masks or layout.label or layout.annotations)
    return any(entry.annotated for entry in entries) or (declared and record.adaptor != "slide")


def _fully_known(entry: ImageEntry, *, record: DatasetRecord) -> bool:
    # Where an absent file means that nobody looked, an image that lacks one has no complete truth. It is only
    # predicted. DigestPath's negative folder says on its own that there is nothing.
    if record.missing_mask == "negative" or record.adaptor == "digestpath":
        return True
    if entry.label or entry.annotations or entry.image is None:
        return True
    return len(entry.masks) == len(record.codes)
