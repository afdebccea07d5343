"""How is a new image brought to the look of the images that a model was trained on? By the functions of the stage itself."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.config import NormalizedConfig
from pipeline.config.manifest import DatasetRecord
from pipeline.normalized.fundus.image import normalise_fundus
from pipeline.normalized.stain.image import normalise_histology, write_estimate
from pipeline.raw.datasets.entry import ImageEntry
from pipeline.runtime.job import origin
from pipeline.stores.atomic import file_in_progress
from pipeline.stores.finished import is_finished
from pipeline.stores.provenance import Provenance, code_digest

__all__ = ["Recipe", "normalise_as_trained"]


@dataclass(frozen=True, slots=True)
class Recipe:
    """What a model's card says of the normalisation of its images."""

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


def _origin(recipe: Recipe, entry: ImageEntry, *inputs: Path) -> Provenance:
    config = {
        "record": recipe.record.model_dump(mode="json"),
        "image_id": entry.image_id,
        "normalized": dict(recipe.normalisation),
        "target": recipe.target and dict(recipe.target),
    }
    files = entry.files | {path.name: path for path in inputs}
    code = code_digest("pipeline.predict.as_trained")
    return origin("normalized", config=config, code=code, inputs=files, pixel_size_um=recipe.record.pixel_size_um)


def _stain(entry: ImageEntry, recipe: Recipe, *, folder: Path, workers: int) -> Path:
    path, provenance = folder / f"{entry.image_id}.stain.json", _origin(recipe, entry)
    if not is_finished(path, provenance=provenance):
        write_estimate(
            entry, record=recipe.record, config=recipe.config, output=path, provenance=provenance, workers=workers
        )
    return path


def _target(target: Mapping[str, Any], *, folder: Path) -> Path:
    path = folder / "target.json"
    with file_in_progress(path) as partial:
        partial.write_text(json.dumps(dict(target), indent=1) + "\n", encoding="utf-8")
    return path


def normalise_as_trained(entry: ImageEntry, recipe: Recipe, *, folder: Path, workers: int = 1) -> Path:
    """Write ``{image}.zarr`` of a new image, and where stains are normalised ``{image}.stain.json`` and ``target.json``.

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
    output, given = folder / f"{entry.image_id}.zarr", {}
    if recipe.target is not None:
        given = {
            "stain": _stain(entry, recipe, folder=folder, workers=workers),
            "target": _target(recipe.target, folder=folder),
        }
    provenance = _origin(recipe, entry, *given.values())
    if is_finished(output, provenance=provenance):
        return output
    common: dict[str, Any] = {
        "record": recipe.record,
        "config": recipe.config,
        "output": output,
        "provenance": provenance,
        "workers": workers,
    }
    if recipe.config.chain == "fundus":
        normalise_fundus(entry, **common)
    else:
        normalise_histology(entry, stain=given.get("stain"), target=given.get("target"), **common)
    return output
