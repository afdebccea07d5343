"""Normalisation of a new image: as a trained model's images were, by the functions of the stage."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.config import NormalizedConfig
from pipeline.config.manifest import DatasetRecord
from pipeline.errors import MissingDataError, ModelError
from pipeline.model.checkpoint import CARD, Card
from pipeline.normalized.fundus.image import normalise_fundus
from pipeline.normalized.stain.image import normalise_histology, write_estimate
from pipeline.raw.datasets.entry import ImageEntry
from pipeline.stores.atomic import write_json
from pipeline.stores.finished import is_finished
from pipeline.stores.job import Job, job_of
from pipeline.stores.provenance import code_digest
from pipeline.words import safe_id

__all__ = ["Recipe", "image_entry", "normalise_as_trained", "recipe_of"]


@dataclass(frozen=True, slots=True)
class Recipe:
    """Normalisation of the images of a model."""

    record: DatasetRecord
    """Facts of the data set."""
    normalisation: Mapping[str, Any]
    """The block ``normalized``: keys of the model's chain."""
    target: Mapping[str, Any] | None
    """Content of ``target.json``; None where no stains are normalised."""

    @property
    def config(self) -> NormalizedConfig:
        """The block as it is validated."""
        return NormalizedConfig.model_validate(dict(self.normalisation))


def image_entry(path: Path) -> ImageEntry:
    """Entry of an image that belongs to no data set, named like its file.

    Raises
    ------
    MissingDataError
        No file.
    """
    if not path.is_file():
        raise MissingDataError(
            "There is no image.",
            where=path,
            found="a folder" if path.is_dir() else "nothing",
            expected="an image file (JPEG, PNG, TIFF or a slide)",
            remedy="Check the path.",
        )
    return ImageEntry(safe_id(path.stem), path, annotated=False)


def recipe_of(card: Card, *, model: Path, pixel_size_um: float | None = None) -> Recipe:
    """Normalisation that a model's card asks for.

    Parameters
    ----------
    card
        Card of the model, or of the first member of an ensemble.
    model
        Folder of the model, for messages.
    pixel_size_um
        Side of a pixel of the new image, where its file names none.

    Raises
    ------
    ModelError
        A card that does not say how.
    """
    stain = card.normalisation.get("stain") or {}
    stained = card.normalisation.get("chain") == "histology" and stain.get("method") != "none"
    if card.record is None or not card.normalisation or (stained and card.stain_target is None):
        lacking = "stain target" if card.record and card.normalisation else "normalisation"
        raise ModelError(
            "The card does not say how the model's images were normalised.",
            where=model / CARD,
            found=f"no {lacking}",
            expected="a card of a model that was trained by stage model",
            remedy="Train it again: run snakemake model.",
        )
    given = {} if pixel_size_um is None else {"pixel_size_um": pixel_size_um}
    return Recipe(card.record.model_copy(update=given), card.normalisation, card.stain_target)


def _job(entry: ImageEntry, recipe: Recipe, *, inputs: Mapping[str, Path], workers: int) -> Job:
    config = {
        "record": recipe.record.model_dump(mode="json"),
        "entry": {"image_id": entry.image_id},
        "normalized": dict(recipe.normalisation),
    }
    code = code_digest("pipeline.predict.as_trained")
    return job_of("normalized", config=config, code=code, inputs={**entry.files, **inputs}, workers=workers)


def _stains(entry: ImageEntry, recipe: Recipe, *, folder: Path, workers: int) -> dict[str, Path]:
    """Estimate of the image and the target, as files; nothing where no stains are normalised."""
    if recipe.target is None:
        return {}
    stain, target = folder / f"{entry.image_id}.stain.json", folder / "target.json"
    job = _job(entry, recipe, inputs={}, workers=workers)
    if not is_finished(stain, provenance=job.provenance):
        write_estimate(entry, config=recipe.config, job=job, output=stain)
    write_json(dict(recipe.target), target)
    return {"stain": stain, "target": target}


def normalise_as_trained(entry: ImageEntry, recipe: Recipe, *, folder: Path, workers: int = 1) -> Path:
    """Normalised store ``{image}.zarr`` of a new image; with stains also ``{image}.stain.json`` and ``target.json``.

    What is there already, from the same file, recipe and code, is kept; what a killed run left is continued.

    Parameters
    ----------
    entry
        The image.
    recipe
        What the card says.
    folder
        Where the results go, named ``normalized``.
    workers
        Blocks at a time; changes no value.

    Returns
    -------
    Path
        The store.

    Raises
    ------
    ImageRejected
        The file cannot be read.
    ConfigurationError
        A level or a pixel size that the file does not have.
    """
    output, config = folder / f"{entry.image_id}.zarr", recipe.config
    stains = _stains(entry, recipe, folder=folder, workers=workers)
    job = _job(entry, recipe, inputs=stains, workers=workers)
    if is_finished(output, provenance=job.provenance):
        return output
    if config.chain == "fundus":
        normalise_fundus(entry, config=config, job=job, output=output)
    else:
        normalise_histology(
            entry, config=config, stain=stains.get("stain"), target=stains.get("target"), job=job, output=output
        )
    return output
