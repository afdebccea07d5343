"""List of the images of a data set: from its adaptor, with patient and centre added. No image is opened."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from pipeline.config.manifest import DatasetRecord, PhantomLayout
from pipeline.config.run import DatasetRun
from pipeline.raw.datasets import digestpath, idrid
from pipeline.raw.datasets.corrections import corrected_entries
from pipeline.raw.datasets.entry import ImageEntry, checked_entries, existing_root
from pipeline.raw.datasets.folder import list_folder
from pipeline.raw.datasets.parts import part_files
from pipeline.raw.datasets.tables import answers, check_groups
from pipeline.raw.datasets.unmatched import check_images_found, check_truth_found

__all__ = ["found_images", "images_of_run", "list_images"]


class Adaptor(Protocol):
    """Adaptor of a released folder: the images in it, each with the files of its truth."""

    def __call__(self, root: Path, *, codes: tuple[str, ...]) -> list[ImageEntry]:
        """Images below a root, for these class codes."""


RELEASED: Mapping[str, tuple[Adaptor, str]] = {
    "digestpath": (digestpath.list_digestpath, digestpath.LAYOUT),
    "idrid": (idrid.list_idrid, idrid.LAYOUT),
}
"""Adaptors of released folders, and the required look of the folder. A new one needs a line here and in
`DatasetRecord`."""


def _phantoms(layout: PhantomLayout, *, dataset: str) -> list[ImageEntry]:
    digits, first_test = max(len(str(layout.images)), 2), layout.images - layout.test
    names = [f"{dataset}_{number + 1:0{digits}}" for number in range(layout.images)]
    return [ImageEntry(name, None, number=at, official_test=at >= first_test) for at, name in enumerate(names)]


def found_images(record: DatasetRecord, *, root: Path | None, dataset: str) -> tuple[list[ImageEntry], str]:
    """Images found by the adaptor of a data set, before any check, and the folder searched.

    Raises
    ------
    MissingDataError
        The root is not there or lacks a folder of the layout.
    ManifestError
        Files contradict each other.
    """
    if record.phantom is not None:
        return _phantoms(record.phantom, dataset=dataset), "phantom"
    if record.layout is not None:
        layout = f"a folder with files like {record.layout.images}"
        folder = existing_root(root, dataset=dataset, source=record.source, layout=layout)
        return list_folder(folder, layout=record.layout), f"{folder}: {record.layout.images}"
    list_released, layout = RELEASED[record.adaptor]
    folder = existing_root(root, dataset=dataset, source=record.source, layout=layout)
    return list_released(folder, codes=record.codes), str(folder)


def images_of_run(run: DatasetRun) -> tuple[ImageEntry, ...]:
    """Images of a data set of a run, with the configuration for reading them; see `list_images`."""
    found = list_images(run.record, dataset=run.name, root=run.root, corrections=run.corrections)
    largest = run.config.raw.largest_decode
    return tuple(replace(entry, largest_decode=largest) for entry in found)


def list_images(
    record: DatasetRecord, *, dataset: str, root: Path | None, corrections: Path | None = None
) -> tuple[ImageEntry, ...]:
    """Images of a data set in text order of their ids.

    Parameters
    ----------
    record
        Facts of the data set.
    dataset
        Its name.
    root
        Its folder; None for phantoms.
    corrections
        Folder of polygons that replace the truth of images; None for none.

    Raises
    ------
    MissingDataError
        The root or the folder of corrections is not there, or the root lacks a folder of the layout.
    ManifestError
        No images, colliding ids, a class without any file, a table that does not fit.
    """
    entries, where = found_images(record, root=root, dataset=dataset)
    codes = record.codes if _needs_truth(record, entries) else ()
    if record.layout is None or root is None:
        entries = list(checked_entries(entries, dataset=dataset, codes=codes, where=where))
    else:
        # The layout has patterns, and so these messages say more.
        check_images_found(entries, layout=record.layout, dataset=dataset, root=root)
        entries = list(checked_entries(entries, dataset=dataset, codes=(), where=where))
        check_truth_found(entries, layout=record.layout, codes=codes, dataset=dataset, root=root)
    entries = corrected_entries([_with_unknown(each, record=record) for each in entries], folder=corrections)
    groups = answers(record.group, fact="group", root=root, entries=entries)
    centres = answers(record.centre, fact="centre", root=root, entries=entries)
    check_groups(record.group, groups=groups, root=root, entries=entries)
    return tuple(
        replace(
            entry,
            group=groups.get(entry.image_id) or entry.group or entry.image_id,
            centre=centres.get(entry.image_id, ""),
            parts=part_files(entry.image) if entry.image else (),
        )
        for entry in entries
    )


def _needs_truth(record: DatasetRecord, entries: list[ImageEntry]) -> bool:
    # Slides are often only normalised or predicted. For other images, declared masks that are found nowhere mean a
    # mistake in the pattern.
    layout = record.layout
    if layout is None:
        return True
    declared = bool(layout.masks or layout.label or layout.annotations)
    return any(entry.annotated for entry in entries) or (declared and record.adaptor != "slide")


def _with_unknown(entry: ImageEntry, *, record: DatasetRecord) -> ImageEntry:
    """Image entry with the classes that nobody looked for; with all classes it counts as unannotated."""
    if not entry.annotated or not _files_tell(entry, record=record):
        return entry
    known = {code for code, _ in entry.masks}
    # A declaration is of lesions: it says nothing of a disc that nobody drew.
    if entry.lesion_free and known.isdisjoint(record.lesion_codes):
        known |= {*record.lesion_codes}
    return replace(
        entry, annotated=bool(known), unknown=tuple(c for c in record.codes if c not in known) if known else ()
    )


def _files_tell(entry: ImageEntry, *, record: DatasetRecord) -> bool:
    """Meaning of a missing mask file: whether nobody looked for its class in this image."""
    # DigestPath's negative folder itself states that there is no lesion.
    if record.missing_mask == "negative" or record.adaptor == "digestpath":
        return False
    if entry.label or entry.annotations or entry.image is None:
        return False
    return bool(entry.masks) or entry.lesion_free or record.layout is None
