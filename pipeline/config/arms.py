"""Arms of experiments: comparisons expanded into ordinary models, fusions and variants of a data set.

An arm needs an ordinary model of the configuration, named by its differences from the model that it starts from. So
arms of equal settings share a model, even across comparisons.
"""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn

from pipeline.config.experiments import Choice, Experiment
from pipeline.config.model import ModelSettings
from pipeline.config.segmentation import Smoothing
from pipeline.config.shown import first_fusion
from pipeline.config.stages import StageConfig
from pipeline.config.validation import Tree, nearest, validate
from pipeline.config.values import Fusion
from pipeline.errors import ConfigurationError

__all__ = ["Arm", "arms_in", "check_steps", "known_steps", "with_arms"]


@dataclass(frozen=True, slots=True)
class Arm:
    """One arm of a comparison."""

    experiment: str
    name: str
    """Levels of the compared axes, such as ``unet / guided / gaussian``."""
    levels: dict[str, str] = field(hash=False)
    """Axis → level, for compared axes and always for ``network``, ``sampling`` and ``fusion``."""
    models: tuple[str, ...]
    """Models, one per seed; with folds each is the ensemble over the folds."""
    fusion: Fusion
    length: str
    """Length of the training in words, the same for all arms."""
    base: bool
    patches: str = ""
    """Settings that the number of training patches follows from, where the steps depend on it; else empty."""


def _smoothed(name: str, experiment: Experiment, choice: Choice, *, blocks: dict[str, Any], source: str) -> str:
    """Name of a model whose maps have the smoothing of an arm: an ensemble of the model alone, which trains nothing."""
    level = choice.get("smoothing", "")
    smoothing = experiment.smoothings.get(level)
    if smoothing is None:
        return name
    own, values = f"{name}-{level}", smoothing.model_dump(mode="json")
    if own in blocks["model"]["models"]:
        _refuse_name(own, source=source)
    there = (
        blocks["model"]["ensembles"].setdefault(own, [name]),
        blocks["segmentation"]["smoothing_of"].setdefault(own, values),
    )
    if there[0] != [name] or Smoothing.model_validate(there[1]) != smoothing:
        _refuse_name(own, source=source)
    return own


def _resolved(tree: Tree, *, plain: StageConfig, source: str) -> ModelSettings:
    """Settings of a model with the name of its sampling filled in."""
    settings = validate(ModelSettings, tree, source=source, error=ConfigurationError)
    drawing = [name for name, each in plain.index.samplings.items() if each.strategy != "grid"]
    first = next(iter([*drawing, *plain.index.samplings]))
    return settings if settings.sampling else settings.model_copy(update={"sampling": first})


def _model_name(template: str, own: ModelSettings, arm: ModelSettings, choice: Choice) -> str:
    """Name of a model: that of the model it starts from, and the differences."""
    parts = [template]
    if arm.network != own.network and "network" in choice:
        parts = [arm.network] if template == own.network else [template, arm.network]
    rest = {"network", "sampling", "loss", "seed"}
    parts += [arm.sampling] if arm.sampling != own.sampling and "sampling" in choice else []
    parts += [choice["loss"]] if "loss" in choice and arm.loss != own.loss else []
    others = [{key: value for key, value in each if key not in rest & choice.keys() | {"seed"}} for each in (own, arm)]
    parts += [choice["settings"]] if "settings" in choice and others[0] != others[1] else []
    return "-".join([*parts, *([f"seed{arm.seed}"] if arm.seed != own.seed else [])])


def known_steps(settings: ModelSettings) -> int | None:
    """Steps of a training, those of `pipeline.model.recipe.training_length`; None where they depend on the index."""
    if settings.steps or not settings.patches_per_epoch:
        return settings.steps
    whole, rest = divmod(settings.patches_per_epoch, settings.batch_size)
    batches = max(1, whole + (rest >= max(2, settings.devices) or not whole))
    return settings.epochs * math.ceil(batches / settings.accumulate)


def _length(settings: ModelSettings) -> str:
    """Length of a training in words: its steps, or where these depend on the index, what they are made of."""
    text = f"{known_steps(settings)} steps"
    if known_steps(settings) is None:
        taken = settings.batch_size * settings.accumulate
        text = f"{settings.epochs} epochs of all patches of {settings.sampling}, {taken} patches a step"
    return f"at most {text}" if settings.patience else text


def _patches(settings: ModelSettings, plain: StageConfig) -> str:
    """Settings that the number of training patches follows from, as text; empty where the steps do not depend on it."""
    sampling = plain.index.samplings.get(settings.sampling)
    if sampling is None or known_steps(settings) is not None:
        return ""
    parts = (sampling, plain.normalized.rescale, plain.raw)
    batches = (settings.batch_size, settings.devices)
    return json.dumps([*(each.model_dump(mode="json") for each in parts), *batches])


def _models_of(experiment: Experiment, choice: Choice, *, values: Tree) -> Iterator[dict[str, Any]]:
    """Plain values of the models of an arm, one per seed."""
    seeds = [{"seed": seed} for seed in experiment.seeds] or [{}]
    yield from ({**values, **experiment.changes(choice), **seed} for seed in seeds)


def _arm_name(experiment: Experiment, choice: Choice) -> str:
    return " / ".join(choice[axis] for axis, levels in experiment.levels.items() if len(levels) > 1)


def with_arms(
    tree: Tree, plain: StageConfig, experiments: Mapping[str, Experiment], *, entry: str
) -> tuple[dict[str, Any], tuple[Arm, ...]]:
    """Plain values of a data set including the models and fusions that its arms need, and these arms.

    Parameters
    ----------
    tree
        Stage blocks of the data set.
    plain
        The same values, validated.
    experiments
        Comparisons that run: those of the data sets of the run.
    entry
        The data set, ``name`` or ``name@recipe``.

    Raises
    ------
    ConfigurationError
        A model is missing, or two models of one name would differ.
    """
    active = {name: each for name, each in experiments.items() if entry in map(each.entry, each.choices())}
    if not active:
        return dict(tree), ()
    models = {**tree.get("model", {}).get("models", {"unet": {}})}
    model, cutting = tree.get("model", {}), tree.get("segmentation", {})
    blocks = {
        **tree,
        "model": {**model, "models": models, "ensembles": {**model.get("ensembles", {})}},
        "segmentation": {**cutting, "smoothing_of": {**cutting.get("smoothing_of", {})}},
    }
    arms = [arm for name, each in active.items() for arm in _arms(name, each, blocks=blocks, plain=plain, entry=entry)]
    return _with_results(blocks, plain, arms), tuple(arms)


def _arms(
    name: str, experiment: Experiment, *, blocks: dict[str, Any], plain: StageConfig, entry: str
) -> Iterator[Arm]:
    """Arms of a comparison that run on a data set; their models are added to its blocks."""
    models, source = blocks["model"]["models"], f"configuration of {entry}: experiments.{name}"
    template = experiment.model or next(iter(models))
    if template not in models:  # An ensemble is no start: arms change the settings of one network.
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
            model = _model_name(template, own, arm, choice)
            same = model not in blocks["model"]["ensembles"]
            if not same or _resolved(models.setdefault(model, values), plain=plain, source=source) != arm:
                _refuse_name(model, source=source)
            names.append(_smoothed(model, experiment, choice, blocks=blocks, source=source))
        levels = {"network": arm.network, "sampling": arm.sampling, **choice, "fusion": fusion}
        title, base = _arm_name(experiment, choice), choice == experiment.base_choice
        length, patches = _length(arm), _patches(arm, plain)
        yield Arm(name, title, levels, tuple(names), fusion, length, base, patches)  # type: ignore[arg-type]


def _refuse_name(name: str, *, source: str) -> NoReturn:
    raise ConfigurationError(
        "An arm would have the name of another model.",
        where=source,
        found=f"{name}, a model with other settings",
        expected="one meaning for each name",
        remedy="Rename that model, or the loss, settings or smoothing of the arm.",
    )


def _with_results(tree: Tree, plain: StageConfig, arms: Sequence[Arm]) -> dict[str, Any]:
    """Plain values with maps for each arm."""
    fusions = dict.fromkeys([*plain.probability.fusions, *(arm.fusion for arm in arms)])
    predict = plain.model.predict and [*dict.fromkeys([*plain.model.predict, *(m for arm in arms for m in arm.models)])]
    probability = {**tree.get("probability", {}), "fusions": list(fusions)}
    return {**tree, "probability": probability, "model": {**tree["model"], "predict": predict}}


def arms_in(experiments: Mapping[str, Experiment], found: Sequence[Arm]) -> dict[str, tuple[Arm, ...]]:
    """Comparison → its arms, the base arm first; comparisons of data sets outside the run are left out."""
    arms = {name: tuple(arm for arm in found if arm.experiment == name) for name in experiments}
    ordered = {name: tuple(sorted(each, key=lambda arm: not arm.base)) for name, each in arms.items()}
    return {name: each for name, each in ordered.items() if each and each[0].base}


def _lengths(arms: Sequence[Arm]) -> list[str]:
    """Different lengths in words; where the words are the same and the indexes differ, each with an arm of that index."""
    words = sorted({arm.length for arm in arms})
    by_index = {arm.patches: f"{arm.length} for {arm.name}" for arm in reversed(arms)}
    return list(reversed(by_index.values())) if len(words) == 1 < len(by_index) else words


def check_steps(experiments: Mapping[str, Experiment], found: Sequence[Arm]) -> None:
    """Check that all arms of a comparison are trained for the same number of steps, unless others are allowed.

    Steps that depend on the index are not known yet: they count as the same where the epochs and all that the number of
    patches follows from are. The page of experiments shows those that were trained.

    Raises
    ------
    ConfigurationError
        Lengths differ; the text names them.
    """
    for name, arms in arms_in(experiments, found).items():
        lengths = _lengths(arms)
        if not experiments[name].unequal_steps and (len(lengths) > 1 or lengths[0].startswith("at most")):
            raise ConfigurationError(
                "Arms would not be trained for the same number of steps.",
                where=f"experiments.{name}",
                found="; ".join(lengths),
                expected="one length for all arms",
                remedy="Give the model `steps`, and no `patience`; or say `unequal_steps: true`.",
            )
