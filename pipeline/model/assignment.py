"""Assignment of one training: its data, its settings, and warnings of what it lacks."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pipeline.config import ModelSettings
from pipeline.index.summary import patches_asked
from pipeline.model.recipe import Length, training_length
from pipeline.model.rows import Rows, truth_pixels
from pipeline.model.weighting import class_weights
from pipeline.raw.data_warnings import random_encoder
from pipeline.stores import table_metadata
from pipeline.stores.job import Job

__all__ = ["Assignment", "Inputs"]


@dataclass(frozen=True, slots=True)
class Inputs:
    """Inputs of a training."""

    index: Path
    """Patch index."""
    normalized: Mapping[str, Path]
    """Image id → normalised store, at least for the images of the index."""
    target: Path | None = None
    """``normalized/target.json``, copied into the card; None where no stains are normalised."""


@dataclass(frozen=True, slots=True)
class Assignment:
    """Everything that defines one training."""

    name: str
    settings: ModelSettings
    side: int
    rows: Rows
    inputs: Inputs
    job: Job

    @property
    def seed(self) -> int:
        """Seed of the run plus that of the model."""
        return self.job.seed + self.settings.seed

    @property
    def length(self) -> Length:
        """Epochs and steps."""
        return training_length(self.settings, rows=len(self.rows.training))

    @property
    def class_weights(self) -> dict[str, float]:
        """Weights of the outputs in the loss; empty for equal ones."""
        return class_weights(self.settings, rows=self.rows.training, record=self.job.record)

    @property
    def selects(self) -> bool:
        """Selection of an epoch: whether validation can rank the epochs."""
        record = self.job.record
        learned = record.lesion_codes if self.settings.select_by == "lesion_aupr" else record.codes
        return truth_pixels(self.rows.validation, codes=learned) > 0

    @property
    def warnings(self) -> tuple[str, ...]:
        """Sentences on what the model lacks: patches, validation, encoder weights."""
        drawn, asked = patches_asked(table_metadata(self.inputs.index))
        few = (f"{drawn} of {asked} training patches asked for were drawn",) if 2 * drawn < asked else ()
        random = self.settings.untrained_encoder
        return (*few, *self._selection_warnings, *((random_encoder(random),) if random else ()))

    @property
    def _selection_warnings(self) -> tuple[str, ...]:
        if self.rows.validation.empty:
            return ("there are no validation patches: the last epoch was taken, and nothing says how good it is",)
        if not self.selects:
            what = "lesion" if truth_pixels(self.rows.validation, codes=self.job.record.codes) else "truth"
            return (f"the validation patches hold no {what}: the last epoch was taken, and its scores mean nothing",)
        return ()
