"""Parameters and thresholds of a model's run, read from its finished stores to process a new image in the same way."""

import logging
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel

from pipeline.config import ProbabilityConfig, SegmentationConfig
from pipeline.config.manifest import DatasetRecord
from pipeline.config.validation import validate
from pipeline.errors import ConfigurationError
from pipeline.model.card import read_card
from pipeline.model.ensemble import members_of
from pipeline.model.map_origin import maps_are_of
from pipeline.project import workflow_command
from pipeline.segmentation.minimum_areas import fitted_areas
from pipeline.stores import input_digest, open_group
from pipeline.stores.documents import read_json
from pipeline.stores.model_files import measures_file, thresholds_file

__all__ = ["RunBeside"]

Settings = TypeVar("Settings", bound=BaseModel)

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RunBeside:
    """The results beside a folder ``model/{model}/``, if any."""

    model: Path
    """The folder of the model."""
    fusions: tuple[str, ...] = ()
    """The requested fusions, whose stores are read first, because an earlier run may have left stores of others."""

    def probability(self, changes: Mapping[str, Any]) -> ProbabilityConfig:
        """Parameters of inference: those of the run, or the defaults; with changes.

        The run's scheduler is left out: it changed no value and may be gone.
        """
        return self._settings(ProbabilityConfig, "probability", changes, without=("dask",))

    def segmentation(self, changes: Mapping[str, Any]) -> SegmentationConfig:
        """Parameters of segmentation for this model: those of the run, or the defaults; with changes.

        Without masks of the run they are those that its thresholds were fitted with: smoothed maps have others.
        """
        fitted = {} if self._config("segmentation") else self._fitted_with()
        return self._settings(SegmentationConfig, "segmentation", {**fitted, **changes}).of_model(self.model.name)

    def _fitted_with(self) -> dict[str, Any]:
        """Parameters of segmentation that the thresholds of the first requested fusion with any were fitted with."""
        files = (path for fusion in self.fusions if (path := self.thresholds(fusion)) is not None)
        config: dict[str, Any] = next((read_json(path).get("provenance", {}).get("config", {}) for path in files), {})
        return dict(config.get("segmentation", {}))

    @property
    def window(self) -> int | None:
        """Side of the run's sliding window; None where there was no inference yet."""
        config = self._config("probability")
        return int(config["window"]) if "window" in config else None

    def thresholds(self, fusion: str) -> Path | None:
        """The thresholds that the run fitted, if any; not those of maps that have changed since.

        Without a run beside the model, those in its folder.
        """
        path = self._folder("segmentation") / fusion / "thresholds.json"
        if not path.is_file():
            own = thresholds_file(self.model, fusion=fusion)
            return own if own.is_file() else None
        fitted_on = read_json(path).get("provenance", {}).get("inputs", {})
        changed = [name for name, digest in fitted_on.items() if self._is_another(name, fusion, digest=digest)]
        if changed:
            log.warning(
                "%s: the thresholds of %s were fitted on other maps than those of %s; run: %s",
                self.model.name,
                fusion,
                changed[0],
                workflow_command("segmentation"),
            )
        return None if changed else path

    def minimum_areas(self, fusion: str, config: SegmentationConfig) -> dict[str, int]:
        """Minimum areas found in the truth of the run, where the configuration asks for them; they hold at any threshold."""
        fitted = self.thresholds(fusion) if config.minimum_areas == "percentile" else None
        return fitted_areas(fitted) if fitted else {}

    def say_without_areas(self, config: SegmentationConfig) -> None:
        """Warning of each requested fusion for which the configuration asks for areas of the truth, and there are none."""
        for fusion in self.fusions if config.minimum_areas == "percentile" else ():
            if not self.minimum_areas(fusion, config):
                said = "%s: minimum_areas is percentile, and no areas were found for %s: regions below %d pixels are removed"
                log.warning(said, self.model.name, fusion, config.minimum_area)

    def warnings(self, fusion: str) -> tuple[str, ...]:
        """Warnings for the reader: of the card, or of the members, and of the measures where they exist."""
        cards = tuple(said for each in members_of(self.model) for said in read_card(each).warnings)
        path = measures_file(self.model, fusion=fusion)
        return (*cards, *read_json(path)["warnings"]) if path.is_file() else cards

    def named(self, record: DatasetRecord) -> DatasetRecord:
        """The record with the run's names and colours of the classes.

        A card stores only the codes of classes, so that a new colour causes no new training.
        """
        for attributes in self._stores("segmentation"):
            labels = attributes["ome"]["image-label"]
            colours = {each["label-value"]: each["rgba"][:3] for each in labels["colors"]}
            known = {each["code"]: (each["name"], colours[each["label-value"]]) for each in labels["properties"]}
            shown = {
                code: {"name": name, "colour": "#{:02X}{:02X}{:02X}".format(*rgb)}
                for code, (name, rgb) in known.items()
            }
            if set(shown) == set(record.codes):
                classes = tuple(each.model_copy(update=shown[each.code]) for each in record.classes)
                return record.model_copy(update={"classes": classes})
        return record

    def _settings(
        self, kind: type[Settings], stage: str, changes: Mapping[str, Any], *, without: Collection[str] = ()
    ) -> Settings:
        found = {key: value for key, value in self._config(stage).get(stage, {}).items() if key not in without}
        return validate(kind, {**found, **changes}, source=f"{stage} of {self.model.name}", error=ConfigurationError)

    def _is_another(self, name: str, fusion: str, *, digest: str) -> bool:
        """Test for changed maps ``{model}/{image}``: whether they have another digest or are of another training."""
        model, _, image = name.partition("/")
        store = self.model.parent.parent / "probability" / model / fusion / f"{image}.zarr"
        if not store.is_dir():  # Cleared away: nothing says that they are out of date.
            return False
        return input_digest(store) != digest or not maps_are_of(
            dict(open_group(store).attrs), self.model.with_name(model)
        )

    def _config(self, stage: str) -> dict[str, Any]:
        return next((dict(each["provenance"]["config"]) for each in self._stores(stage)), {})

    def _stores(self, stage: str) -> Iterator[dict[str, Any]]:
        folder = self._folder(stage)
        others = sorted({path.name for path in folder.glob("*") if path.is_dir()} - set(self.fusions))
        for fusion in (*self.fusions, *others):
            for path in sorted((folder / fusion).glob("*.zarr")):
                attributes = dict(open_group(path).attrs)
                if stage != "probability" or maps_are_of(attributes, self.model):
                    yield attributes

    def _folder(self, stage: str) -> Path:
        return self.model.parent.parent / stage / self.model.name
