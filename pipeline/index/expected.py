"""Expected patches of each sampling before a run, drawn by the sampling from the truth of all or a few training images.

Truth and region of interest are brought to the grid of stage normalized, into stores of a temporary folder whose pixels
are blank, and `write_index` draws from these. From a few images it draws their proportional share of the total.
"""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.arrays.raster import Raster
from pipeline.config import BalancedSampling, GridSampling, GuidedSampling, depends
from pipeline.config.run import DatasetRun
from pipeline.errors import ImageRejected, SamplingError, StoreError
from pipeline.geometry import Box
from pipeline.index.candidates import write_candidates
from pipeline.index.summary import patches_asked
from pipeline.index.table import Inputs, write_index
from pipeline.normalized.fundus.image import fundus_region
from pipeline.normalized.image import Content, write_image
from pipeline.normalized.opened import Opened, open_view
from pipeline.normalized.region import Region
from pipeline.normalized.stain.image import tissue_of
from pipeline.normalized.stain.tissue import fill_holes, foreign_mask
from pipeline.raw.datasets.entry import ImageEntry
from pipeline.stores import table_metadata, write_table
from pipeline.stores.job import Job
from pipeline.stores.provenance import Provenance

__all__ = ["ExpectedPatches", "drawn_patches", "expected_patches"]

_Drawn = GuidedSampling | BalancedSampling
MOST = 100_000
"""Most patches asked for from the images at hand: where so many can be drawn, the total counts as reached."""


@dataclass(frozen=True, slots=True)
class ExpectedPatches:
    """Training patches that a sampling will draw, and the number it asks for."""

    drawn: int
    asked: int
    images: int
    """Training images whose truth was drawn from."""
    of: int
    """All training images."""
    notes: tuple[str, ...] = ()
    """Notes of the sampling."""
    done: bool = False
    """Whether they are drawn already: an index of exactly this sampling exists."""
    unseen: tuple[str, ...] = ()
    """Classes without a pixel in the truth that was drawn from."""
    about: bool = False
    """Whether a run may draw another number, because it also depends on pixels, a list of boxes or other images."""

    @property
    def few(self) -> bool:
        """Shortage: whether fewer than half of the requested patches are drawn."""
        return 2 * self.drawn < self.asked


def drawn_patches(index: Path, run: DatasetRun, sampling: str) -> ExpectedPatches | None:
    """Patches of an existing index; None where there is none or it was drawn otherwise.

    Parameters
    ----------
    index
        ``results/{dataset}/index/{sampling}.parquet``.
    run
        The data set with its configuration.
    sampling
        Name of the sampling.
    """
    try:
        notes = table_metadata(index) if index.is_file() else {}
    except StoreError:
        return None  # The run makes it anew.
    if notes.get("provenance", {}).get("config") != depends.index_sampling(run, sampling):
        return None
    drawn, asked = patches_asked(notes)
    images = sum(each["split"] == "train" for each in notes["summary"]["images"].values())
    said, unseen = tuple(notes["summary"]["notes"]), _unseen(notes, run)
    return ExpectedPatches(drawn, asked, images, images, said, done=True, unseen=unseen)


def expected_patches(
    run: DatasetRun, training: Sequence[ImageEntry], *, of: int, folder: Path, workers: int = 1
) -> dict[str, ExpectedPatches]:
    """Expected patches of the samplings that draw from the split ``train``, by name.

    Parameters
    ----------
    run
        The data set with its configuration.
    training
        Training images whose truth is decoded: all or a few.
    of
        Number of all training images.
    folder
        A temporary folder, for stores without pixels.
    workers
        Images at a time.

    Returns
    -------
    dict
        For a sampling that cannot draw anything ``drawn`` is 0 and its note says why. Images that cannot be used are
        skipped. Samplings of folds and grid samplings, which draw nothing, are not included.
    """
    samplings = {
        name: each
        for name, each in run.config.index.samplings.items()
        if not isinstance(each, GridSampling) and each.fold == -1
    }
    if not samplings:
        return {}
    with ThreadPoolExecutor(workers) as pool:
        stores = [each for each in pool.map(lambda entry: _store(run, entry, folder=folder), training) if each]
    if not stores:
        return {}
    job = Job(run.record, _provenance(run), workers)
    inputs = _inputs(run, dict(stores), training, folder=folder)
    return {
        name: _expected(run, each, inputs=inputs, used=len(stores), of=of, job=job) for name, each in samplings.items()
    }


def _provenance(run: DatasetRun) -> Provenance:
    return Provenance("index", {}, "", seed=run.config.seed)


def _region(opened: Opened, run: DatasetRun) -> Region:
    """Region of interest as found by the data set's preprocessing chain."""
    size = {"height": opened.height, "width": opened.width}
    if run.config.normalized.chain == "fundus":
        return fundus_region(opened, run.config.normalized)
    tissue, foreign = tissue_of(opened), Region.found(foreign_mask, opened.thumbnail(), **size)
    holes = run.config.normalized.roi_holes
    return replace(tissue, mask=fill_holes(tissue.mask, foreign=foreign.mask, largest_share=holes))


def _blank(opened: Opened) -> Raster[np.uint8]:
    def read(box: Box) -> NDArray[np.uint8]:
        return np.zeros((3, box.height, box.width), np.uint8)

    return Raster((opened.height, opened.width), read)


def _store(run: DatasetRun, entry: ImageEntry, *, folder: Path) -> tuple[str, Path] | None:
    """Store with truth and region of interest of an image; None where the image cannot be used."""
    output, config = folder / "normalized" / f"{entry.image_id}.zarr", run.config.normalized
    job = Job(run.record, _provenance(run))
    try:
        with open_view(entry, record=run.record, config=config, workers=1) as opened:
            content = Content(_region(opened, run), _blank(opened))
            write_image(opened, content, entry=entry, config=config, job=job, output=output)
    except ImageRejected:
        return None
    return entry.image_id, output


def _inputs(run: DatasetRun, stores: Mapping[str, Path], training: Sequence[ImageEntry], *, folder: Path) -> Inputs:
    provenance, candidates = _provenance(run), {}
    for image_id, store in stores.items():
        candidates[image_id] = folder / "index" / "candidates" / f"{image_id}.parquet"
        write_candidates(store, output=candidates[image_id], provenance=provenance)
    rows = [
        {"image_id": entry.image_id, "group_id": entry.group, "split": "train", "fold": -1, "rejected": ""}
        | {f"pixels_{code}": -1 if code in entry.unknown else 0 for code in run.record.codes}
        for entry in training
        if entry.image_id in stores
    ]
    images = folder / "images.parquet"
    write_table(pd.DataFrame(rows), images, provenance=provenance.as_attributes())
    return Inputs(images, candidates, stores)


def _part(sampling: _Drawn, *, used: int, of: int) -> _Drawn:
    """Sampling for a part of the images, with the same part of the total, in whole ratios. Blank pixels have no structure."""
    total, whole = sampling.total, sum(sampling.ratio) if isinstance(sampling, BalancedSampling) else 1
    if used < of or total > MOST:
        total = max(whole, min(round(total * used / of), MOST) // whole * whole)
    blank = {"structure_power": 0.0} if isinstance(sampling, BalancedSampling) else {}
    return sampling.model_copy(update={"total": total, **blank})


def _expected(run: DatasetRun, sampling: _Drawn, *, inputs: Inputs, used: int, of: int, job: Job) -> ExpectedPatches:
    asked, part = sampling.total, _part(sampling, used=used, of=of)
    output = inputs.images.with_name("index") / "expected.parquet"
    try:
        write_index(inputs, dataset=run.entry, sampling=part, job=job, output=output)
    except SamplingError as problem:
        return ExpectedPatches(0, asked, used, of, (str(problem),))
    notes = table_metadata(output)
    drawn, wanted = patches_asked(notes)
    reached = drawn >= wanted
    number = asked if reached else min(asked, round(drawn * of / used))
    return ExpectedPatches(
        number,
        asked,
        used,
        of,
        tuple(notes["summary"]["notes"]),
        unseen=_unseen(notes, run),
        about=_is_estimate(sampling, part, used=used, of=of),
    )


def _unseen(notes: Mapping[str, Any], run: DatasetRun) -> tuple[str, ...]:
    """Classes without a component in the training images of an index."""
    found = notes["summary"]["lesions"]
    return tuple(code for code in run.record.codes if not found.get(code, {}).get("components"))


def _is_estimate(sampling: _Drawn, part: _Drawn, *, used: int, of: int) -> bool:
    """Estimate test: from a few images, a part of the total, or without pixel structure or a list of hard negatives."""
    return used < of or part != sampling or sampling.hard_negatives.table is not None
