"""Parameters of experiments: named comparisons of arms; each arm takes one level of each given list."""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any, Literal, Self, TypeAlias

from pydantic import Field, model_validator

from pipeline.config.loss_term import LossTerm
from pipeline.config.model import Network
from pipeline.config.segmentation import Smoothing
from pipeline.config.validation import nearest
from pipeline.config.values import Fusion, SafeName, Seed, Strict
from pipeline.errors import ConfigurationError

__all__ = ["AVERAGES", "PLAIN", "Axis", "Choice", "Experiment", "Published", "active", "check_published", "entries_of"]

PLAIN = "plain"
"""Level of the recipes that means the data set without a recipe."""
Axis: TypeAlias = Literal["network", "sampling", "loss", "settings", "recipe", "smoothing", "fusion"]
Choice: TypeAlias = Mapping[str, str]
"""Axis → level, for the given lists."""
AVERAGES = ("mean over lesions", "mean over classes", "mean over classes with background")
"""Names of averages, those of ``pipeline.report.measures.averages``."""
OWN_LIST = {"network": "networks", "sampling": "samplings", "loss": "losses", "seed": "seeds", "fold": "model.folds"}
"""Key of a model → the list that varies it."""


class Published(Strict):
    """A row of a published table, shown beside ours, with only what its source states."""

    name: str = Field(description="Method.")
    source: str = Field(description="Source of the figures.")
    measure: Literal["dice_pooled", "iou_pooled", "ap_pooled", "aupr11_pooled", "dice_image_mean", "iou_image_mean"] = (
        Field(description="Our measure nearest to the published one, shown beside it.")
    )
    values: dict[str, float] = Field(min_length=1, description="Class code or name of an average → figure.")
    differs: str = Field("", description="Differences from our arms: data, weights, steps, measure.")


class Experiment(Strict):
    """One comparison: arms of one data set that differ in the listed axes, with equal numbers of steps."""

    dataset: str = Field(description="Data set of the run, `name` or `name@recipe`.")
    model: str | None = Field(None, description="Model whose settings the arms start from; null for the first.")
    networks: tuple[Network, ...] = Field((), description="Architectures to compare.")
    samplings: tuple[SafeName, ...] = Field((), description="Names of samplings to compare.")
    losses: dict[SafeName, tuple[LossTerm, ...] | None] = Field(
        {}, description="Name → terms of the loss; null for the model's own."
    )
    settings: dict[SafeName, dict[str, Any]] = Field(
        {}, description="Name → keys of the model that it replaces; {} for the model unchanged."
    )
    recipes: tuple[SafeName, ...] = Field(
        (), description="Recipes to compare, each a variant of the data set; plain for the data set without a recipe."
    )
    smoothings: dict[SafeName, Smoothing | None] = Field(
        {}, description="Name → smoothing of the maps of a model that is trained once; null for that of the data set."
    )
    fusions: tuple[Fusion, ...] = Field((), description="Fusions to compare; all come from one pass of the network.")
    seeds: tuple[Seed, ...] = Field(
        (),
        description="Seeds that each arm is trained with; empty for the model's own. Folds are set by model.folds.",
    )
    base: dict[Axis, str] = Field(
        {}, description="Level of each list in the base arm, with which others are compared; by default the first."
    )
    design: Literal["crossed", "one_at_a_time"] = Field(
        "crossed", description="All combinations of levels, or the base arm and each single change of a level."
    )
    unequal_steps: bool = Field(False, description="Allow arms that are trained for different numbers of steps.")
    published: tuple[Published, ...] = Field((), description="Published figures beside ours.")

    @property
    def levels(self) -> dict[str, tuple[str, ...]]:
        """Levels of each listed axis."""
        found: dict[str, tuple[str, ...]] = {
            "network": self.networks,
            "sampling": self.samplings,
            "loss": tuple(self.losses),
            "settings": tuple(self.settings),
            "recipe": self.recipes,
            "smoothing": tuple(self.smoothings),
            "fusion": self.fusions,
        }
        return {axis: levels for axis, levels in found.items() if levels}

    @property
    def base_choice(self) -> dict[str, str]:
        """Levels of the base arm."""
        return {axis: self.base.get(axis, levels[0]) for axis, levels in self.levels.items()}  # type: ignore[call-overload]

    def choices(self) -> list[dict[str, str]]:
        """Levels of each arm, the base arm first."""
        levels, base = self.levels, self.base_choice
        if self.design == "crossed":
            found = [dict(zip(levels, each, strict=True)) for each in itertools.product(*levels.values())]
        else:
            found = [{**base, axis: level} for axis, each in levels.items() for level in each]
        return [base, *(each for each in found if each != base)]

    @model_validator(mode="after")
    def _some_arms(self) -> Self:
        for name, levels in (*self.levels.items(), ("seed", self.seeds)):
            if len(set(levels)) < len(levels):
                raise ValueError(f"a {name} is listed twice: {', '.join(map(str, levels))}")
        for axis, level in self.base.items():
            if level not in self.levels.get(axis, ()):
                known = ", ".join(self.levels.get(axis, ())) or "nothing is listed"
                raise ValueError(f"base.{axis} {level!r} is not in what is compared ({known})")
        if len(self.choices()) < 2:
            raise ValueError("one arm compares nothing: list at least two networks, samplings, fusions, …")
        if self.recipes and "@" in self.dataset:
            raise ValueError(f"recipes cannot be added to {self.dataset}, which has one: name the data set alone")
        return self

    @model_validator(mode="after")
    def _own_keys(self) -> Self:
        for name, change in self.settings.items():
            for key in change.keys() & OWN_LIST.keys():
                if key in ("seed", "fold") or key in self.levels:
                    raise ValueError(f"settings.{name} cannot change {key}: that is what {OWN_LIST[key]} is for")
        return self

    def entry(self, choice: Choice) -> str:
        """Entry of ``datasets`` that an arm runs on."""
        recipe = choice.get("recipe", PLAIN)
        return self.dataset if recipe == PLAIN else f"{self.dataset}@{recipe}"

    def changes(self, choice: Choice) -> dict[str, Any]:
        """Keys of the model that an arm changes."""
        found: dict[str, Any] = {key: choice[key] for key in ("network", "sampling") if key in choice}
        terms = self.losses.get(choice.get("loss", ""))
        if terms is not None:
            found["loss"] = [each.model_dump(mode="json") for each in terms]
        return found | self.settings.get(choice.get("settings", ""), {})


def active(experiments: Mapping[str, Experiment], *, run: Sequence[str]) -> dict[str, Experiment]:
    """Comparisons that run: those whose data set is an entry of ``datasets``. A variant of it alone is not enough."""
    return {name: each for name, each in experiments.items() if each.dataset in run}


def entries_of(experiments: Mapping[str, Experiment], *, run: Sequence[str]) -> tuple[str, ...]:
    """Entries of ``datasets`` with the variants that comparisons of them need, each once."""
    found = active(experiments, run=run).values()
    return tuple(dict.fromkeys([*run, *(each.entry(choice) for each in found for choice in each.choices())]))


def check_published(experiments: Mapping[str, Experiment], codes: Mapping[str, Sequence[str]]) -> None:
    """Check that published figures are of classes of the data set, or of averages that are measured.

    Parameters
    ----------
    experiments
        Comparisons, by name.
    codes
        Data set without recipe → its class codes; comparisons of others are left out.

    Raises
    ------
    ConfigurationError
        Names the first value of another class or average.
    """
    for name, each in experiments.items():
        own = codes.get(each.dataset.partition("@")[0])
        known = () if own is None else (*own, *AVERAGES)
        for place, row in enumerate(each.published):
            for unknown in [key for key in row.values if known and key not in known]:
                raise ConfigurationError(
                    "Unknown class or average.",
                    where=f"experiments.{name}.published.{place}.values",
                    found=unknown,
                    expected=f"one of {', '.join(known)}",
                    remedy=nearest(unknown, known),
                )
