"""Normalisation of a new image, by the functions of the stage."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.config import NormalizedConfig
from pipeline.config.raw import LARGEST_DECODE
from pipeline.errors import ConfigurationError, MissingDataError, StoreError
from pipeline.normalized.fundus.image import normalise_fundus
from pipeline.normalized.stain.image import normalise_histology, write_estimate
from pipeline.predict.places import Places
from pipeline.predict.recipe import Recipe, recipe_of_model, recipe_of_settings
from pipeline.raw.bits import check_bits
from pipeline.raw.datasets.entry import ImageEntry
from pipeline.raw.datasets.parts import part_files
from pipeline.raw.formats.suffixes import is_store
from pipeline.stores import open_group
from pipeline.stores.documents import write_json
from pipeline.stores.finished import is_finished
from pipeline.stores.input_files import InputFiles
from pipeline.stores.job import Job, job_of
from pipeline.stores.provenance import code_digest, file_digest
from pipeline.words import safe_id

__all__ = ["image_entry", "normalise_by", "normalise_new_image"]


def image_entry(path: Path, *, largest_decode: int = LARGEST_DECODE) -> ImageEntry:
    """Entry of an image that belongs to no data set, named like its file.

    Raises
    ------
    MissingDataError
        There is no file, or no permission to read it.
    """
    store = path.is_dir() and is_store(path.name)
    if not store and not path.is_file():
        raise _no_image(path, found="a folder" if path.is_dir() else "nothing", remedy="Check the path.")
    try:
        os.scandir(path).close() if store else path.open("rb").close()
    except OSError as problem:
        raise _no_image(path, found=str(problem.strerror), remedy="Make it readable.") from problem
    parts = part_files(path)
    return ImageEntry(safe_id(path.stem), path, annotated=False, largest_decode=largest_decode, parts=parts)


def _no_image(path: Path, *, found: str, remedy: str) -> MissingDataError:
    expected = "an image file (JPEG, PNG, TIFF or a slide) or a folder of OME-Zarr"
    return MissingDataError("There is no image.", where=path, found=found, expected=expected, remedy=remedy)


def _job(entry: ImageEntry, recipe: Recipe, *, inputs: Mapping[str, Path], workers: int) -> Job:
    config = {
        "record": recipe.record.model_dump(mode="json"),
        "entry": {"image_id": entry.image_id},
        "normalized": dict(recipe.normalisation),
    }
    code = code_digest("pipeline.predict.normalise")
    return job_of("normalized", config=config, code=code, inputs={**entry.files, **inputs}, workers=workers)


def _stains(entry: ImageEntry, recipe: Recipe, *, places: Places, workers: int) -> dict[str, Path]:
    """Files with the stain estimate of the image and the target; none where no stains are normalised."""
    if recipe.target is None:
        return {}
    stain, target = places.stain, places.target
    job = _job(entry, recipe, inputs={}, workers=workers)
    if not is_finished(stain, provenance=job.provenance):
        write_estimate(entry, config=recipe.config, job=job, output=stain)
    write_json(dict(recipe.target), target)
    return {"stain": stain, "target": target}


def normalise_by(entry: ImageEntry, recipe: Recipe, *, places: Places, workers: int = 1) -> Path:
    """Normalised store of a new image; with stains also its estimate and the target.

    An existing result from the same file, recipe and code is kept; the work of a killed run is continued.

    Parameters
    ----------
    entry
        The image.
    recipe
        Recipe of the normalisation.
    places
        Where the results go.
    workers
        Blocks at a time; changes no value.

    Returns
    -------
    Path
        The store.

    Raises
    ------
    ImageRejected
        The file cannot be read, changes while it is read, or its 16-bit values use 14 bits at most.
    ConfigurationError
        The file lacks the level or the pixel size.
    """
    output = places.normalized
    with InputFiles.of(entry.files.values()).steady():  # Stains and pixels must be of the same file.
        check_bits(entry, record=recipe.record, workers=workers)
        _check_same_file(entry, output)
        stains = _stains(entry, recipe, places=places, workers=workers)
        job = _job(entry, recipe, inputs=stains, workers=workers)
        if not is_finished(output, provenance=job.provenance):
            _write(entry, config=recipe.config, stains=stains, job=job, output=output)
    return output


def _check_same_file(entry: ImageEntry, output: Path) -> None:
    """Refusal to overwrite the prediction of another file of the same name."""
    if not output.is_dir() or entry.image is None:
        return
    try:
        notes: Any = open_group(output).attrs["provenance"]
        recorded = {name: notes["inputs"].get(name) for name in entry.files}
    except (StoreError, OSError, ValueError, KeyError, TypeError, AttributeError):
        return  # It is made anew.
    digests = ((path, recorded[name], file_digest(path)) for name, path in entry.files.items())
    other = next((each for each in digests if each[1] not in (None, each[2])), None)
    if other is not None:
        path, before, found = other
        raise ConfigurationError(
            "The folder holds the prediction of another file of this name, or of this file before it changed.",
            where=output.parent,
            found=f"a prediction of content {before}; {path} holds {found}",
            expected="a folder for each file",
            remedy="Give this file another --out, or another name, or delete the old prediction.",
        )


def _write(entry: ImageEntry, *, config: NormalizedConfig, stains: Mapping[str, Path], job: Job, output: Path) -> None:
    if config.chain == "fundus":
        normalise_fundus(entry, config=config, job=job, output=output)
    else:
        normalise_histology(
            entry, config=config, stain=stains.get("stain"), target=stains.get("target"), job=job, output=output
        )


def normalise_new_image(
    image: Path | str,
    *,
    out: Path | str,
    model: Path | str | None = None,
    settings: Mapping[str, Any] | None = None,
    pixel_size_um: float | None = None,
    workers: int = 1,
    largest_decode: int = LARGEST_DECODE,
) -> Path:
    """Normalised store of an image that belongs to no data set, by the recipe of a model or by settings.

    An existing result from the same file, recipe and code is kept; a killed call is continued.

    Parameters
    ----------
    image
        Any file that the readers support: JPEG, PNG, TIFF, a slide.
    out
        Folder of the results; ``{out}/{image}/`` is made in it.
    model
        Folder of a model or an ensemble: the image is normalised like its training images.
    settings
        Instead of a model, keys of the block ``normalized`` of ``stages/config.yaml``, such as ``{"chain":
        "histology"}``.
    pixel_size_um
        Side of a pixel of the file in micrometres, needed where a size in micrometres is requested and the file has
        none.
    workers
        Blocks at a time; changes no value.
    largest_decode
        Most bytes of a picture, page, tile or strip of the file that is decoded at once.

    Returns
    -------
    Path
        ``{out}/{image}/normalized.zarr``.

    Raises
    ------
    MissingDataError
        No file.
    ImageRejected
        A file that cannot be read.
    ModelError
        There is no model, or its card does not say how its images were normalised.
    ConfigurationError
        Both or neither of model and settings, settings that make no sense, or a level or pixel size that the file
        lacks.
    """
    if (model is None) == (settings is None):
        raise ConfigurationError(
            "It is not said how to normalise.",
            where="normalise_new_image",
            found="neither a model nor settings" if model is None else "a model and settings",
            expected="one of them",
            remedy="Give model=… to treat the image as a model's own, or settings=… for a chain.",
        )
    entry = image_entry(Path(image), largest_decode=largest_decode)
    if model is not None:
        recipe = recipe_of_model(Path(model).resolve())
    else:
        recipe = recipe_of_settings(settings or {}, largest_decode=largest_decode)
    places = Places(Path(out).resolve() / entry.image_id)
    try:
        return normalise_by(entry, recipe.with_pixel_size(pixel_size_um), places=places, workers=workers)
    finally:
        places.tidy()
