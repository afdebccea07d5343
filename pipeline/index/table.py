"""Patch index of one data set: the table of the patches of one sampling, written once and checked on every read."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline.config import GridSampling, GuidedSampling, Sampling
from pipeline.config.manifest import DatasetRecord
from pipeline.counts import first_names
from pipeline.errors import SamplingError, StoreError
from pipeline.index.candidates import read_candidates
from pipeline.index.image import open_image
from pipeline.index.rows import ImageRows, image_rows
from pipeline.index.sampling.balanced import draw_balanced
from pipeline.index.sampling.guided import draw_guided
from pipeline.index.sampling.hard_negatives import read_hard_negatives
from pipeline.index.sampling.plan import SamplingPlan, input_notes
from pipeline.index.sampling.positions import grid_stride
from pipeline.index.schema import SCHEMA_VERSION, SPLITS, problems, row_groups, typed
from pipeline.index.source import Source
from pipeline.index.summary import summarise
from pipeline.runtime.allocator import release_freed
from pipeline.runtime.threads import each
from pipeline.stores import read_noted, read_table, write_table
from pipeline.stores.atomic import file_in_progress
from pipeline.stores.job import Job
from pipeline.words import BACKGROUND, LEARNED_SPLITS

__all__ = ["Inputs", "read_index", "write_index"]

MOST_ROWS = 20_000_000
"""Most rows of the grid; each takes some hundred bytes of memory while an index is written."""

NAMED = 5
"""Most images named in a message."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Inputs:
    """Inputs that patches are drawn from."""

    images: Path
    """``raw/images.parquet``; rows of split train, validation and test without rejection are used."""
    candidates: Mapping[str, Path]
    """Image → its candidate table."""
    normalized: Mapping[str, Path]
    """Image → its store of stage normalized."""
    hard_negatives: Path | None = None
    """The list of hard negatives that the sampling names."""


def write_index(inputs: Inputs, *, dataset: str, sampling: Sampling, job: Job, output: Path) -> None:
    """Patch index ``index/{sampling}.parquet`` of one sampling.

    Parameters
    ----------
    inputs
        Table of images, candidate tables, stores, hard negatives.
    dataset
        Name of the data set, with its recipe where one is named.
    sampling
        How to draw. Patches are drawn from training images only; the others give the grid.
    job
        Facts of the data set, record of origin with the seed, number of images at a time.
    output
        The Parquet file. Its metadata notes are schema_version, config, summary and provenance, and the
        codes of anatomy where there are any.

    Raises
    ------
    SamplingError
        There is no image or nothing to draw, or the list of hard negatives cannot be used.
    StoreError
        An input is missing or does not fit.
    """
    fold = -1 if isinstance(sampling, GridSampling) else sampling.fold
    sources = _sources(inputs, record=job.record, fold=fold)
    _refuse_too_many(sources, sampling, where=inputs.images)
    plan = _plan(sources, sampling=sampling, listed=inputs.hard_negatives, job=job)

    def rows_of(source: Source) -> ImageRows:
        drawn = plan.images.get(source.image_id)
        found = image_rows(source, drawn=drawn, sampling=sampling, seed=job.seed, record=job.record)
        log.info("%s: %d patches", source.image_id, len(found.frame))
        release_freed()
        return found

    parts = each(rows_of, sources, workers=job.workers)
    rows = pd.concat([part.frame for part in parts if len(part.frame)] or [parts[0].frame], ignore_index=True)
    frame = typed(rows.assign(dataset=dataset), codes=job.record.codes)
    summary = summarise(frame, sources=sources, parts=parts, plan=plan, sampling=sampling)
    for note in summary["notes"]:
        log.warning("%s", note)
    anatomy = [code for code in job.record.codes if code not in job.record.lesion_codes]
    _refuse(problems(frame, sizes=_sizes(summary), anatomy=anatomy), where=output)
    notes = {"schema_version": SCHEMA_VERSION, "config": {**sampling.model_dump(mode="json"), "seed": job.seed}}
    notes |= {"anatomy": anatomy} if anatomy else {}
    with file_in_progress(output) as partial:
        extra = {**notes, "summary": summary}
        write_table(frame, partial, provenance=job.provenance.as_attributes(), extra=extra, ends=row_groups(frame))


def _refuse_too_many(sources: Sequence[Source], sampling: Sampling, *, where: Path) -> None:
    """Refusal of too many rows: patches of one pixel would fill the memory before any message."""
    stride = grid_stride(sampling.patch, sampling.overlap)
    inside = [source for source in sources if isinstance(sampling, GridSampling) or source.split != "train"]
    count = sum(
        (max(source.candidates.height - sampling.patch, 0) // stride + 1)
        * (max(source.candidates.width - sampling.patch, 0) // stride + 1)
        for source in inside
    )
    if count > MOST_ROWS:
        raise SamplingError(
            "The grid gives more patches than an index can hold.",
            where=where,
            found=f"at least {count:,} patches of {sampling.patch} pixels, every {stride} pixels, in {len(inside)} images",
            expected=f"at most {MOST_ROWS:,}",
            remedy="Use a larger patch or less overlap.",
        )


def _by_fold(images: pd.DataFrame, fold: int) -> pd.DataFrame:
    """The table with the splits of a fold: the fold's images validate, the other train and validation images train."""
    if fold < 0:
        return images
    split = images["split"].astype(str)
    learned = split.where(images["fold"] == fold, "train").where(images["fold"] != fold, "validation")
    return images.assign(split=split.where(~split.isin(LEARNED_SPLITS), learned))


def _sources(inputs: Inputs, *, record: DatasetRecord, fold: int) -> list[Source]:
    frame = _by_fold(read_table(inputs.images), fold)
    used = frame[(frame["rejected"] == "") & frame["split"].isin(SPLITS)].sort_values("image_id")
    for name, paths in (("candidates", inputs.candidates), ("normalized", inputs.normalized)):
        if missing := sorted(set(used["image_id"]) - paths.keys()):
            raise StoreError(
                "Images lack an input of the patch index.",
                where=name,
                found=f"none for {first_names(missing, most=NAMED)}",
                expected=f"one for each of the {len(used)} usable images",
                remedy="Build them first.",
            )
    if used.empty:
        raise SamplingError(
            "There is no image to cut patches from.",
            where=inputs.images,
            found=f"{len(frame)} images, none of them usable with split {', '.join(SPLITS)}",
            expected="at least one",
            remedy="Look at the columns split and rejected of this table.",
        )
    # Where the disc is unknown, a patch without lesions is still known to hold none.
    known = used[[f"pixels_{code}" for code in record.lesion_codes]] >= 0
    used = used.assign(known=known.all(axis=1))
    return [_source(row, inputs, record=record) for row in used.to_dict("records")]


def _source(row: Mapping[Any, Any], inputs: Inputs, *, record: DatasetRecord) -> Source:
    image_id = str(row["image_id"])
    found = read_candidates(inputs.candidates[image_id], codes=record.codes)
    store = inputs.normalized[image_id]
    image = open_image(store, codes=record.codes)
    if (found.image_id, found.height, found.width) != (image_id, image.height, image.width):
        raise StoreError(
            "The candidate table belongs to another image.",
            where=inputs.candidates[image_id],
            found=f"{found.image_id}, {found.height}×{found.width}",
            expected=f"{image_id}, {image.height}×{image.width} as in {store}",
            remedy="Delete it and run the stage index again.",
        )
    facts: dict[str, Any] = {"group_id": str(row["group_id"]), "split": str(row["split"]), "fold": int(row["fold"])}
    return Source(image_id, **facts, lesions_known=bool(row["known"]), store=store, candidates=found)


def _plan(sources: Sequence[Source], *, sampling: Sampling, listed: Path | None, job: Job) -> SamplingPlan:
    """Plan of the patches drawn from the training images; empty for the grid."""
    if isinstance(sampling, GridSampling):
        return SamplingPlan()
    training = [source for source in sources if source.split == "train"]
    least = sampling.hard_negatives.least_score
    boxes = read_hard_negatives(listed, least_score=least) if listed is not None else {}
    if isinstance(sampling, GuidedSampling):
        found = draw_guided(training, sampling=sampling, listed=boxes, job=job)
    else:
        found = draw_balanced(training, sampling=sampling, listed=boxes, job=job)
    notes = input_notes(training, listed=boxes, negatives=bool(found.requested.get(BACKGROUND)))
    return replace(found, notes=(*notes, *found.notes))


def _sizes(summary: Mapping[str, Any]) -> dict[str, tuple[int, int]]:
    return {image_id: (facts["height"], facts["width"]) for image_id, facts in summary["images"].items()}


def _refuse(found: Sequence[str], *, where: Path) -> None:
    if found:
        raise StoreError(
            "This is not a sound patch index.",
            where=where,
            found="; ".join(found),
            expected="the columns, types and rules of pipeline.index.schema",
            remedy="Delete it and run the stage index again.",
        )


def read_index(path: Path | str) -> pd.DataFrame:
    """Read an index and check columns, types, order and every row.

    Parameters
    ----------
    path
        A file of ``write_index``. ``pandas.read_parquet`` reads it too, without the checks.

    Raises
    ------
    StoreError
        The file is not an index, has another schema version, or breaks a rule; the text names rules and rows.
    """
    path = Path(path)
    frame, notes = read_noted(path)
    if notes.get("schema_version") != SCHEMA_VERSION or "summary" not in notes:
        _refuse([f"schema version {notes.get('schema_version')}, expected {SCHEMA_VERSION}"], where=path)
    _refuse(problems(frame, sizes=_sizes(notes["summary"]), anatomy=notes.get("anatomy", ())), where=path)
    return frame
