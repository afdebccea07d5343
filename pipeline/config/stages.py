"""Parameters of one data set for all stages, and the checks between stages."""

from typing import Self

from pydantic import Field, model_validator

from pipeline.config.index import IndexConfig
from pipeline.config.model import ModelConfig, ModelSettings, model_by_folds
from pipeline.config.normalized import NormalizedConfig
from pipeline.config.probability import ProbabilityConfig
from pipeline.config.raw import RawConfig
from pipeline.config.report import ReportConfig
from pipeline.config.segmentation import SegmentationConfig
from pipeline.config.shown import first_fusion, first_model
from pipeline.config.values import Seed, Strict

__all__ = ["StageConfig"]


class StageConfig(Strict):
    """All parameters of one data set."""

    seed: Seed = Field(0, description="Seed of the run.")
    raw: RawConfig = RawConfig()
    normalized: NormalizedConfig = NormalizedConfig()
    index: IndexConfig = IndexConfig()
    model: ModelConfig = ModelConfig()
    probability: ProbabilityConfig = ProbabilityConfig()
    segmentation: SegmentationConfig = SegmentationConfig()
    report: ReportConfig = ReportConfig()

    @model_validator(mode="after")
    def _first_sampling(self) -> Self:
        drawing = [name for name, each in self.index.samplings.items() if each.strategy != "grid"]
        first = next(iter([*drawing, *self.index.samplings]), "")
        models = {
            name: each if each.sampling else each.model_copy(update={"sampling": first})
            for name, each in self.model.models.items()
        }
        object.__setattr__(
            self, "model", self.model.model_copy(update={"models": models})
        )  # Once, before anyone uses it.
        return self

    @model_validator(mode="after")
    def _folds(self) -> Self:
        if not self.model.folds:
            return self
        if self.model.folds == 1 or self.raw.folds not in (0, self.model.folds):
            raise ValueError(
                f"model.folds {self.model.folds} needs at least 2, and raw.folds {self.model.folds} or 0, "
                f"not {self.raw.folds}"
            )
        object.__setattr__(self, "raw", self.raw.model_copy(update={"folds": self.model.folds}))
        object.__setattr__(self, "model", model_by_folds(self.model))
        return self

    @model_validator(mode="after")
    def _known_samplings(self) -> Self:
        for name, model in self.model.models.items():
            if model.sampling not in self.index.samplings:
                known = ", ".join(sorted(self.index.samplings))
                raise ValueError(f"model.models.{name}.sampling {model.sampling!r} is not in index.samplings ({known})")
            if model.fold >= max(self.raw.folds, 0) and model.fold != -1:
                raise ValueError(f"model.models.{name}.fold {model.fold} needs raw.folds > {model.fold}")
        return self

    @model_validator(mode="after")
    def _samplings_of_folds(self) -> Self:
        models, samplings = dict(self.model.models), dict(self.index.samplings)
        for name, model in models.items():
            base = samplings[model.sampling]
            if model.fold == -1 and base.strategy != "grid" and base.fold != -1:
                # Its patches come from images of the split validation too, on which thresholds are chosen and scores
                # measured.
                raise ValueError(
                    f"model.models.{name} has fold -1, and its sampling {model.sampling} was drawn for fold {base.fold}: "
                    f"give the model fold {base.fold}, or the sampling fold -1"
                )
            if model.fold == -1 or base.strategy == "grid" or base.fold == model.fold:
                continue
            drawn, of_fold = f"{model.sampling}.fold{model.fold}", base.model_copy(update={"fold": model.fold})
            if samplings.setdefault(drawn, of_fold) != of_fold:
                raise ValueError(
                    f"index.samplings.{drawn} has the name that {name} draws fold {model.fold} under: rename it"
                )
            models[name] = model.model_copy(update={"sampling": drawn})
        object.__setattr__(self, "model", self.model.model_copy(update={"models": models}))
        object.__setattr__(self, "index", self.index.model_copy(update={"samplings": samplings}))
        return self

    @model_validator(mode="after")
    def _one_window(self) -> Self:
        for name in self.model.ensembles:
            sides = {self.index.samplings[self.model.models[each].sampling].patch for each in self.model.members(name)}
            if self.probability.window is None and len(sides) > 1:
                found = ", ".join(map(str, sorted(sides)))
                raise ValueError(f"model.ensembles.{name} has members of patches {found}; give probability.window")
        return self

    @model_validator(mode="after")
    def _known_smoothed(self) -> Self:
        known = [*self.model.models, *self.model.ensembles]
        if unknown := [name for name in self.segmentation.smoothing_of if name not in known]:
            raise ValueError(
                f"segmentation.smoothing_of: {', '.join(unknown)} is neither a model nor an ensemble ({', '.join(sorted(known))})"
            )
        return self

    @model_validator(mode="after")
    def _windows_in_shards(self) -> Self:
        for name in self.model.predictors:
            if (side := self.window(name)) > (shard := self.probability.storage.shard):
                raise ValueError(
                    f"probability.storage.shard {shard} is smaller than the windows of {side} pixels of {name} "
                    "(probability.window, or the patch of its sampling)"
                )
        return self

    def window(self, name: str) -> int:
        """Side of the sliding window of a model or an ensemble."""
        first = self.model.models[self.model.members(name)[0]]
        return self.probability.window or self.index.samplings[first.sampling].patch

    @property
    def shown_result(self) -> tuple[str, str]:
        """Model and fusion shown first, by the rule of `pipeline.config.shown`; an empty name without models."""
        names = list(self.model.predictors)
        averages = [name for name in self.model.ensembles if len(self.model.members(name)) > 1]
        model = first_model(names, ensembles=averages) if names else ""
        return model, first_fusion(self.probability.fusions)

    @property
    def shown_models(self) -> list[ModelSettings]:
        """Settings of the model shown first, or of the members of an ensemble; none without models."""
        shown = self.shown_result[0]
        return [self.model.models[name] for name in self.model.members(shown)] if shown else []

    def samplings_when_done(self, word: str) -> list[str]:
        """Samplings whose indexes exist after a stage: all after ``index`` and the report, else those of models."""
        if word in ("raw", "normalized"):
            return []
        every = word in ("index", "report")
        return sorted(self.index.samplings if every else {each.sampling for each in self.model.models.values()})
