"""Models before a run: networks that cannot be built or take no patches of a side, missing devices, and images smaller than a window.

`pipeline.model.refusals` handles faults that show without a network, in the plan of the workflow too. This module
imports torch, but only if the configuration requires it.
"""

from collections.abc import Iterator, Mapping, Sequence

from pipeline.config.model import PACKAGED_ENCODERS, ModelSettings
from pipeline.config.run import DatasetRun
from pipeline.errors import ConfigurationError, PipelineError
from pipeline.raw.datasets.entry import ImageEntry
from pipeline.raw.datasets.headers import picture_of
from pipeline.runtime.job_memory import scaled_size

__all__ = ["check_networks", "check_windows", "missing_devices"]


def check_networks(run: DatasetRun) -> None:
    """Check that each network can be built on its encoder and takes its patches and windows; with packaged encoders all can.

    Raises
    ------
    ModelError
        As from the job that would train it.
    """
    models = {name: each for name, each in run.config.model.models.items() if each.encoder not in PACKAGED_ENCODERS}
    sides: dict[tuple[str, str, int], set[int]] = {}
    for name, each in models.items():
        sides.setdefault((each.network, each.encoder, each.downsample), set()).update(_sides(run, name))
    chosen = {(each.network, each.encoder, each.downsample): each for each in models.values()}
    if chosen:
        from pipeline.model.buildable import check_buildable

        for key, each in chosen.items():
            check_buildable(each, classes=len(run.record.codes), task=run.record.task, sides=sides[key])


def _sides(run: DatasetRun, model: str) -> set[int]:
    """Sides of the patches that a model learns from, and of the windows that it is asked for, alone or in an ensemble."""
    config = run.config
    asked = [name for name in config.model.predictors if model in config.model.members(name)]
    return {config.index.samplings[config.model.models[model].sampling].patch, *map(config.window, asked)}


def missing_devices(run: DatasetRun) -> Iterator[PipelineError]:
    """Errors of jobs whose device is missing on this machine; torch is imported only if a device or its precision is set.

    Yields
    ------
    PipelineError
        As the job would raise it on this machine.
    """
    models = {(each.device, each.precision, each.devices): each for each in run.config.model.models.values()}
    for each in models.values():
        if each.device == "cuda" or (each.device == "auto" and each.precision == "float16"):
            yield from _missing_device(each)
    if run.config.probability.device == "cuda" and run.config.model.predictors:
        from pipeline.probability.predictor import usable_devices

        try:
            usable_devices("cuda")
        except PipelineError as problem:
            yield problem


def _missing_device(settings: ModelSettings) -> Iterator[PipelineError]:
    from pipeline.model.session import choose_device

    try:
        choose_device(settings)
    except PipelineError as problem:
        yield problem


def check_windows(run: DatasetRun, entries: Sequence[ImageEntry], splits: Mapping[str, str]) -> None:
    """Check of the images to predict against the window, where smaller images are refused.

    Parameters
    ----------
    run
        The data set. With rescaling by diameter, level or pixel size the final size is unknown, and nothing is refused.
    entries
        Its images.
    splits
        Image id → split; empty where not known yet.

    Raises
    ------
    ConfigurationError
        Names the first image that is too small, and their number.
    """
    config, rescale = run.config.probability, run.config.normalized.rescale
    unknown = rescale.model_dump(exclude={"factor"}, exclude_none=True)
    if config.small_images != "refuse" or unknown or not run.config.model.predictors:
        return
    window = max(map(run.config.window, run.config.model.predictors))
    small = [
        (entry.image_id, scaled_size(rescale, picture))
        for entry in entries
        if splits.get(entry.image_id) in config.splits and (picture := picture_of(entry, record=run.record))
    ]
    small = [(name, size) for name, size in small if min(size) < window]
    if small:
        name, size = small[0]
        raise ConfigurationError(
            "The image is smaller than the window.",
            where=f"{run.entry}/{name}{f' and {len(small) - 1} more' if len(small) > 1 else ''}",
            found=f"{size} pixels",
            expected=f"at least {window} a side, because probability.small_images is refuse",
            remedy="Set small_images to reflect, or choose a smaller window.",
        )
