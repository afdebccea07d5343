"""Prediction of a new image: from one file to maps, masks, outlines and a picture, as in the model's own run.

The results lie in ``{out}/{image}/``, each named by the word of its stage. The numbers equal those of the run: the
functions are the same, and the parameters come from the model's card and the stores beside it.
"""

import logging
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self, cast

from pipeline.config import ProbabilityConfig, SegmentationConfig
from pipeline.config.manifest import DatasetRecord
from pipeline.model.card import read_card
from pipeline.model.ensemble import members_of, model_files
from pipeline.predict.normalise import image_entry, normalise_by
from pipeline.predict.options import DEFAULT, PredictedFiles, PredictOptions
from pipeline.predict.original_grid import remove_original_masks, write_original_masks
from pipeline.predict.places import Places
from pipeline.predict.quick_look import ClassSeen, largest_probabilities, quick_look, regions_by_class, write_look
from pipeline.predict.recipe import Recipe, recipe_of_model
from pipeline.predict.run_settings import RunBeside
from pipeline.predict.same_model import check_same, files_in_use
from pipeline.probability.predict import LIBRARIES, predict_image
from pipeline.probability.predictor import with_precision_of_this_machine
from pipeline.raw.datasets.entry import ImageEntry
from pipeline.report.pictures.colours import colour_code
from pipeline.runtime.run_lock import RunLock
from pipeline.segmentation.segment import segment_image
from pipeline.segmentation.threshold import ThresholdFit
from pipeline.segmentation.threshold_file import save_thresholds
from pipeline.stores import open_group
from pipeline.stores.atomic import file_in_progress
from pipeline.stores.documents import write_json
from pipeline.stores.finished import is_finished
from pipeline.stores.input_files import InputFiles
from pipeline.stores.job import Job, job_of
from pipeline.stores.provenance import code_digest

__all__ = ["ModelInUse", "predict_new_image"]

log = logging.getLogger(__name__)

NOTHING_EVALUATED = "Nothing was evaluated: neither field of view nor tissue was found"


@dataclass(frozen=True, slots=True)
class ModelInUse:
    """Model with everything needed to predict new images, read once for any number of them."""

    beside: RunBeside
    recipe: Recipe
    inference: ProbabilityConfig
    cleaning: SegmentationConfig
    window: int
    """Side of the window in pixels."""
    options: PredictOptions
    files: InputFiles
    """Cards and weights as they were before any of them was read."""

    @classmethod
    def of(cls, model: Path | str, options: PredictOptions) -> Self:
        """Model or ensemble of a folder; warnings of its card and measures are logged.

        Raises
        ------
        ModelError
            No model, or one whose card does not say how its images were normalised.
        ConfigurationError
            Parameters make no sense.
        """
        beside = RunBeside(Path(model).resolve(), options.fusions)
        files = files_in_use(beside.model)
        recipe = recipe_of_model(beside.model).with_pixel_size(options.pixel_size_um)
        # Without a run beside the model, maps of a photograph are 0 outside its field of view, as in the recipe.
        usual = {"outside_roi": "zero"} if beside.window is None and recipe.record.modality == "fundus" else {}
        inference = beside.probability({**usual, **options.probability})
        cleaning = beside.segmentation(options.segmentation)
        for said in dict.fromkeys(said for fusion in options.fusions for said in beside.warnings(fusion)):
            log.warning("of the run that trained %s: %s", beside.model.name, said)
        if options.threshold is not None:
            beside.say_without_areas(cleaning)
        window = inference.window or beside.window or read_card(members_of(beside.model)[0]).patch
        return cls(beside, recipe, inference, cleaning, window, options, files)

    def predict(self, image: Path, *, out: Path) -> tuple[PredictedFiles, ...]:
        """Results of one image; see ``predict_new_image``."""
        check_same(self.files)
        entry = image_entry(image, largest_decode=self.options.largest_decode)
        places = Places(out.resolve() / entry.image_id)
        lock = RunLock(places.folder, other="--out …")  # Two at once would write into one store.
        lock.take()
        try:
            normalized = normalise_by(entry, self.recipe, places=places, workers=self.options.workers)
            task = _Prediction(entry, self, normalized, places)
            return tuple(task.finished(fusion, path) for fusion, path in task.maps().items())
        finally:
            lock.give_back()
            places.tidy()


def _nothing_evaluated(probability: Path) -> bool:
    """Test for a map without any evaluated window, whose zeros say nothing about the image."""
    return not cast("dict[str, Any]", open_group(probability).attrs["lesionmap"]).get("windows_evaluated", 1)


@dataclass(frozen=True, slots=True)
class _Prediction:
    """One image by one model."""

    entry: ImageEntry
    used: ModelInUse
    normalized: Path
    places: Places

    @property
    def model(self) -> Path:
        return self.used.beside.model

    @property
    def record(self) -> DatasetRecord:
        return self.used.recipe.record

    def place(self, stage: str, fusion: str, suffix: str) -> Path:
        return self.places.of_result(stage, model=self.model.name, fusion=fusion, suffix=suffix)

    def maps(self) -> dict[str, Path]:
        """The map of each fusion, written where it is missing."""
        outputs = {fusion: self.place("probability", fusion, ".zarr") for fusion in self.used.options.fusions}
        config, window = with_precision_of_this_machine(self.used.inference), self.used.window
        settings = {key: value for key, value in config.of_the_values().items() if key != "fusions"}
        job = job_of(
            "probability",
            config={"record": self.record.model_dump(mode="json"), "probability": settings, "window": window},
            code=code_digest("pipeline.probability.predict"),
            inputs={"image": self.normalized, **model_files(self.model)},
            libraries=LIBRARIES,
            shown=self._named().shown,
        )
        wanted = {name: path for name, path in outputs.items() if not is_finished(path, provenance=job.provenance)}
        if wanted:
            predict_image(self.normalized, model=self.model, outputs=wanted, config=config, window=window, job=job)
        check_same(self.used.files)
        return outputs

    def finished(self, fusion: str, probability: Path) -> PredictedFiles:
        """All results made from a map."""
        if _nothing_evaluated(probability):
            log.warning("%s, %s: %s", self._file, fusion, NOTHING_EVALUATED)
        found = self._segmented(fusion, probability)
        return replace(found, look=self._look(found))

    def _named(self) -> DatasetRecord:
        return self.used.beside.named(self.record)

    def _job(self, settings: Mapping[str, Any], inputs: Mapping[str, Path]) -> Job:
        config = {"record": self._named().model_dump(mode="json"), "segmentation": settings}
        return job_of("segmentation", config=config, code=code_digest("pipeline.segmentation.segment"), inputs=inputs)

    def _thresholds(self, fusion: str) -> Path | None:
        """File of the thresholds of this prediction: given by hand, or fitted by the run."""
        path, given = self.place("segmentation", fusion, ".thresholds.json"), self.used.options.threshold
        if given is not None:
            fits = dict.fromkeys(self.record.codes, ThresholdFit.given(given, reason="Given by hand."))
            areas = self.used.beside.minimum_areas(fusion, self.used.cleaning)
            provenance = self._job({"threshold": given, **({"areas": areas} if areas else {})}, {}).provenance
            save_thresholds(fits, output=path, provenance=provenance, areas=areas)
            return path
        fitted = self.used.beside.thresholds(fusion)
        if fitted is None:
            return None
        with file_in_progress(path) as partial:
            shutil.copyfile(fitted, partial)
        return path

    def _segmented(self, fusion: str, probability: Path) -> PredictedFiles:
        thresholds = self._thresholds(fusion)
        if thresholds is None:
            log.warning("%s: no thresholds fit %s; give one to get masks and outlines", fusion, self.model.name)
            self._remove_masks(fusion)
            return PredictedFiles(fusion, probability)
        store, outlines = (self.place("segmentation", fusion, end) for end in (".zarr", ".geojson"))
        config = self.used.cleaning
        # The smoothing of this model is in `smoothing`; predictions made before there was the other key stay.
        settings = config.model_dump(mode="json", exclude={"smoothing_of"})
        job = self._job(settings, {"image": probability, "thresholds": thresholds})
        if not (outlines.is_file() and is_finished(store, provenance=job.provenance)):
            segment_image(
                probability,
                normalized=self.normalized,
                thresholds=thresholds,
                config=config,
                job=job,
                store=store,
                geojson=outlines,
            )
        remove_original_masks(store)  # From a former call, perhaps with other thresholds.
        masks = write_original_masks(store, kind=kind) if (kind := self.used.options.original_grid) else ()
        regions = regions_by_class(outlines, codes=self.record.codes)
        return PredictedFiles(fusion, probability, store, outlines, thresholds, regions, masks)

    def _remove_masks(self, fusion: str) -> None:
        """Removal of masks and outlines of a former call, whose thresholds this call does not have."""
        store = self.place("segmentation", fusion, ".zarr")
        if store.is_dir():
            log.warning("%s: masks and outlines of a former call with thresholds are taken away", self._file)
            remove_original_masks(store)
            shutil.rmtree(store)
        for end in (".geojson", ".thresholds.json"):
            self.place("segmentation", fusion, end).unlink(missing_ok=True)

    def _look(self, found: PredictedFiles) -> Path:
        """The picture, and beside it the content of its legend for the page; both written where missing."""
        picture, facts = (self.place("report", found.fusion, end) for end in (".png", ".json"))
        record = self._named()
        stores = {"probability": found.probability, "segmentation": found.segmentation}
        inputs = {name: path for name, path in stores.items() if path}
        config = {"record": record.model_dump(mode="json"), "fusion": found.fusion, "file": self._file}
        job = job_of("report", config=config, code=code_digest("pipeline.predict.quick_look"), inputs=inputs)
        if picture.is_file() and is_finished(facts, provenance=job.provenance):
            return picture
        seen = [
            ClassSeen(each.code, each.name, each.rgb, largest, found.regions.get(each.code))
            for each, largest in zip(record.classes, largest_probabilities(found.probability), strict=True)
        ]
        drawn = quick_look(
            self.entry,
            probability=found.probability,
            segmentation=found.segmentation,
            record=record,
            config=self.used.recipe.config,
            lines=self._lines(found),
            seen=seen,
        )
        write_look(drawn, picture)
        write_json({**self._facts(found, seen), "provenance": job.provenance.as_attributes()}, facts)
        return picture

    @property
    def _file(self) -> str:
        return self.entry.image.name if self.entry.image else self.entry.image_id

    def _lines(self, found: PredictedFiles) -> list[str]:
        lines = [self._file, f"{self.model.name}, fusion {found.fusion}"]
        lines += [NOTHING_EVALUATED] if _nothing_evaluated(found.probability) else []
        return lines if found.segmentation else [*lines, "No thresholds, hence no outlines: the likeliest lesion"]

    def _facts(self, found: PredictedFiles, seen: list[ClassSeen]) -> dict[str, Any]:
        rows = [
            {
                "code": each.code,
                "name": each.name,
                "colour": colour_code(each.rgb),
                "regions": each.regions,
                "largest_probability": each.largest,
            }
            for each in seen
        ]
        return {"file": self._file, "model": self.model.name, "fusion": found.fusion, "classes": rows}


def predict_new_image(
    image: Path | str, *, model: Path | str, out: Path | str, options: PredictOptions = DEFAULT
) -> tuple[PredictedFiles, ...]:
    """Maps, masks, outlines and a picture of an image, normalised like the model's images; outlines in pixels of the file.

    Existing results from the same file, model, parameters and code are kept; a killed call is continued.

    Parameters
    ----------
    image
        Any file that the readers support: JPEG, PNG, TIFF, a slide.
    model
        Folder ``model/{model}/`` of a model or of an ensemble. If the results of its run lie beside it, the run's
        parameters of inference and segmentation, thresholds, and names and colours of classes apply; otherwise the
        defaults.
    out
        Folder of the results; ``{out}/{image}/`` is made in it.
    options
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
        Parameters make no sense, or the file lacks a level or pixel size.
    """
    return ModelInUse.of(model, options).predict(Path(image), out=Path(out))
