"""What does a model make of one normalised image? The door of the stage: Zarr in, one Zarr store per fusion out.

``none`` is a pass of its own, with windows side by side; all other fusions come from one pass over overlapping windows.
"""

import logging
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from pipeline.config import ProbabilityConfig
from pipeline.config.manifest import DatasetRecord
from pipeline.errors import ConfigurationError
from pipeline.geometry import grid_pixel_um
from pipeline.normalized.pyramid import store_levels
from pipeline.probability.cluster import run_on_cluster
from pipeline.probability.fusion.fuse import weight_sum
from pipeline.probability.one_pass import Pass, Source
from pipeline.probability.plan import WindowPlan, stride_of
from pipeline.probability.predictor import load_predictors, torch_threads
from pipeline.probability.progress import WindowProgress
from pipeline.probability.run import Predictor, run, windows_done
from pipeline.probability.window import evaluated_windows
from pipeline.stores import create_pyramid
from pipeline.stores import image_store as whole
from pipeline.stores.atomic import folder_in_progress
from pipeline.stores.disk import room_on_disk
from pipeline.stores.job import Job
from pipeline.stores.probability_store import SCALE
from pipeline.stores.shards import reader_of

__all__ = ["LIBRARIES", "fuse_image", "predict_image", "unseen_truth"]

logger = logging.getLogger(__name__)

LIBRARIES = ("numpy", "torch", "segmentation-models-pytorch", "dask", "zarr", "numba")
"""Distributions whose versions a map records."""


def _plan(source: Source, *, window: int, config: ProbabilityConfig, overlapping: bool) -> WindowPlan:
    stride = stride_of(window, overlap=config.overlap) if overlapping else window
    height, width = source.size
    return WindowPlan(height, width, window, stride, config.storage.shard, config.batch_size)


def unseen_truth(
    source: Source, plan: WindowPlan, *, evaluated: NDArray[np.bool_], overlapping: bool
) -> dict[str, Any]:
    """Truth pixels of each class outside the roi, and those of them that no window reached; read block by block."""
    if source.truth is None:
        return {}
    outside, missed = np.zeros((2, source.truth.shape[0]), dtype=np.int64)
    read_truth, read_roi = reader_of(source.truth), reader_of(source.roi)
    for block in plan.blocks:
        box = plan.core(block)
        truth, roi = read_truth(box) != 0, read_roi(box) != 0
        outside += np.count_nonzero(truth & ~roi, axis=(1, 2))
        if not evaluated.all():
            seen = weight_sum("mean" if overlapping else "none", plan, evaluated=evaluated, box=box) > 0
            missed += np.count_nonzero(truth & ~seen, axis=(1, 2))
    return {"truth_pixels_outside_roi": outside.tolist(), "truth_pixels_not_evaluated": missed.tolist()}


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
    """One pass over the windows of an image, into one store per fusion.

    Parameters
    ----------
    normalized
        Store of the image.
    model
        Folder of the model, which the workers of a scheduler open themselves.
    predictors
        Give the maps of ``record.codes``, one for each device; not used where a scheduler runs the blocks.
    outputs
        Fusion → store.
    plan
        The windows, and blocks as large as the shards of the outputs.
    config
        Workers, storage, what is fused and stored, and whether windows without roi are skipped.
    job
        Facts of the data set, record of origin.

    Raises
    ------
    ModelError
        For a network that gives NaN, infinity, or another number of classes.
    StoreError
        Where the disk is full.
    """
    record, source = job.record, Source.open(normalized)
    skip = config.skip_outside_roi
    evaluated = evaluated_windows(reader_of(source.roi), plan) if skip else plan.all_evaluated()
    notes = _notes(source, plan, evaluated=evaluated, overlapping="none" not in outputs, config=config, record=record)
    shapes = store_levels(plan.height, plan.width, shard=config.storage.shard)
    digest = f"{job.provenance.digest} {plan}"
    with ExitStack() as stack:
        stack.enter_context(room_on_disk(next(iter(outputs.values()))))
        folders = {name: stack.enter_context(folder_in_progress(path, digest=digest)) for name, path in outputs.items()}
        work = Pass(normalized, model, folders, len(shapes), plan, evaluated, config, record, digest)
        for name, ledger in work.ledgers().items():
            ledger.open(fresh=not (folders[name] / "zarr.json").exists())
        for name, folder in folders.items():
            _store(folder, shapes, {"fusion": name, **notes}, config=config, job=job)
        _fuse(work, predictors, name=source.image_id)
    for ledger in work.ledgers().values():
        ledger.close()


def _fuse(work: Pass, predictors: tuple[Predictor, ...], *, name: str) -> None:
    evaluated, before = int(work.evaluated.sum()), windows_done(work.open(()))
    pixels = work.plan.stride**2
    with WindowProgress(name, total=evaluated, before=before, pixels=pixels) as progress:
        if work.config.dask.scheduler != "threads":
            run_on_cluster(work, progress=progress)
        else:
            run(work.open(predictors, count=progress.add), workers=work.config.workers)
    skipped = 100 - 100 * work.evaluated.mean()
    logger.info("%s: %s, %.1f %% of all windows skipped", name, progress.line(), skipped)


def _notes(
    source: Source,
    plan: WindowPlan,
    *,
    evaluated: NDArray[np.bool_],
    overlapping: bool,
    config: ProbabilityConfig,
    record: DatasetRecord,
) -> dict[str, Any]:
    return {
        "image_id": source.image_id,
        "classes": list(record.codes),
        "mapping": dict(source.mapping),
        "window": plan.window,
        "stride": plan.stride,
        "fused": config.fuse,
        "views": config.views,
        "scale": SCALE[config.stored],
        "windows": int(evaluated.size),
        "windows_evaluated": int(evaluated.sum()),
        "windows_skipped_share": float(1 - evaluated.mean()),
        **unseen_truth(source, plan, evaluated=evaluated, overlapping=overlapping),
    }


def _store(
    folder: Path,
    shapes: tuple[tuple[int, int], ...],
    notes: Mapping[str, Any],
    *,
    config: ProbabilityConfig,
    job: Job,
) -> zarr.Group:
    size = grid_pixel_um(notes["mapping"], given=job.record.pixel_size_um)
    return create_pyramid(
        folder,
        channels=job.record.codes,
        shapes=shapes,
        dtype=np.dtype(config.stored),
        storage=config.storage,
        provenance=job.provenance.as_attributes(),
        pixel_size_um=size,
        extra={"lesionmap": dict(notes)},
    )


def predict_image(
    normalized: Path,
    *,
    model: Path,
    outputs: Mapping[str, Path],
    config: ProbabilityConfig,
    window: int,
    job: Job,
) -> None:
    """Write ``probability/{model}/{fusion}/{image}.zarr`` for each fusion asked for.

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
        For a shard smaller than the window, an image smaller than it where that is refused, and a scheduler that is
        not there.
    ModelError
        For a model of other classes, or NaN or infinity from it.
    StoreError
        For an image that is not there or not complete, and where the disk is full.
    """
    whole.whole_image(normalized)
    source = Source.open(normalized)
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


def _large_enough(source: Source, *, window: int, config: ProbabilityConfig) -> None:
    if config.small_images == "refuse" and min(source.size) < window:
        raise ConfigurationError(
            "The image is smaller than the window.",
            where=source.image_id,
            found=f"{source.size} pixels",
            expected=f"at least {window} a side, because probability.small_images is refuse",
            remedy="Set small_images to reflect, or choose a smaller window.",
        )
