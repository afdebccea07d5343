"""Stores of probability maps, created with their pyramid and with notes on windows and truth."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from pipeline.config import ProbabilityConfig
from pipeline.geometry import grid_pixel_um
from pipeline.probability.fusion.weights import weight_sum
from pipeline.probability.plan import WindowPlan
from pipeline.probability.spec import PassSpec
from pipeline.stores import create_pyramid
from pipeline.stores.image_store import NormalizedStore, image_notes
from pipeline.stores.job import Job
from pipeline.stores.probability_store import SCALE

__all__ = ["create_map", "map_notes", "unseen_truth"]


def unseen_truth(
    source: NormalizedStore, plan: WindowPlan, *, evaluated: NDArray[np.bool_], overlapping: bool
) -> dict[str, Any]:
    """Counts of truth pixels outside the roi, by class, and how many of these no window reached; read block by block."""
    if source.truth is None:
        return {}
    outside, missed = np.zeros((2, len(source.classes)), dtype=np.int64)
    for block in plan.blocks:
        box = plan.core(block)
        truth, roi = source.truth.read(box) != 0, source.roi.read(box) != 0
        outside += np.count_nonzero(truth & ~roi, axis=(1, 2))
        if not evaluated.all():
            seen = weight_sum("mean" if overlapping else "none", plan, evaluated=evaluated, box=box) > 0
            missed += np.count_nonzero(truth & ~seen, axis=(1, 2))
    return {"truth_pixels_outside_roi": outside.tolist(), "truth_pixels_not_evaluated": missed.tolist()}


def map_notes(normalized: Path, work: PassSpec) -> dict[str, Any]:
    """Facts of an image and of the windows over it, which its maps carry."""
    image, plan, config = image_notes(normalized), work.plan, work.config
    return {
        "image_id": image["image_id"],
        "classes": list(work.record.codes),
        "mapping": dict(image["mapping"]),
        "window": plan.window,
        "stride": plan.stride,
        "fused": config.fuse,
        "views": config.views,
        "outside_roi": config.outside_roi,
        "scale": SCALE[config.stored],
        "windows": int(work.evaluated.size),
        "windows_evaluated": int(work.evaluated.sum()),
        "windows_skipped_share": float(1 - work.evaluated.mean()),
    }


def create_map(
    folder: Path,
    shapes: tuple[tuple[int, int], ...],
    notes: Mapping[str, Any],
    *,
    config: ProbabilityConfig,
    job: Job,
) -> zarr.Group:
    """Unfinished store of a map, created or continued.

    Parameters
    ----------
    folder
        Where it is written.
    shapes
        Rows and columns of the levels, from the full size down.
    notes
        Its notes on image and windows.
    config
        Type of the values, chunks, shards and codec.
    job
        Facts of the data set, among them the colours of its classes, and record of origin.
    """
    size = grid_pixel_um(notes["mapping"], given=job.record.pixel_size_um)
    return create_pyramid(
        folder,
        channels=job.record.codes,
        shapes=shapes,
        dtype=np.dtype(config.stored),
        storage=config.storage,
        provenance=job.provenance.as_attributes(),
        pixel_size_um=size,
        colours=[each.hexadecimal.removeprefix("#") for each in job.record.classes],
        extra={"lesionmap": dict(notes)},
    )
