"""Stage probability for one normalised image: Zarr in, one Zarr store per fusion out.

Fusion ``none`` has its own pass, with windows side by side; all other fusions come from one pass over overlapping
windows.
"""

import logging
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

from pipeline.config import ProbabilityConfig
from pipeline.errors import ConfigurationError
from pipeline.normalized.pyramid import store_levels
from pipeline.probability.cluster import run_on_cluster
from pipeline.probability.map_store import create_map, map_notes, unseen_truth
from pipeline.probability.plan import WindowPlan, stride_of
from pipeline.probability.predictor import load_predictors, torch_threads, with_precision_of_this_machine
from pipeline.probability.sliding_window import Predictor
from pipeline.probability.spec import PassSpec
from pipeline.probability.task_graph import run_on_threads, windows_done
from pipeline.probability.window import evaluated_windows
from pipeline.runtime.progress import WindowProgress
from pipeline.stores.atomic import folder_in_progress
from pipeline.stores.disk import room_on_disk
from pipeline.stores.image_store import NormalizedStore, open_normalized
from pipeline.stores.job import Job

__all__ = ["LIBRARIES", "fuse_image", "predict_image"]

logger = logging.getLogger(__name__)

LIBRARIES = ("numpy", "torch", "segmentation-models-pytorch", "dask", "zarr", "numba")
"""Distributions whose versions a map records."""


def _plan(source: NormalizedStore, *, window: int, config: ProbabilityConfig, overlapping: bool) -> WindowPlan:
    stride = stride_of(window, overlap=config.overlap) if overlapping else window
    return WindowPlan(*source.image.shape, window, stride, config.storage.shard, config.batch_size)


def fuse_image(
    normalized: Path,
    *,
    model: Path,
    predictors: tuple[Predictor, ...],
    outputs: Mapping[str, Path],
    plan: WindowPlan,
    config: ProbabilityConfig,
    job: Job,
) -> None:
    """Maps of one image from one pass over its windows, into one store per fusion.

    Parameters
    ----------
    normalized
        Store of the image.
    model
        Folder of the model, which the workers of a scheduler open themselves.
    predictors
        One for each device, giving the maps of ``record.codes``; unused where a scheduler runs the blocks.
    outputs
        Fusion → store.
    plan
        The windows, and blocks as large as the shards of the outputs.
    config
        Workers, storage, fusion, stored type, and whether windows without roi are skipped.
    job
        Facts of the data set, record of origin.

    Raises
    ------
    ModelError
        The network gives NaN, infinity or another number of classes.
    StoreError
        Where the disk is full.
    """
    source = open_normalized(normalized)
    skip = config.skip_outside_roi
    evaluated = evaluated_windows(source.roi, plan) if skip else plan.all_evaluated()
    truth = unseen_truth(source, plan, evaluated=evaluated, overlapping="none" not in outputs)
    shapes = store_levels(plan.height, plan.width, shard=config.storage.shard)
    digest = f"{job.provenance.digest} {plan}"
    with ExitStack() as stack:
        stack.enter_context(room_on_disk(next(iter(outputs.values()))))
        folders = {name: stack.enter_context(folder_in_progress(path, digest=digest)) for name, path in outputs.items()}
        work = PassSpec(normalized, model, folders, len(shapes), plan, evaluated, config, job.record, digest)
        for name, journal in work.journals().items():
            journal.open(folders[name], fresh=not (folders[name] / "zarr.json").exists())
        for name, folder in folders.items():
            notes = {"fusion": name, **map_notes(normalized, work), **truth}
            create_map(folder, shapes, notes, config=config, job=job)
        _fuse(work, predictors, name=source.image_id)
    for journal in work.journals().values():
        journal.close()


def _fuse(work: PassSpec, predictors: tuple[Predictor, ...], *, name: str) -> None:
    evaluated, before = int(work.evaluated.sum()), windows_done(work.open(()))
    pixels = work.plan.stride**2
    with WindowProgress(name, total=evaluated, before=before, pixels=pixels) as progress:
        if work.config.dask.scheduler != "threads":
            run_on_cluster(work, progress=progress)
        else:
            run_on_threads(work.open(predictors, count=progress.add), workers=work.config.workers)
    skipped = 100 - 100 * work.evaluated.mean()
    logger.info("%s: %s, %.1f %% of all windows skipped", name, progress.line(), skipped)


def predict_image(
    normalized: Path,
    *,
    model: Path,
    outputs: Mapping[str, Path],
    config: ProbabilityConfig,
    window: int,
    job: Job,
) -> None:
    """Probability maps of one image: ``probability/{model}/{fusion}/{image}.zarr`` for each fusion asked for.

    Parameters
    ----------
    normalized
        Store of the image.
    model
        Folder of the model.
    outputs
        Fusion → store.
    config
        Overlap, batches, precision, workers, storage.
    window
        Side of the window in pixels.
    job
        Facts of the data set, record of origin.

    Raises
    ------
    ConfigurationError
        A shard is smaller than the window, an image is smaller than it and that is refused, or the scheduler is
        missing.
    ModelError
        The model has other classes, or gives NaN or infinity.
    StoreError
        The image is missing or incomplete, or the disk is full.
    """
    config = with_precision_of_this_machine(config)
    source = open_normalized(normalized)
    _large_enough(source, window=window, config=config)
    far = config.dask.scheduler != "threads"
    predictors = () if far else load_predictors(model, record=job.record, config=config)
    with torch_threads(config.threads):
        for overlapping in (False, True):
            wanted = {fusion: path for fusion, path in outputs.items() if (fusion != "none") == overlapping}
            if wanted:
                plan = _plan(source, window=window, config=config, overlapping=overlapping)
                fuse_image(
                    normalized.resolve(),
                    model=model.resolve(),
                    predictors=predictors,
                    outputs={fusion: path.resolve() for fusion, path in wanted.items()},
                    plan=plan,
                    config=config,
                    job=job,
                )


def _large_enough(source: NormalizedStore, *, window: int, config: ProbabilityConfig) -> None:
    if config.small_images == "refuse" and min(source.image.shape) < window:
        raise ConfigurationError(
            "The image is smaller than the window.",
            where=source.image_id,
            found=f"{source.image.shape} pixels",
            expected=f"at least {window} a side, because probability.small_images is refuse",
            remedy="Set small_images to reflect, or choose a smaller window.",
        )
