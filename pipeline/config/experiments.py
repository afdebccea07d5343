"""Experiments: named comparisons of arms, expanded into ordinary models, fusions and variants of a data set.

An arm takes one level of each list that its comparison gives. What it needs is a model of the configuration like any other,
named by what differs from the one that it begins with, so two arms, or two comparisons, of the same settings share a model.
"""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Self, TypeAlias

from pydantic import Field, model_validator

from pipeline.config.model import LossTerm, ModelSettings, Network
from pipeline.config.shown import first_fusion
from pipeline.config.stages import StageConfig
from pipeline.config.validation import Tree, nearest, validate
from pipeline.config.values import Fusion, SafeName, Seed, Strict
from pipeline.errors import ConfigurationError

__all__ = ["PLAIN", "Arm", "Experiment", "Published", "arms_in", "check_steps", "entries_of", "with_arms"]

PLAIN = "plain"
"""Level of the recipes that is the data set as it stands."""
Axis: TypeAlias = Literal["network", "sampling", "loss", "settings", "recipe", "fusion"]
Choice: TypeAlias = Mapping[str, str]
"""Axis → level, for the lists that are given."""
OWN_LIST = {"network": "networks", "sampling": "samplings", "loss": "losses", "seed": "seeds", "fold": "model.folds"}
"""Key of a model → the list that varies it."""


class Published(Strict):
    """A row of a published table, to stand beside ours: only what its source says."""

    name: str = Field(description="Method.")
    source: str = Field(description="Where the figures are from.")
    measure: Literal["dice_pooled", "iou_pooled", "ap_pooled", "aupr11_pooled", "dice_image_mean", "iou_image_mean"] = (
        Field(description="Ours that is nearest to the published one, and is shown beside it.")
    )
    values: dict[str, float] = Field(min_length=1, description="Class code or name of an average → figure.")
    differs: str = Field("", description="What differs from our arms: data, weights, steps, measure.")


class Experiment(Strict):
    """One comparison: arms of one data set that differ in what is listed, with as many steps each."""

    dataset: str = Field(description="Data set of the run, `name` or `name@recipe`.")
    model: str | None = Field(None, description="Model whose settings the arms begin with; null for the first.")
    networks: tuple[Network, ...] = Field((), description="Architectures to compare.")
    samplings: tuple[SafeName, ...] = Field((), description="Names of samplings to compare.")
    losses: dict[SafeName, tuple[LossTerm, ...] | None] = Field(
        {}, description="Name → terms of the loss; null for those of the model."
    )
    settings: dict[SafeName, dict[str, Any]] = Field(
        {}, description="Name → keys of the model that it replaces; {} for the model as it stands."
    )
    recipes: tuple[SafeName, ...] = Field(
        (), description="Recipes to compare, each a variant of the data set; plain for the data set as it stands."
    )
    fusions: tuple[Fusion, ...] = Field((), description="Fusions to compare; all come from one pass of the network.")
    seeds: tuple[Seed, ...] = Field(
        (),
        description="Seeds that each arm is trained with; folds are asked for by model.folds. Empty: the model's own.",
    )
    base: dict[Axis, str] = Field(
        {}, description="Level of each list in the arm that others are held against; the first where nothing is said."
    )
    design: Literal["crossed", "one_at_a_time"] = Field(
        "crossed", description="All combinations of levels, or the base arm and each other level alone."
    )
    unequal_steps: bool = Field(False, description="Take arms that are not trained for the same number of steps.")
    published: tuple[Published, ...] = Field((), description="Published figures beside ours.")

    @property
    def levels(self) -> dict[str, tuple[str, ...]]:
        """Levels of each axis that is listed."""
        found: dict[str, tuple[str, ...]] = {
            "network": self.networks,
            "sampling": self.samplings,
            "loss": tuple(self.losses),
            "settings": tuple(self.settings),
            "recipe": self.recipes,
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


@dataclass(frozen=True, slots=True)
class Arm:
    """One arm of a comparison."""

    experiment: str
    name: str
    """Levels of what is compared, such as ``unet / guided / gaussian``."""
    levels: dict[str, str] = field(hash=False)
    """Axis → level, of what is compared; ``network``, ``sampling`` and ``fusion`` always."""
    models: tuple[str, ...]
    """Models, one a seed; with folds each is the ensemble of theirs."""
    fusion: Fusion
    length: str
    """Length of the training in words, the same for all arms."""
    base: bool


def entries_of(experiments: Mapping[str, Experiment], *, run: Sequence[str]) -> tuple[str, ...]:
    """Entries of ``datasets`` with the variants that comparisons of them need, each once."""
    active = [each for each in experiments.values() if each.dataset in run]
    return tuple(dict.fromkeys([*run, *(each.entry(choice) for each in active for choice in each.choices())]))


def _resolved(tree: Tree, *, plain: StageConfig, source: str) -> ModelSettings:
    """Settings of a model with the name of its sampling."""
    settings = validate(ModelSettings, tree, source=source, error=ConfigurationError)
    drawing = [name for name, each in plain.index.samplings.items() if each.strategy != "grid"]
    first = next(iter([*drawing, *plain.index.samplings]))
    return settings if settings.sampling else settings.model_copy(update={"sampling": first})


def _model_name(template: str, own: ModelSettings, arm: ModelSettings, choice: Choice) -> str:
    """Name of a model: that which it begins with, and what differs from it."""
    parts = [template]
    if arm.network != own.network and "network" in choice:
        parts = [arm.network] if template == own.network else [template, arm.network]
    rest = {"network", "sampling", "loss", "seed"}
    parts += [arm.sampling] if arm.sampling != own.sampling and "sampling" in choice else []
    parts += [choice["loss"]] if "loss" in choice and arm.loss != own.loss else []
    others = [{key: value for key, value in each if key not in rest & choice.keys() | {"seed"}} for each in (own, arm)]
    parts += [choice["settings"]] if "settings" in choice and others[0] != others[1] else []
    return "-".join([*parts, *([f"seed{arm.seed}"] if arm.seed != own.seed else [])])


def _length(settings: ModelSettings) -> str:
    """Length of a training in words: equal words, equal number of steps."""
    if settings.steps:
        text = f"{settings.steps} steps"
    else:
        taken = str(settings.patches_per_epoch or f"all patches of {settings.sampling}")
        text = f"{settings.epochs} epochs of {taken}, {settings.batch_size * settings.accumulate} patches a step"
    return f"at most {text}" if settings.patience else text


def _models_of(experiment: Experiment, choice: Choice, *, values: Tree) -> Iterator[dict[str, Any]]:
    """Plain values of the models of an arm, one a seed."""
    seeds = [{"seed": seed} for seed in experiment.seeds] or [{}]
    yield from ({**values, **experiment.changes(choice), **seed} for seed in seeds)


def _arm_name(experiment: Experiment, choice: Choice) -> str:
    return " / ".join(choice[axis] for axis, levels in experiment.levels.items() if len(levels) > 1)


def with_arms(
    tree: Tree, plain: StageConfig, experiments: Mapping[str, Experiment], *, entry: str
) -> tuple[dict[str, Any], tuple[Arm, ...]]:
    """Plain values of a data set with the models and fusions that its arms need, and these arms.

    Parameters
    ----------
    tree
        Stage blocks of the data set.
    plain
        The same, validated.
    experiments
        Comparisons of the run.
    entry
        The data set, ``name`` or ``name@recipe``.

    Raises
    ------
    ConfigurationError
        For a model that is not there, and where two models of one name would differ.
    """
    active = {name: each for name, each in experiments.items() if entry in map(each.entry, each.choices())}
    if not active:
        return dict(tree), ()
    models = {**tree.get("model", {}).get("models", {"unet": {}})}
    blocks = {**tree, "model": {**tree.get("model", {}), "models": models}}
    arms = [arm for name, each in active.items() for arm in _arms(name, each, blocks=blocks, plain=plain, entry=entry)]
    return _with_results(blocks, plain, arms), tuple(arms)


def _arms(
    name: str, experiment: Experiment, *, blocks: dict[str, Any], plain: StageConfig, entry: str
) -> Iterator[Arm]:
    """Arms of a comparison that run on a data set; their models are added to its blocks."""
    models, source = blocks["model"]["models"], f"configuration of {entry}: experiments.{name}"
    template = experiment.model or next(iter(models))
    if template not in plain.model.models and template not in plain.model.ensembles:
        expected, remedy = f"one of {', '.join(models)}", nearest(template, models)
        raise ConfigurationError(
            "Unknown model.", where=f"{source}.model", found=template, expected=expected, remedy=remedy
        )
    own, fusions = _resolved(models[template], plain=plain, source=source), plain.probability.fusions
    usual = first_fusion(fusions)
    for choice in (each for each in experiment.choices() if experiment.entry(each) == entry):
        fusion, names = choice.get("fusion", usual), []
        for values in _models_of(experiment, choice, values=models[template]):
            arm = _resolved(values, plain=plain, source=source)
            names.append(_model_name(template, own, arm, choice))
            there = models.setdefault(names[-1], values)
            _check_same(names[-1], _resolved(there, plain=plain, source=source), arm, source=source)
        levels = {"network": arm.network, "sampling": arm.sampling, **choice, "fusion": fusion}
        title, base = _arm_name(experiment, choice), choice == experiment.base_choice
        yield Arm(name, title, levels, tuple(names), fusion, _length(arm), base)  # type: ignore[arg-type]


def _check_same(name: str, there: ModelSettings, arm: ModelSettings, *, source: str) -> None:
    if there != arm:
        raise ConfigurationError(
            "An arm would have the name of another model.",
            where=source,
            found=f"{name}, a model with other settings",
            expected="one meaning for each name",
            remedy="Rename that model, or the loss or settings of the arm.",
        )


def _with_results(tree: Tree, plain: StageConfig, arms: Sequence[Arm]) -> dict[str, Any]:
    """Plain values in which each arm has maps."""
    fusions = dict.fromkeys([*plain.probability.fusions, *(arm.fusion for arm in arms)])
    predict = plain.model.predict and [*dict.fromkeys([*plain.model.predict, *(m for arm in arms for m in arm.models)])]
    probability = {**tree.get("probability", {}), "fusions": list(fusions)}
    return {**tree, "probability": probability, "model": {**tree["model"], "predict": predict}}


def arms_in(experiments: Mapping[str, Experiment], found: Sequence[Arm]) -> dict[str, tuple[Arm, ...]]:
    """Comparison → its arms, the base arm first; without comparisons of data sets that are not run."""
    arms = {name: tuple(arm for arm in found if arm.experiment == name) for name in experiments}
    ordered = {name: tuple(sorted(each, key=lambda arm: not arm.base)) for name, each in arms.items()}
    return {name: each for name, each in ordered.items() if each and each[0].base}


def check_steps(experiments: Mapping[str, Experiment], found: Sequence[Arm]) -> None:
    """Check that all arms of a comparison are trained for the same number of steps, where nothing else is said.

    Raises
    ------
    ConfigurationError
        With the lengths that were found.
    """
    for name, arms in arms_in(experiments, found).items():
        lengths = sorted({arm.length for arm in arms})
        if not experiments[name].unequal_steps and (len(lengths) > 1 or lengths[0].startswith("at most")):
            raise ConfigurationError(
                "Arms would not be trained for the same number of steps.",
                where=f"experiments.{name}",
                found="; ".join(lengths),
                expected="one length for all arms",
                remedy="Give the model `steps`, and no `patience`; or say `unequal_steps: true`.",
            )
