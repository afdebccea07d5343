"""Table of images ``raw/images.parquet``: one row per image, from its fact sheet, with its split and fold."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline.config import RawConfig
from pipeline.config.manifest import DatasetRecord
from pipeline.errors import ImageRejected
from pipeline.raw.facts import read_sheet
from pipeline.raw.splits.assign import assign_splits, given_splits
from pipeline.raw.splits.duplicates import near_duplicates
from pipeline.stores import read_table, write_table
from pipeline.stores.atomic import file_in_progress
from pipeline.stores.job import Job
from pipeline.stores.provenance import file_digest
from pipeline.words import TRUTH_SPLITS

__all__ = ["images_table", "leaking_pairs", "refuse_rejections", "write_images"]

log = logging.getLogger(__name__)

TEXT = (
    "dataset",
    "image_id",
    "group_id",
    "centre",
    "split",
    "sha256",
    "perceptual_hash",
    "alike",
    "stored",
    "file",
    "rejected",
    "truth_origin",
)


def _row(sheet: Mapping[str, Any], *, dataset: str) -> dict[str, Any]:
    kept = (
        "image_id",
        "group_id",
        "centre",
        "height",
        "width",
        "sha256",
        "perceptual_hash",
        "stored",
        "rejected",
        "official_test",
        "annotated",
    )
    size = sheet["pixel_size_um"]
    row = {"dataset": dataset, "file": sheet["file"] or "", **{key: sheet[key] for key in kept}}
    row["truth_origin"] = sheet.get("truth_origin", "")
    return (
        row
        | {"pixel_size_um": float("nan") if size is None else size}
        | {f"pixels_{code}": count for code, count in sheet["pixels"].items()}
    )


def images_table(
    sheets: Sequence[Mapping[str, Any]],
    *,
    dataset: str,
    record: DatasetRecord,
    config: RawConfig,
    seed: int,
    given: Mapping[str, str] | None = None,
) -> pd.DataFrame:
    """Table of images: one row per image, in text order of the ids. README lists the columns.

    ``alike`` lists the near-duplicates of an image (see `pipeline.raw.splits.duplicates`), separated by spaces.

    Parameters
    ----------
    sheets
        Fact sheets, in any order.
    dataset
        Name of the data set.
    record
        Its facts.
    config
        Validation share, folds, and the held-out centre.
    seed
        Seed of the run.
    given
        Splits that a user fixed, image id → split.
    """
    rows = [_row(sheet, dataset=dataset) for sheet in sorted(sheets, key=lambda sheet: sheet["image_id"])]
    frame = pd.DataFrame(rows)
    counts = [f"pixels_{code}" for code in record.codes]
    frame = frame.astype(
        {"height": "int32", "width": "int32", "pixel_size_um": "float64"} | dict.fromkeys(counts, "int64")
    )
    frame = assign_splits(frame, codes=record.codes, config=config, seed=seed, given=given)
    frame = frame.assign(alike=_alike(frame))
    first = ["dataset", "image_id", "group_id", "centre", "split", "fold", "height", "width", "pixel_size_um"]
    last = ["file", "stored", "official_test", "annotated", "truth_origin", "perceptual_hash", "alike"]
    frame = frame[[*first, "sha256", "rejected", *counts, *last]]
    return frame.astype(dict.fromkeys(TEXT, "str")).reset_index(drop=True)


def _alike(frame: pd.DataFrame) -> list[str]:
    """Ids of the near-duplicates of each image, separated by spaces."""
    usable = frame[frame["rejected"] == ""]
    found: dict[str, list[str]] = {str(image): [] for image in frame["image_id"]}
    hashes = dict(zip(usable["image_id"].astype(str), usable["perceptual_hash"].astype(str), strict=True))
    for first, second, _ in near_duplicates(hashes):
        found[first].append(second)
        found[second].append(first)
    return [" ".join(sorted(found[str(image)])) for image in frame["image_id"]]


def leaking_pairs(images: pd.DataFrame) -> list[tuple[str, str]]:
    """Near-duplicates in different splits or folds, as pairs of ids; the split ``predict`` does not count.

    Parameters
    ----------
    images
        Columns image_id, split, fold, alike; a table without the last has no such pairs.
    """
    used = images[images["split"].isin(TRUTH_SPLITS)]
    places = zip(used["split"].astype(str), used["fold"].astype(int), strict=True)
    place = dict(zip(used["image_id"].astype(str), places, strict=True))
    names = used["alike"].astype(str) if "alike" in used else [""] * len(used)
    return [
        (image, other)
        for image, others in zip(place, names, strict=True)
        for other in others.split()
        if image < other and place.get(other, place[image]) != place[image]
    ]


def write_images(
    sheets: Sequence[Path],
    *,
    dataset: str,
    config: RawConfig,
    job: Job,
    output: Path,
    left_over: Sequence[str] = (),
) -> None:
    """Table of images ``raw/images.parquet``, written. Near-duplicates in different splits and left-over files are logged."""
    for sentence in left_over:
        log.warning("left over: %s", sentence)
    frame = images_table(
        [read_sheet(path) for path in sheets],
        dataset=dataset,
        record=job.record,
        config=config,
        seed=job.seed,
        given=given_splits(config),
    )
    for pair in leaking_pairs(frame):
        log.warning("%s and %s show the same picture and lie in two splits or folds; give both one patient", *pair)
    inputs = {path.stem: file_digest(path) for path in sheets}
    with file_in_progress(output) as partial:
        write_table(
            frame, partial, provenance={**job.provenance.as_attributes(), "inputs": dict(sorted(inputs.items()))}
        )


def refuse_rejections(images: Path, *, dataset: str) -> None:
    """Quality check at the end of a run: an error that lists the images that were left out.

    Raises
    ------
    ImageRejected
        Images were left out; everything else is finished by then.
    """
    frame = read_table(images)
    left_out = frame[frame["rejected"] != ""]
    if len(left_out):
        reasons = "\n".join(f"{row.image_id}: {row.rejected}" for row in left_out.itertuples())
        raise ImageRejected(f"{len(left_out)} of {len(frame)} images of {dataset} were left out:\n{reasons}")
