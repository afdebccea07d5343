"""Prediction of several files and folders, each on its own, so that an unreadable file does not stop the others."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import ConfigurationError, DiskFull, MissingDataError, ModelError, PipelineError
from pipeline.predict.new_image import ModelInUse
from pipeline.predict.options import PredictedFiles
from pipeline.raw.datasets.left_over import PICTURES
from pipeline.raw.formats.suffixes import SLIDES, TIFF, is_store
from pipeline.words import safe_id

__all__ = ["Outcome", "image_files", "predict_images"]

SUFFIXES = (*PICTURES, *TIFF, *SLIDES)


@dataclass(frozen=True, slots=True)
class Outcome:
    """Outcome of one file: its results, or the reason for none."""

    file: Path
    found: tuple[PredictedFiles, ...] = ()
    """Results of each fusion."""
    problem: str = ""
    """Message of the error; empty where there are results."""


def _in_folder(folder: Path) -> list[Path]:
    files = [
        each
        for each in folder.iterdir()
        if not each.name.startswith(".")
        and (is_store(each.name) if each.is_dir() else each.suffix.lower() in SUFFIXES and each.is_file())
    ]
    if not files:
        raise MissingDataError(
            "The folder holds no image.",
            where=folder,
            found="no file whose name ends like that of an image",
            expected=f"files that end in {', '.join(SUFFIXES)}",
            remedy="Name the folder that the images lie in; folders below it are not searched.",
        )
    return sorted(files, key=lambda each: os.fsencode(each.name))


def image_files(given: Iterable[Path]) -> list[Path]:
    """Image files from arguments: files themselves, and the files in folders, by name; each once.

    Raises
    ------
    MissingDataError
        A folder has no images.
    """
    files = [
        file for each in given for file in (_in_folder(each) if each.is_dir() and not is_store(each.name) else [each])
    ]
    first: dict[str, Path] = {}
    for file in files:
        first.setdefault(os.path.realpath(file), file)
    return [*first.values()]


def _namesakes(files: Iterable[Path]) -> dict[str, list[Path]]:
    """Files by the folder of their results; some file systems ignore case."""
    found: dict[str, list[Path]] = {}
    for each in files:
        found.setdefault(safe_id(each.stem).lower(), []).append(each)
    return found


def _ambiguous(file: Path, others: Iterable[Path]) -> ConfigurationError:
    return ConfigurationError(
        "Two files of this call have one name, so their results would lie in one folder.",
        where=file,
        found=", ".join(str(each) for each in others if each != file),
        expected="names that differ by more than folder, ending, and upper or lower case",
        remedy="Predict them in two calls, each with its own --out, or rename one.",
    )


def predict_images(files: Iterable[Path], *, used: ModelInUse, out: Path) -> Iterator[Outcome]:
    """Results of each file, as soon as they are ready; an error in one file is its outcome.

    Parameters
    ----------
    files
        Image files. Files that share a name are not predicted, because their results would share a folder.
    used
        The model.
    out
        Folder of the results; ``{out}/{image}/`` is made in it for each.

    Raises
    ------
    ModelError, DiskFull
        An error that would affect every file.
    """
    files = list(files)
    names = _namesakes(files)
    for file in files:
        alike = names[safe_id(file.stem).lower()]
        try:
            if len(alike) > 1:
                raise _ambiguous(file, alike)
            yield Outcome(file, used.predict(file, out=out))
        except (ModelError, DiskFull):
            raise
        except PipelineError as problem:
            yield Outcome(file, problem=str(problem))
