"""Facts of a data set and its results, shared by the sections of its page."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline import stores
from pipeline.config import ReportConfig, StageConfig
from pipeline.config.manifest import DatasetRecord
from pipeline.raw.data_warnings import DataWarning
from pipeline.report.measures.mismatches import Mismatch, mismatches
from pipeline.report.measures.summary import NORMALISED, average_of, grids_of
from pipeline.report.mixed_results import mixed_warnings
from pipeline.report.old_results import Named, old_warnings
from pipeline.report.page.choice import MEASURED_SPLITS, Choice, choose, summaries_of, validated_alike
from pipeline.report.page.stains import Stained, Stains, read_stains, stained_images
from pipeline.report.paths import Inputs, Result
from pipeline.report.run_warnings import NoModel, no_models, read_run_warnings
from pipeline.stores.job import Job
from pipeline.stores.provenance import Provenance

__all__ = ["Facts", "facts_of"]


@dataclass(frozen=True, slots=True)
class Facts:
    """Facts that a section may show."""

    dataset: str
    """``name`` or ``name@recipe``."""
    record: DatasetRecord
    provenance: Provenance
    stage_config: Mapping[str, Any]
    """Resolved configuration of all stages."""
    config: ReportConfig
    """Its block ``report``."""
    inputs: Inputs
    results: Sequence[Result]
    """Every model and fusion."""
    table: pd.DataFrame
    """One row per image."""
    summaries: Mapping[str, pd.DataFrame]
    """Name of a result → its table of classes and averages."""
    alike: bool
    """Whether all results were validated on the same images."""
    choice: Choice | None
    """The result shown in full."""
    warnings: Sequence[DataWarning]
    """Warnings about data and results, serious ones first."""
    mismatched: Sequence[Mismatch]
    """Images whose truth and maps disagree, judged by all results."""
    no_models: Sequence[NoModel]
    """Classes for which models are no better than a trivial answer."""
    stained: Sequence[Stained]
    """Stain estimates, by centre and then by id; empty where no stains are normalised."""
    target: Stains | None
    """The stain target."""
    folder: Path
    """Where pictures are written."""
    page: Path
    """Folder of the page; links are relative to it."""
    timed: bool
    """Whether times of the jobs lie beside the page."""

    @property
    def split(self) -> str:
        """Split whose numbers come first: test if there is one; empty if nothing was measured."""
        found = self.summaries[self.choice.result.name] if self.choice else pd.DataFrame({"split": []})
        return next((split for split in MEASURED_SPLITS if (found["split"] == split).any()), "")

    @property
    def grid(self) -> str:
        """Grid whose numbers come first: the original's where images were rescaled."""
        return grids_of(self.summaries[self.choice.result.name])[0] if self.choice and self.split else NORMALISED

    def average(self, average: str, measure: str, *, grid: str = NORMALISED) -> float:
        """Average of the shown result on that split and a grid, by its name."""
        if self.choice is None:
            return math.nan
        summary = self.summaries[self.choice.result.name]
        return average_of(summary, split=self.split, average=average, measure=measure, grid=grid)


def facts_of(
    inputs: Inputs,
    *,
    dataset: str,
    stage_config: Mapping[str, Any],
    results: Sequence[Result],
    job: Job,
    folder: Path,
    page: Path,
    timed: bool,
) -> Facts:
    """Facts of a data set, read from its tables; parameters as in ``page.write_report``."""
    table, stages = stores.read_table(inputs.images), StageConfig.model_validate(stage_config)
    summaries, alike = summaries_of(results), validated_alike(results)
    measured = [stores.read_table(each.metrics_images) for each in results]
    return Facts(
        dataset=dataset,
        record=job.record,
        provenance=job.provenance,
        stage_config=stage_config,
        config=ReportConfig.model_validate(stage_config["report"]),
        inputs=inputs,
        results=results,
        table=table,
        summaries=summaries,
        alike=alike,
        choice=choose(results, summaries, shown=stages.shown_result, record=job.record, alike=alike),
        warnings=[
            *read_run_warnings(
                inputs.sheets,
                images=inputs.images,
                normalized=inputs.normalized,
                indexes=inputs.indexes,
                measured=[each.metrics_images for each in results],
                encoders=stages.model.untrained_encoders,
            ),
            *mixed_warnings(inputs.normalized, results),
            *old_warnings(inputs.images.parents[1], Named.by(stages)),
        ],
        mismatched=mismatches(pd.concat(measured)) if measured else [],
        no_models=no_models(pd.concat(measured)) if measured else [],
        stained=stained_images(inputs.stains, table, normalized=inputs.normalized),
        target=read_stains(inputs.target) if inputs.target else None,
        folder=folder,
        page=page,
        timed=timed,
    )
