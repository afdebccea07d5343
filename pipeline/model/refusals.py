"""Refusals of models before anything is computed: faults that would stop their jobs and show without building a network.

`check`, the plan of the workflow and the jobs themselves all use it, so they agree. Nothing here imports torch.
`pipeline.model.network` checks whether a network can be built on an encoder, `pipeline.model.session` checks GPUs: the
planning machine need not be the training machine.
"""

from pathlib import Path
from typing import get_args

from pipeline.config import BUILT_IN_WEIGHTS, LossTerm, ModelSettings
from pipeline.config.manifest import Task
from pipeline.config.run import DatasetRun
from pipeline.errors import ModelError
from pipeline.model.card import check_encoder
from pipeline.runtime.tracking import check_tracking

__all__ = ["DIVISOR", "LOSS_TASKS", "check_batches", "check_loss", "check_side", "refuse_float16", "refuse_models"]

DIVISOR = 32
"""Encoders halve a patch five times."""
LOSS_TASKS: dict[str, tuple[Task, ...]] = {"cross_entropy": ("multiclass",), "bce": ("multilabel", "binary")}
"""Losses that suit only some tasks: for targets of one label map, or of one plane per class."""


def refuse_models(run: DatasetRun) -> None:
    """Refusal of models and windows that a job of this data set would stop at.

    Parameters
    ----------
    run
        The data set with its configuration.

    Raises
    ------
    ModelError
        Sides, batches, losses, encoder weights or a precision that cannot be trained.
    ConfigurationError
        The program that tracks models is not installed.
    """
    config, place = run.config, f"configuration of {run.entry}"
    for name, model in config.model.models.items():
        where = f"{place}: model.models.{name}"
        side = f"{place}: index.samplings.{model.sampling}.patch, which {name} learns from"
        check_side(config.index.samplings[model.sampling].patch, where=side, downsample=model.downsample)
        for term in model.loss:
            check_loss(term, task=run.record.task, weighted=bool(model.class_weights), where=f"{where}.loss")
        patches = model.batch_size if model.steps else model.patches_per_epoch or model.batch_size
        check_batches(model, name=name, patches=patches, validation=0)
        if model.encoder_weights not in BUILT_IN_WEIGHTS:
            check_encoder(Path(model.encoder_weights), encoder=model.encoder)
        if model.device == "cpu":
            refuse_float16(model, where=f"{where}.precision")
    for name in config.model.predictors:
        factor = max(config.model.models[each].downsample for each in config.model.members(name))
        check_side(config.window(name), where=f"{place}: probability.window, of {name}", downsample=factor)
    if config.model.models and config.model.mlflow:
        check_tracking()


def check_side(side: int, *, where: str, downsample: int = 1) -> None:
    """Check of the side of a patch or window: after downsampling the network must be able to halve it five times.

    Raises
    ------
    ModelError
        Names the divisor and the nearest sides that fit.
    """
    divisor = DIVISOR * downsample
    if side < divisor or side % divisor:
        below = side // divisor * divisor
        fitting = [str(near) for near in (below, below + divisor) if near]
        raise ModelError(
            "The side of a patch does not fit the network.",
            where=where,
            found=f"{side} pixels",
            expected=f"a multiple of {divisor}",
            remedy=f"Use {' or '.join(fitting)}; or, for patches alone, take the model away (null in its place).",
        )


def check_loss(term: LossTerm, *, task: Task, weighted: bool, where: str = "model.models.*.loss") -> None:
    """Check of a term of the loss.

    Parameters
    ----------
    term
        The term.
    task
        Meaning of the logits.
    weighted
        Whether classes have weights.
    where
        Place of the term, for the message.

    Raises
    ------
    ModelError
        The term does not suit the task or takes no class weights.
    """
    names: list[str] = list(get_args(LossTerm.model_fields["name"].annotation))
    fitting = [name for name in names if task in LOSS_TASKS.get(name, (task,))]
    unweighted = weighted and task == "multiclass" and term.name == "lovasz"
    if term.name in fitting and not unweighted:
        return
    raise ModelError(
        "A loss takes no class weights." if unweighted else "A loss does not fit the task.",
        where=where,
        found=f"{term.name} for task {task}",
        expected=", ".join(name for name in fitting if not (unweighted and name == "lovasz")),
        remedy=f"Use {'cross_entropy' if task == 'multiclass' else 'bce'} instead.",
    )


def check_batches(settings: ModelSettings, *, name: str, patches: int, validation: int) -> None:
    """Check of the smallest batch: it must suffice for the network and for each of several processes.

    Parameters
    ----------
    settings
        Network, batches, processes.
    name
        Of the model, for messages.
    patches
        Training patches of an epoch.
    validation
        Validation patches; there may be none.

    Raises
    ------
    ModelError
        A batch would be too small.
    """
    smallest = min(settings.batch_size, patches)
    if settings.network == "deeplabv3plus" and smallest < 2 * settings.devices:
        raise ModelError(
            "DeepLabV3+ cannot learn from single patches.",
            where=f"model.models.{name}.batch_size",
            found=f"batches of {smallest}",
            expected=f"at least {2 * settings.devices}: it normalises features that are one pixel a patch",
            remedy="Set batch_size and patches_per_epoch higher.",
        )
    if min(smallest, validation or smallest) < settings.devices:
        raise ModelError(
            "Several processes have too few patches to share.",
            where=f"model.models.{name}.devices",
            found=f"{settings.devices} processes; batches of {smallest}, {validation} validation patches",
            expected="a patch of each batch for each of them",
            remedy="Set devices lower, or batch_size and patches_per_epoch higher.",
        )


def refuse_float16(settings: ModelSettings, *, where: str = "model.models.*.precision") -> None:
    """Refusal of float16 for a model that trains on a CPU.

    Raises
    ------
    ModelError
        Names the precisions to use instead.
    """
    if settings.precision == "float16":
        raise ModelError(
            "A CPU cannot train in float16.",
            where=where,
            found="float16 on a CPU",
            expected="float32 or bfloat16",
            remedy="Set precision to auto, float32 or bfloat16, or use a GPU.",
        )
