"""What did the run decide that a model came from? Read from its finished stores, so that a new image is treated alike."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel

from pipeline.config import ProbabilityConfig, SegmentationConfig
from pipeline.errors import ConfigurationError
from pipeline.manifest import DatasetRecord
from pipeline.settings import validate
from pipeline.stores import open_group

__all__ = ["RunBeside"]

Settings = TypeVar("Settings", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class RunBeside:
    """The results that lie beside a folder ``model/{model}/``; there may be none."""

    model: Path
    """The folder of the model."""

    def probability(self, changes: Mapping[str, Any]) -> ProbabilityConfig:
        """Parameters of inference: those of the run, or the defaults; with changes.

        Which scheduler ran the blocks changed no value, and it may be gone.
        """
        return self._settings(ProbabilityConfig, "probability", changes, without=("dask",))

    def segmentation(self, changes: Mapping[str, Any]) -> SegmentationConfig:
        """Parameters of segmentation: those of the run, or the defaults; with changes."""
        return self._settings(SegmentationConfig, "segmentation", changes)

    @property
    def window(self) -> int | None:
        """Side of the window that the run slid over its images; None where it did not yet."""
        config = self._config("probability")
        return int(config["window"]) if "window" in config else None

    def thresholds(self, fusion: str) -> Path | None:
        """The thresholds that the run fitted, where it did."""
        path = self._folder("segmentation") / fusion / "thresholds.json"
        return path if path.is_file() else None

    def named(self, record: DatasetRecord) -> DatasetRecord:
        """The record with the names and colours that the run gave its classes.

        A card knows classes by their codes alone, because a new colour must not mean a new training.
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

    def _config(self, stage: str) -> dict[str, Any]:
        return next((dict(each["provenance"]["config"]) for each in self._stores(stage)), {})

    def _stores(self, stage: str) -> Iterator[dict[str, Any]]:
        for path in sorted(self._folder(stage).glob("*/*.zarr")):
            yield dict(open_group(path).attrs)

    def _folder(self, stage: str) -> Path:
        return self.model.parent.parent / stage / self.model.name
