"""Which patches does a sampling give? The patch index of one data set, written once and checked when read."""

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pipeline.config import GuidedSampling, Sampling
from pipeline.errors import SamplingError, StoreError, explain
from pipeline.index.candidates import read_candidates
from pipeline.index.draw import background_boxes
from pipeline.index.frequency import BACKGROUND, Plan, apportion, make_plan, spread
from pipeline.index.image import open_image
from pipeline.index.rows import Drawn, ImageRows, Source, image_rows
from pipeline.index.schema import SCHEMA_VERSION, SPLITS, problems, typed
from pipeline.manifest import DatasetRecord
from pipeline.partial import file_in_progress
from pipeline.provenance import Provenance
from pipeline.stores import read_table, table_metadata, write_table

__all__ = ["read", "write_index"]

log = logging.getLogger(__name__)


def write_index(
    images: Path,
    *,
    candidates: Mapping[str, Path],
    normalized: Mapping[str, Path],
    record: DatasetRecord,
    dataset: str,
    sampling: Sampling,
    seed: int,
    output: Path,
    provenance: Provenance,
) -> None:
    """Write ``index/{sampling}.parquet``.

    Parameters
    ----------
    images
        ``raw/images.parquet``; rows of split train, validation and test without rejection are used.
    candidates
        Image → its candidate table.
    normalized
        Image → its store of stage normalized.
    record
        Facts of the data set.
    dataset
        Name of the data set, with its recipe where one is named.
    sampling
        How to draw. Only training images are drawn from; the others give the grid.
    seed
        Seed of the run.
    output
        The Parquet file. Its metadata notes are schema_version, config, summary and provenance.
    provenance
        Record of origin.

    Raises
    ------
    SamplingError
        Where there is no image, or nothing to draw.
    StoreError
        Where an input is missing or does not fit.
    """
    sources = _sources(images, candidates=candidates, normalized=normalized, record=record)
    training = [source for source in sources if source.split == "train"]
    plan = _plan(training, record=record, sampling=sampling)
    drawn = _drawn(training, plan=plan, sampling=sampling, seed=seed)
    parts = []
    for done, source in enumerate(sources, 1):
        parts.append(image_rows(source, drawn=drawn.get(source.image_id), sampling=sampling, seed=seed))
        log.info("%s: %d patches (%d of %d images)", source.image_id, len(parts[-1].frame), done, len(sources))
    rows = pd.concat([part.frame for part in parts if len(part.frame)] or [parts[0].frame], ignore_index=True)
    frame = typed(rows.assign(dataset=dataset), codes=record.codes)
    summary = _summary(frame, sources=sources, parts=parts, plan=plan)
    _refuse(problems(frame, sizes=_sizes(summary)), where=output)
    notes = {"schema_version": SCHEMA_VERSION, "config": {**sampling.model_dump(mode="json"), "seed": seed}}
    with file_in_progress(output) as partial:
        write_table(frame, partial, provenance=provenance.as_attributes(), extra={**notes, "summary": summary})


def _sources(
    images: Path, *, candidates: Mapping[str, Path], normalized: Mapping[str, Path], record: DatasetRecord
) -> list[Source]:
    frame = read_table(images)
    used = frame[(frame["rejected"] == "") & frame["split"].isin(SPLITS)].sort_values("image_id")
    for name, paths in (("candidates", candidates), ("normalized", normalized)):
        if missing := sorted(set(used["image_id"]) - paths.keys()):
            raise StoreError(
                explain("Images lack an input of the patch index.", where=name, found=f"none for {', '.join(missing)}",
                        expected=f"one for each of the {len(used)} usable images", remedy="Build them first.")
            )  # fmt: skip
    if used.empty:
        raise SamplingError(
            explain("There is no image to cut patches from.", where=images,
                    found=f"{len(frame)} images, none of them usable with split {', '.join(SPLITS)}",
                    expected="at least one", remedy="Look at the columns split and rejected of this table.")
        )  # fmt: skip
    known = used[[f"pixels_{code}" for code in record.codes]] >= 0
    used = used.assign(known=known.all(axis=1))
    return [
        _source(row, candidates=candidates, normalized=normalized, record=record) for row in used.to_dict("records")
    ]


def _source(
    row: Mapping[Any, Any], *, candidates: Mapping[str, Path], normalized: Mapping[str, Path], record: DatasetRecord
) -> Source:
    image_id = str(row["image_id"])
    found = read_candidates(candidates[image_id], codes=record.codes)
    store = normalized[image_id]
    image = open_image(store, codes=record.codes)
    if (found.image_id, found.height, found.width) != (image_id, image.height, image.width):
        raise StoreError(
            explain("The candidate table belongs to another image.", where=candidates[image_id],
                    found=f"{found.image_id}, {found.height}×{found.width}",
                    expected=f"{image_id}, {image.height}×{image.width} as in {store}",
                    remedy="Delete it and run the stage index again.")
        )  # fmt: skip
    facts: dict[str, Any] = {"group_id": str(row["group_id"]), "split": str(row["split"]), "fold": int(row["fold"])}
    return Source(image_id, **facts, annotated=bool(row["known"]), store=store, candidates=found)


def _plan(training: Sequence[Source], *, record: DatasetRecord, sampling: Sampling) -> Plan | None:
    if not isinstance(sampling, GuidedSampling):
        return None
    return make_plan(
        {source.image_id: source.eligible(sampling) for source in training}, codes=record.codes, sampling=sampling
    )


def _drawn(training: Sequence[Source], *, plan: Plan | None, sampling: Sampling, seed: int) -> dict[str, Drawn]:
    """What is drawn from each training image; nothing where there is no plan."""
    if plan is None:
        return {}
    none = np.zeros((0, 4), dtype=np.int64)
    total = plan.requested[BACKGROUND]
    pool = [source for source in training if source.annotated] if total else []
    weights = {source.image_id: source.candidates.roi_pixels for source in pool}
    wishes = apportion(total, list(weights.values()))
    boxes = {
        source.image_id: background_boxes(open_image(source.store), seed=seed, wanted=wish, patch=sampling.patch)
        for source, wish in zip(pool, wishes, strict=True)
    }
    shares = spread(total, weights=weights, capacity={image_id: len(found) for image_id, found in boxes.items()})
    background = {image_id: found[: shares[image_id]] for image_id, found in boxes.items()}
    return {
        image_id: Drawn(quotas, plan.population, background.get(image_id, none))
        for image_id, quotas in plan.quotas.items()
    }


def _counts(rows: pd.DataFrame) -> dict[str, dict[str, dict[str, int]]]:
    """Split → strategy → target class (``none`` for grid) → rows."""
    keys = rows[["split", "strategy", "target_class"]].astype(object).fillna("none")
    counts: dict[str, dict[str, dict[str, int]]] = {}
    for key, count in sorted(Counter(keys.itertuples(index=False, name=None)).items()):
        split, strategy, target = map(str, key)
        counts.setdefault(split, {}).setdefault(strategy, {})[target] = count
    return counts


def _summary(
    frame: pd.DataFrame, *, sources: Sequence[Source], parts: Sequence[ImageRows], plan: Plan | None
) -> dict[str, Any]:
    inside, added = frame[~frame["coverage"]], frame[frame["coverage"]]
    by_image = dict(list(inside.groupby("image_id", observed=True)))
    images = {
        source.image_id: {
            "split": source.split, "height": source.candidates.height, "width": source.candidates.width,
            "counts": _counts(by_image[source.image_id]).get(source.split, {}) if source.image_id in by_image else {},
        }
        for source in sources
    }  # fmt: skip
    summary: dict[str, Any] = {
        "rows": len(frame),
        "counts": _counts(inside),
        "coverage": {
            code: int(count) for code, count in added["target_class"].value_counts(sort=False).items() if count
        },
        "lesions": _lesions(parts),
        "images": images,
    }
    if plan is not None:
        have = inside["target_class"].value_counts()
        summary |= {"frequencies": dict(plan.frequencies), "requested": dict(plan.requested)}
        summary["short"] = _short(plan, have={str(code): int(count) for code, count in have.items()})
    return summary


def _lesions(parts: Sequence[ImageRows]) -> dict[str, dict[str, float]]:
    """Class → training components, those that no training patch touches, and their share (0 where there are none)."""
    found: dict[str, list[int]] = {}
    for part in parts:
        for code, (count, untouched) in part.lesions.items():
            total = found.setdefault(code, [0, 0])
            total[0] += count
            total[1] += untouched
    return {
        code: {"components": count, "untouched": untouched, "untouched_share": untouched / max(count, 1)}
        for code, (count, untouched) in found.items()
    }


def _short(plan: Plan, *, have: Mapping[str, int]) -> list[dict[str, Any]]:
    """What could not be drawn, and why."""
    short: list[dict[str, Any]] = [
        {"class": code, "requested": 0, "drawn": 0, "why": "no component of allowed area in the training images"}
        for code, frequency in plan.frequencies.items()
        if not frequency
    ]
    wanted, drawn = plan.requested[BACKGROUND], have.get(BACKGROUND, 0)
    if drawn < wanted:
        why = "no further place in the roi of a fully annotated training image has a box without truth"
        short.append({"class": BACKGROUND, "requested": wanted, "drawn": drawn, "why": why})
    return short


def _sizes(summary: Mapping[str, Any]) -> dict[str, tuple[int, int]]:
    return {image_id: (facts["height"], facts["width"]) for image_id, facts in summary["images"].items()}


def _refuse(found: Sequence[str], *, where: Path) -> None:
    if found:
        raise StoreError(
            explain("This is not a sound patch index.", where=where, found="; ".join(found),
                    expected="the columns, types and rules of pipeline.index.schema",
                    remedy="Delete it and run the stage index again.")
        )  # fmt: skip


def read(path: Path) -> pd.DataFrame:
    """Read an index and check columns, types, order and every row.

    Parameters
    ----------
    path
        A file of ``write_index``. ``pandas.read_parquet`` reads it too, without the checks.

    Raises
    ------
    StoreError
        Where the file is none, is of another schema version, or breaks a rule; the text names the rules and rows.
    """
    frame, notes = read_table(path), table_metadata(path)
    if notes.get("schema_version") != SCHEMA_VERSION or "summary" not in notes:
        _refuse([f"schema version {notes.get('schema_version')}, expected {SCHEMA_VERSION}"], where=path)
    _refuse(problems(frame, sizes=_sizes(notes["summary"])), where=path)
    return frame
