"""Prediction of a new image: one file to maps, masks and outlines, as the run of a model treats its own.

The results lie under ``{out}/{image}/`` as those of a data set lie under ``results/{dataset}/``. The numbers are those that
the run would give: the same functions with the same parameters, which the model's card and the stores beside it hold.
"""

import logging
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline.config import ProbabilityConfig, SegmentationConfig
from pipeline.config.manifest import DatasetRecord
from pipeline.config.raw import LARGEST_DECODE
from pipeline.errors import ConfigurationError
from pipeline.model.card import read_card
from pipeline.model.ensemble import members_of, model_files
from pipeline.predict.normalise import image_entry, normalise_by
from pipeline.predict.original_grid import Format, write_original_masks
from pipeline.predict.recipe import recipe_of_model
from pipeline.predict.run_settings import RunBeside
from pipeline.probability.predict import LIBRARIES, predict_image
from pipeline.probability.predictor import with_precision_of_this_machine
from pipeline.segmentation.segment import segment_image
from pipeline.segmentation.threshold import ThresholdFit
from pipeline.segmentation.threshold_file import save_thresholds
from pipeline.stores.atomic import file_in_progress
from pipeline.stores.documents import read_json
from pipeline.stores.finished import is_finished
from pipeline.stores.job import Job, job_of
from pipeline.stores.provenance import code_digest

__all__ = ["Found", "Wishes", "predict_new_image"]

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Wishes:
    """Options of a prediction."""

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
    largest_decode: int = LARGEST_DECODE
    """Bytes of the largest picture, page, tile or strip of the file that is decoded at once."""
    probability: Mapping[str, Any] = field(default_factory=dict)
    """Changes to the parameters of inference."""
    segmentation: Mapping[str, Any] = field(default_factory=dict)
    """Changes to the parameters of segmentation."""

    def __post_init__(self) -> None:
        """Refuse a threshold that is no probability."""
        if self.threshold is not None and not 0 <= self.threshold <= 1:
            raise ConfigurationError(
                "The threshold is no probability.",
                where="threshold",
                found=self.threshold,
                expected="0 to 1",
                remedy="Give a number between.",
            )


DEFAULT = Wishes()


@dataclass(frozen=True, slots=True)
class Found:
    """Results of one fusion, as paths of what was written."""

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
class _Prediction:
    """One image by one model."""

    image_id: str
    beside: RunBeside
    record: DatasetRecord
    wishes: Wishes
    folder: Path
    """``{out}/{image}``."""

    @property
    def model(self) -> Path:
        return self.beside.model

    def place(self, stage: str, fusion: str, name: str) -> Path:
        return self.folder / stage / self.model.name / fusion / name


def _maps(task: _Prediction, normalized: Path, *, config: ProbabilityConfig, window: int) -> dict[str, Path]:
    """The map of each fusion, written where it is not there."""
    outputs = {fusion: task.place("probability", fusion, normalized.name) for fusion in task.wishes.fusions}
    config = with_precision_of_this_machine(config)
    settings = {key: value for key, value in config.of_the_values().items() if key != "fusions"}
    job = job_of(
        "probability",
        config={"record": task.record.model_dump(mode="json"), "probability": settings, "window": window},
        code=code_digest("pipeline.probability.predict"),
        inputs={"image": normalized, **model_files(task.model)},
        libraries=LIBRARIES,
    )
    wanted = {name: path for name, path in outputs.items() if not is_finished(path, provenance=job.provenance)}
    if wanted:
        predict_image(normalized, model=task.model, outputs=wanted, config=config, window=window, job=job)
    return outputs


def _segmentation_job(task: _Prediction, *, settings: Mapping[str, Any], inputs: Mapping[str, Path]) -> Job:
    record = task.beside.named(task.record).model_dump(mode="json")
    code = code_digest("pipeline.segmentation.segment")
    return job_of("segmentation", config={"record": record, "segmentation": settings}, code=code, inputs=inputs)


def _thresholds(task: _Prediction, fusion: str) -> Path | None:
    """The thresholds given by hand, or those that the run fitted, as a file of this prediction."""
    path, given = task.place("segmentation", fusion, "thresholds.json"), task.wishes.threshold
    if given is not None:
        fits = dict.fromkeys(task.record.codes, ThresholdFit.given(given, reason="Given by hand."))
        job = _segmentation_job(task, settings={"threshold": given}, inputs={})
        save_thresholds(fits, output=path, provenance=job.provenance)
        return path
    fitted = task.beside.thresholds(fusion)
    if fitted is None:
        return None
    with file_in_progress(path) as partial:
        shutil.copyfile(fitted, partial)
    return path


def _segmented(
    task: _Prediction, fusion: str, *, normalized: Path, probability: Path, config: SegmentationConfig
) -> Found:
    thresholds = _thresholds(task, fusion)
    if thresholds is None:
        log.warning("%s: no thresholds fit %s; give one to get masks and outlines", fusion, task.model.name)
        return Found(fusion, probability)
    store, outlines = (task.place("segmentation", fusion, task.image_id + end) for end in (".zarr", ".geojson"))
    inputs = {"image": probability, "thresholds": thresholds}
    job = _segmentation_job(task, settings=config.model_dump(mode="json"), inputs=inputs)
    if not (outlines.is_file() and is_finished(store, provenance=job.provenance)):
        segment_image(
            probability,
            normalized=normalized,
            thresholds=thresholds,
            config=config,
            job=job,
            store=store,
            geojson=outlines,
        )
    kind = task.wishes.original_grid
    masks = write_original_masks(store, folder=store.parent, kind=kind) if kind else ()
    regions = _regions(outlines, codes=task.record.codes)
    return Found(fusion, probability, store, outlines, thresholds, regions, masks)


def _regions(outlines: Path, *, codes: tuple[str, ...]) -> dict[str, int]:
    features = read_json(outlines)["features"]
    found = [each["properties"]["metadata"]["class_code"] for each in features]
    return {code: found.count(code) for code in codes}


def predict_new_image(
    image: Path | str, *, model: Path | str, out: Path | str, wishes: Wishes = DEFAULT
) -> tuple[Found, ...]:
    """Maps, masks and outlines of an image, normalised as the model's own were; the outlines in pixels of the file.

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
    entry = image_entry(Path(image), largest_decode=wishes.largest_decode)
    beside = RunBeside(Path(model).resolve(), wishes.fusions)
    recipe = recipe_of_model(beside.model).with_pixel_size(wishes.pixel_size_um)
    # Without a run beside the model, the maps of a photograph are 0 outside its field of view, as the recipe says.
    usual = {"outside_roi": "zero"} if beside.window is None and recipe.record.modality == "fundus" else {}
    inference = beside.probability({**usual, **wishes.probability})
    cleaning = beside.segmentation(wishes.segmentation)
    for said in dict.fromkeys(said for fusion in wishes.fusions for said in beside.warnings(fusion)):
        log.warning("%s: %s", beside.model.name, said)
    task = _Prediction(entry.image_id, beside, recipe.record, wishes, Path(out).resolve() / entry.image_id)
    normalized = normalise_by(entry, recipe, folder=task.folder / "normalized", workers=wishes.workers)
    maps = _maps(
        task,
        normalized,
        config=inference,
        window=inference.window or beside.window or read_card(members_of(beside.model)[0]).patch,
    )
    return tuple(
        _segmented(task, fusion, normalized=normalized, probability=path, config=cleaning)
        for fusion, path in maps.items()
    )
