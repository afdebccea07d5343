"""Data set adaptor of the released IDRiD segmentation folder.

Images lie in ``A. Segmentation/1. Original Images/{a. Training Set, b. Testing Set}/IDRiD_01.jpg``, masks in
``A. Segmentation/2. All Segmentation Groundtruths/{…}/1. Microaneurysms/IDRiD_01_MA.tif``. Names hold spaces and dots.
A class that does not occur in an image has no file.

References
----------
.. [1] P. Porwal et al., "Indian Diabetic Retinopathy Image Dataset (IDRiD)", 2018, DOI 10.21227/H25W98.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from pipeline.errors import MissingDataError
from pipeline.raw.datasets.entry import ImageEntry
from pipeline.raw.datasets.files import one_file_each, visible_files
from pipeline.words import safe_id

__all__ = ["LAYOUT", "list_idrid"]

LAYOUT = "the folder that holds 'A. Segmentation/1. Original Images/a. Training Set/IDRiD_01.jpg' and so on"
SUFFIXES = (".jpg", ".jpeg", ".png", ".tif", ".tiff")
MASK_SUFFIXES = (".tif", ".tiff", ".png")


def _found(folder: Path | None, word: str) -> Path | None:
    # The release numbers its folders ("1. Original Images"); copies may lose the numbers, so the words decide.
    children = sorted(folder.iterdir()) if folder is not None and folder.is_dir() else []
    return next((child for child in children if child.is_dir() and word in child.name.lower()), None)


def _needed(folder: Path, word: str) -> Path:
    found = _found(folder, word)
    if found is None:
        raise MissingDataError(
            "The IDRiD folder is not complete.",
            where=folder,
            found=f"no folder with {word!r} in its name",
            expected=LAYOUT,
            remedy="Unpack 'A. Segmentation' of the release and give its parent as the root.",
        )
    return found


def _masks(folder: Path) -> Iterator[tuple[tuple[str, str], Path]]:
    """Stem of the image, code and file of each mask, of any class."""
    for path in (folder / each for each in visible_files(folder) if each.count("/") == 1):
        match = re.fullmatch(r"(?P<stem>.+)_(?P<code>[A-Za-z]+)", path.stem)
        if match and path.suffix.lower() in MASK_SUFFIXES:
            yield (match["stem"], match["code"]), path


def _mask_files(folder: Path | None, *, codes: tuple[str, ...]) -> dict[tuple[str, str], Path]:
    if folder is None:
        return {}
    wanted = ((key, path) for key, path in _masks(folder) if key[1] in codes)
    return one_file_each(wanted, folder=folder, what="masks of one class")


def list_idrid(root: Path, *, codes: tuple[str, ...]) -> list[ImageEntry]:
    """Images of the released IDRiD layout.

    Parameters
    ----------
    root
        The folder that holds ``A. Segmentation``, or that folder itself.
    codes
        Class codes; mask files end in ``_{code}``.

    Raises
    ------
    MissingDataError
        The folders of the release are missing.
    """
    inner = _found(root, "segmentation")
    segmentation = inner if inner is not None and _found(inner, "original images") else root
    images, truths = _needed(segmentation, "original images"), _needed(segmentation, "groundtruths")
    entries = []
    for word, folder in (("training", _needed(images, "training")), ("testing", _found(images, "testing"))):
        masks = _mask_files(_found(truths, word), codes=codes)
        for path in [folder / each for each in visible_files(folder) if "/" not in each] if folder else []:
            if path.suffix.lower() in SUFFIXES:
                own = tuple((code, masks[path.stem, code]) for code in codes if (path.stem, code) in masks)
                test, annotated = word == "testing", bool(own)
                entries.append(ImageEntry(safe_id(path.stem), path, own, official_test=test, annotated=annotated))
    return entries
