"""Corrections of truth: polygons drawn or corrected by a person, one file per image, which replace the image's truth.

The files lie outside of the data set, so that its folder is never written. They are looked up by name here, and read
where truth is read.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from pipeline.errors import ManifestError, MissingDataError
from pipeline.raw.datasets.entry import ImageEntry
from pipeline.raw.datasets.files import one_file_each, visible_files
from pipeline.words import safe_id

__all__ = ["SUFFIX", "corrected_entries", "corrections_without_image"]

SUFFIX = ".geojson"
WHAT = "corrections"
MISNAMED = (".json", ".xml", ".txt", ".zip", ".gz")
"""Suffixes of files that are named like an image and can only be intended as corrections."""


def _files(folder: Path) -> dict[str, Path]:
    """Files of corrections by the id in their names."""
    if not folder.is_dir():
        raise MissingDataError(
            "The folder of corrections is missing.",
            where="corrections",
            found=folder,
            expected=f"a folder of files {{image}}{SUFFIX}, or an empty one",
            remedy="Create it, or check the path: in the manifest it is relative to that file, in the configuration to the "
            "working folder.",
        )
    paths = [folder / each for each in visible_files(folder) if each.lower().endswith(SUFFIX)]
    return one_file_each(((safe_id(path.name[: -len(SUFFIX)]), path) for path in paths), folder=folder, what=WHAT)


def _misnamed(folder: Path) -> dict[str, Path]:
    """Files with the name of a correction but a wrong suffix, by the id in their names."""
    paths = [folder / each for each in visible_files(folder) if each.lower().endswith(MISNAMED)]
    stems = [path.name[: -len(path.suffix)] for path in paths]
    bare = [stem[: -len(SUFFIX)] if stem.lower().endswith(SUFFIX) else stem for stem in stems]
    return {safe_id(name): path for name, path in zip(bare, paths, strict=True)}


def _own(entry: ImageEntry, files: dict[str, Path], *, folder: Path) -> Path | None:
    """The correction of an image, named by its id or by its file, but not both."""
    names = dict.fromkeys((entry.image_id, *([safe_id(entry.image.name)] if entry.image else [])))
    found = ((entry.image_id, files[name]) for name in names if name in files)
    return one_file_each(found, folder=folder, what=WHAT).get(entry.image_id)


def corrected_entries(entries: Iterable[ImageEntry], *, folder: Path | None) -> list[ImageEntry]:
    """Image entries; an entry with a correction has its polygons as the only truth.

    Parameters
    ----------
    entries
        Images of a data set.
    folder
        Files ``{image}.geojson`` at any depth, named by the id or the file of the image; None for none.

    Raises
    ------
    MissingDataError
        There is no such folder.
    ManifestError
        An image has two files, or one that does not end in ``.geojson``.
    """
    if folder is None:
        return list(entries)
    files, corrected = _files(folder), []
    misnamed = _misnamed(folder)
    for entry in entries:
        if wrong := _own(entry, misnamed, folder=folder):
            raise ManifestError(
                "A correction has another ending.",
                where=folder,
                found=wrong,
                expected=f"{entry.image_id}{SUFFIX}",
                remedy="Export it as GeoJSON without compression, or name it so; what ends otherwise corrects nothing.",
            )
        own = _own(entry, files, folder=folder)
        corrected.append(_corrected(entry, own) if own else entry)
    return corrected


def _corrected(entry: ImageEntry, path: Path) -> ImageEntry:
    truth = {"masks": (), "label": None, "annotations": path, "annotated": True, "unknown": ()}
    replaced = tuple(each for name, each in entry.files.items() if name != "image")
    return replace(entry, corrected=tuple(code for code, _ in entry.masks), replaced=replaced, **truth)  # type: ignore[arg-type]


def corrections_without_image(folder: Path, *, entries: Sequence[ImageEntry]) -> list[str]:
    """Files of a folder of corrections that fit no image, relative to it, in text order."""
    used = {entry.annotations for entry in entries if entry.corrected is not None}
    return sorted(path.relative_to(folder).as_posix() for path in _files(folder).values() if path not in used)
