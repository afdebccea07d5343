"""What does a trained model see in a new image? From one file to maps, masks and outlines, as the run treats its own.

The results lie under ``{out}/{image}/`` as those of a data set lie under ``results/{dataset}/``. The numbers are those that
the run would give: the same functions with the same parameters, which the model's card and the stores beside it hold.
"""

import json
import logging
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline.config import ProbabilityConfig, SegmentationConfig
from pipeline.config.manifest import DatasetRecord
from pipeline.errors import ConfigurationError, MissingDataError, ModelError
from pipeline.model.checkpoint import CARD, Card, read_card
from pipeline.model.ensemble import members_of, model_files
from pipeline.predict.as_trained import Recipe, normalise_as_trained
from pipeline.predict.original_grid import Format, write_original_masks
from pipeline.predict.run_settings import RunBeside
from pipeline.probability.predict import predict_image
from pipeline.raw.datasets.entry import ImageEntry
from pipeline.runtime.job import origin
from pipeline.segmentation.segment import segment_image
from pipeline.segmentation.threshold import ThresholdFit
from pipeline.stores.atomic import file_in_progress
from pipeline.stores.finished import is_finished
from pipeline.stores.provenance import code_digest
from pipeline.words import safe_id

__all__ = ["Found", "Wishes", "predict_new_image"]

log = logging.getLogger(__name__)

LIBRARIES = ("numpy", "torch", "segmentation-models-pytorch", "dask", "zarr", "numba")


@dataclass(frozen=True, slots=True)
class Wishes:
    """What may be asked for."""

    fusions: tuple[str, ...] = ("gaussian",)
    """Maps to write."""
    threshold: float | None = None
    """For all classes; None for the thresholds that the run fitted."""
    pixel_size_um: float | None = None
    """Side of a pixel of the file, where the model's images were brought to micrometres and the file names none."""
    original_grid: Format | None = None
    """Also write the masks as large as the file."""
    workers: int = 1
    """Blocks of the image that are normalised at a time; changes no value."""
    probability: Mapping[str, Any] = field(default_factory=dict)
    """Changes to the parameters of inference."""
    segmentation: Mapping[str, Any] = field(default_factory=dict)
    """Changes to the parameters of segmentation."""


@dataclass(frozen=True, slots=True)
class Found:
    """What was written for one fusion."""

    fusion: str
    probability: Path
    """OME-Zarr ``(class, y, x)`` on the normalised grid."""
    segmentation: Path | None = None
    """Label map and masks; None where there are no thresholds."""
    outlines: Path | None = None
    """GeoJSON in pixels of the file."""
    thresholds: Path | None = None
    """Those that were used."""
    regions: Mapping[str, int] = field(default_factory=dict)
    """Class code → regions found."""
    masks: tuple[Path, ...] = ()
    """Masks as large as the file."""


@dataclass(frozen=True, slots=True)
class _Task:
    entry: ImageEntry
    model: Path
    card: Card
    record: DatasetRecord
    wishes: Wishes
    folder: Path
    """``{out}/{image}``."""

    @property
    def beside(self) -> RunBeside:
        return RunBeside(self.model, self.wishes.fusions)

    def place(self, stage: str, fusion: str, suffix: str) -> Path:
        return self.folder / stage / self.model.name / fusion / f"{self.entry.image_id}{suffix}"


def _image(path: Path) -> ImageEntry:
    if not path.is_file():
        raise MissingDataError(
            "There is no image.",
            where=path,
            found="a folder" if path.is_dir() else "nothing",
            expected="an image file (JPEG, PNG, TIFF or a slide)",
            remedy="Check the path.",
        )
    return ImageEntry(safe_id(path.stem), path, annotated=False)


def _record(card: Card, *, model: Path, wishes: Wishes) -> DatasetRecord:
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
    if wishes.pixel_size_um is None:
        return card.record
    return card.record.model_copy(update={"pixel_size_um": wishes.pixel_size_um})


def _maps(task: _Task, normalized: Path, config: ProbabilityConfig) -> dict[str, Path]:
    outputs = {fusion: task.place("probability", fusion, ".zarr") for fusion in task.wishes.fusions}
    window = config.window or task.beside.window or task.card.patch
    settings = {key: value for key, value in config.of_the_values().items() if key != "fusions"}
    provenance = origin(
        "probability",
        config={"record": task.record.model_dump(mode="json"), "probability": settings, "window": window},
        code=code_digest("pipeline.probability.predict"),
        inputs={"image": normalized, **model_files(task.model)},
        libraries=LIBRARIES,
    )
    wanted = {name: path for name, path in outputs.items() if not is_finished(path, provenance=provenance)}
    if wanted:
        predict_image(
            normalized,
            model=task.model,
            outputs=wanted,
            config=config,
            window=window,
            record=task.record,
            provenance=provenance,
        )
    return outputs


def _thresholds(task: _Task, fusion: str) -> Path | None:
    path, given = task.place("segmentation", fusion, ".zarr").with_name("thresholds.json"), task.wishes.threshold
    fitted = task.beside.thresholds(fusion)
    if given is None and fitted is None:
        return None
    with file_in_progress(path) as partial:
        if given is None and fitted is not None:
            shutil.copyfile(fitted, partial)
        elif given is not None:
            fit = ThresholdFit(given, float("nan"), 0, fitted=False, reason="Given by hand.")
            content = {"classes": {code: fit.as_dict() for code in task.record.codes}}
            partial.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    return path


def _segmented(task: _Task, fusion: str, *, normalized: Path, probability: Path, config: SegmentationConfig) -> Found:
    thresholds = _thresholds(task, fusion)
    if thresholds is None:
        log.warning("%s: no thresholds fit %s; give one to get masks and outlines", fusion, task.model.name)
        return Found(fusion, probability)
    store, outlines = (task.place("segmentation", fusion, suffix) for suffix in (".zarr", ".geojson"))
    provenance = origin(
        "segmentation",
        config={"record": task.record.model_dump(mode="json"), "segmentation": config.model_dump(mode="json")},
        code=code_digest("pipeline.segmentation.segment"),
        inputs={"image": probability, "thresholds": thresholds},
    )
    if not (outlines.is_file() and is_finished(store, provenance=provenance)):
        segment_image(
            probability,
            normalized=normalized,
            thresholds=thresholds,
            record=task.record,
            config=config,
            store=store,
            geojson=outlines,
            provenance=provenance,
        )
    kind = task.wishes.original_grid
    masks = write_original_masks(store, folder=store.parent, kind=kind) if kind else ()
    regions = _regions(outlines, codes=task.record.codes)
    return Found(fusion, probability, store, outlines, thresholds, regions, masks)


def _regions(outlines: Path, *, codes: tuple[str, ...]) -> dict[str, int]:
    features = json.loads(outlines.read_text(encoding="utf-8"))["features"]
    found = [each["properties"]["metadata"]["class_code"] for each in features]
    return {code: found.count(code) for code in codes}


def predict_new_image(image: Path, *, model: Path, out: Path, wishes: Wishes) -> tuple[Found, ...]:
    """Normalise an image as a model's own were, predict it, and outline what is found in pixels of the file.

    What is there already, made from the same file, model, parameters and code, is kept; a killed call is continued.

    Parameters
    ----------
    image
        Any file that the readers take: JPEG, PNG, TIFF, a slide.
    model
        Folder ``model/{model}/`` of a model or of an ensemble. Where the results of its run lie beside it, its parameters of inference and
        segmentation, its thresholds, and the names and colours of its classes hold; otherwise the defaults.
    out
        Folder of the results; ``{out}/{image}/`` is made in it.
    wishes
        What to write.

    Returns
    -------
    tuple
        What was written for each fusion, in the order asked for.

    Raises
    ------
    MissingDataError
        No file.
    ImageRejected
        A file that cannot be read.
    ModelError
        No model, or one whose card does not say how its images were normalised.
    ConfigurationError
        Parameters that cannot be meant, or a level or pixel size that the file does not have.
    """
    entry, model = _image(image), model.resolve()
    if wishes.threshold is not None and not 0 <= wishes.threshold <= 1:
        raise ConfigurationError(
            "The threshold is no probability.",
            where="threshold",
            found=wishes.threshold,
            expected="0 to 1",
            remedy="Give a number between.",
        )
    card, beside = read_card(members_of(model)[0]), RunBeside(model)
    record = _record(card, model=model, wishes=wishes)
    inference, cleaning = beside.probability(wishes.probability), beside.segmentation(wishes.segmentation)
    task = _Task(entry, model, card, record, wishes, out.resolve() / entry.image_id)
    recipe = Recipe(record, card.normalisation, card.stain_target)
    normalized = normalise_as_trained(entry, recipe, folder=task.folder / "normalized", workers=wishes.workers)
    maps = _maps(task, normalized, inference)
    shown = _Task(entry, model, card, beside.named(record), wishes, task.folder)
    return tuple(
        _segmented(shown, fusion, normalized=normalized, probability=path, config=cleaning)
        for fusion, path in maps.items()
    )
