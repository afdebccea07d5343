"""What does a model make of one normalised image? The door of the stage: Zarr in, one Zarr store per fusion out.

``none`` is a pass of its own, with windows side by side; all other fusions come from one pass over overlapping windows.
"""

import logging
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from pipeline import whole
from pipeline.config import ProbabilityConfig
from pipeline.geometry import Box
from pipeline.manifest import DatasetRecord
from pipeline.normalized.pyramid import store_levels
from pipeline.partial import folder_in_progress
from pipeline.probability.finish import Fused
from pipeline.probability.fuse import weight_sum
from pipeline.probability.overhang import Ledger
from pipeline.probability.plan import WindowPlan, stride_of
from pipeline.probability.predictor import load_predictor, torch_threads
from pipeline.probability.run import Predictor, Run, Write, run
from pipeline.probability.window import evaluated_windows
from pipeline.provenance import Provenance
from pipeline.shards import Shards
from pipeline.stores import as_array, create_pyramid, open_array, open_group, read_box

__all__ = ["Source", "fuse_image", "predict_image", "unseen_truth"]

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """A normalised image, opened."""

    image_id: str
    mapping: dict[str, float]
    """How its pixels map to those of the original."""
    image: zarr.Array[Any]
    roi: zarr.Array[Any]
    truth: zarr.Array[Any] | None
    """None where nobody annotated."""

    @classmethod
    def open(cls, path: Path) -> "Source":
        """Open ``normalized/{image}.zarr``."""
        group = open_group(path)
        notes: Any = group.attrs["lesionmap"]
        truth = open_array(path, "truth") if "truth" in group else None
        return cls(notes["image_id"], notes["mapping"], open_array(path, "0"), open_array(path, "roi"), truth)

    @property
    def size(self) -> tuple[int, int]:
        """Rows and columns."""
        return int(self.image.shape[-2]), int(self.image.shape[-1])


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
    for block in plan.blocks:
        box = plan.core(block)
        truth, roi = read_box(source.truth, box) != 0, read_box(source.roi, box) != 0
        outside += np.count_nonzero(truth & ~roi, axis=(1, 2))
        if not evaluated.all():
            seen = weight_sum("mean" if overlapping else "none", plan, evaluated=evaluated, box=box) > 0
            missed += np.count_nonzero(truth & ~seen, axis=(1, 2))
    return {"truth_pixels_outside_roi": outside.tolist(), "truth_pixels_not_evaluated": missed.tolist()}


def _writer(groups: Mapping[str, zarr.Group], *, levels: int) -> Write:
    arrays = {
        name: [Shards.of(as_array(group, str(level))) for level in range(levels)] for name, group in groups.items()
    }

    def write(fusion: str, fused: Fused, box: Box) -> None:
        for level, shards in enumerate(arrays[fusion]):
            half = fused.empty_half() if level + 1 < levels else None
            _write_level(shards, fused, y0=box.y0 >> level, x0=box.x0 >> level, half=half)
            if half is not None:
                fused = Fused(half, None)

    return write


def _write_level(shards: Shards, fused: Fused, *, y0: int, x0: int, half: NDArray[np.float32] | None) -> None:
    classes, height, width = fused.sums.shape
    codes = np.zeros((classes, *shards.chunk), shards.array.dtype)

    def make(part: Box) -> NDArray[Any]:
        if (part.height, part.width) != shards.chunk:  # the last chunk holds pixels beyond the border
            codes.fill(0)
        fused.store(part.shift(-y0, -x0), codes=codes, half=half)
        return codes

    shards.write(Box(y0, x0, y0 + height, x0 + width), make)


def fuse_image(
    source: Source,
    *,
    predictor: Predictor,
    outputs: Mapping[str, Path],
    plan: WindowPlan,
    config: ProbabilityConfig,
    record: DatasetRecord,
    provenance: Provenance,
) -> None:
    """One pass over the windows of an image, into one store per fusion.

    Parameters
    ----------
    source
        The normalised image.
    predictor
        Gives the probabilities of ``record.codes``.
    outputs
        Fusion → store.
    plan
        The windows, and blocks as large as the shards of the outputs.
    config
        Workers, storage, and whether windows without roi are skipped.
    record
        Facts of the data set.
    provenance
        Record of origin.

    Raises
    ------
    ModelError
        For a network that gives NaN, infinity, or another number of classes.
    """
    overlapping = "none" not in outputs
    skip = config.skip_outside_roi
    evaluated = evaluated_windows(lambda box: read_box(source.roi, box), plan) if skip else plan.all_evaluated()
    notes = {
        "image_id": source.image_id, "classes": list(record.codes), "mapping": dict(source.mapping),
        "window": plan.window, "stride": plan.stride, "windows": int(evaluated.size), "windows_evaluated": int(evaluated.sum()),
        "windows_skipped_share": float(1 - evaluated.mean()),
        **unseen_truth(source, plan, evaluated=evaluated, overlapping=overlapping),
    }  # fmt: skip
    with ExitStack() as stack:
        shapes = store_levels(plan.height, plan.width, shard=config.storage.shard)
        digest = f"{provenance.digest} {plan}"
        folders = {name: stack.enter_context(folder_in_progress(path, digest=digest)) for name, path in outputs.items()}
        ledgers = {name: _ledger(folder) for name, folder in folders.items()}
        groups = {
            name: _store(folder, shapes, {"fusion": name, **notes}, config=config, record=record, provenance=provenance)
            for name, folder in folders.items()
        }
        task = Run(source.image_id, plan, evaluated, len(record.codes), lambda box: read_box(source.image, box),
                   predictor, _writer(groups, levels=len(shapes)), ledgers)  # fmt: skip
        run(task, workers=config.workers)
    for ledger in ledgers.values():
        ledger.close()
    logger.info(
        "%s: %d windows evaluated, %.1f %% skipped", source.image_id, evaluated.sum(), 100 - 100 * evaluated.mean()
    )


def _ledger(folder: Path) -> Ledger:
    ledger = Ledger(folder.with_name(f"{folder.name}.work"))
    ledger.open(fresh=not (folder / "zarr.json").exists())
    return ledger


def _store(
    folder: Path,
    shapes: tuple[tuple[int, int], ...],
    notes: Mapping[str, Any],
    *,
    config: ProbabilityConfig,
    record: DatasetRecord,
    provenance: Provenance,
) -> zarr.Group:
    size = record.pixel_size_um / notes["mapping"]["factor_y"] if record.pixel_size_um else None
    return create_pyramid(
        folder, channels=record.codes, shapes=shapes, dtype=np.float16, storage=config.storage,
        provenance=provenance.as_attributes(), pixel_size_um=size, extra={"lesionmap": dict(notes)},
    )  # fmt: skip


def predict_image(
    normalized: Path,
    *,
    model: Path,
    outputs: Mapping[str, Path],
    config: ProbabilityConfig,
    window: int,
    record: DatasetRecord,
    provenance: Provenance,
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
    record
        Facts of the data set.
    provenance
        Record of origin.

    Raises
    ------
    ConfigurationError
        For a shard smaller than the window.
    ModelError
        For a model of other classes, or NaN or infinity from it.
    StoreError
        For an image that is not there or not complete.
    """
    whole.whole_image(normalized)
    source = Source.open(normalized)
    predictor = load_predictor(model, record=record, config=config)
    with torch_threads(config.threads):
        for overlapping in (False, True):
            wanted = {fusion: path for fusion, path in outputs.items() if (fusion != "none") == overlapping}
            if wanted:
                plan = _plan(source, window=window, config=config, overlapping=overlapping)
                fuse_image(
                    source, predictor=predictor, outputs=wanted, plan=plan, config=config, record=record,
                    provenance=provenance,
                )  # fmt: skip
