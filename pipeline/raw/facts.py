"""Fact sheet of one image: size, digest, class pixel counts, perceptual hash, or the reason for a rejection."""

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.config.manifest import DatasetRecord
from pipeline.errors import ImageRejected
from pipeline.geometry import strips
from pipeline.raw.bits import largest_value, refuse_few_bits
from pipeline.raw.datasets.entry import ImageEntry
from pipeline.raw.formats.source import ImageSource, blocks
from pipeline.raw.phantom.make import phantom
from pipeline.raw.pixels import open_image, polygon_origin
from pipeline.raw.splits.duplicates import SmallLuminance, hash_level, perceptual_hash
from pipeline.raw.truth import open_truth
from pipeline.raw.turns import turns_of
from pipeline.runtime.input_records import FileState, hashed
from pipeline.stores.documents import read_json, write_json
from pipeline.stores.input_files import InputFiles
from pipeline.stores.job import Job
from pipeline.stores.provenance import file_digest

__all__ = ["fact_sheet", "read_sheet", "write_fact_sheet"]

BLOCK_BYTES = 2**26
"""Pixels in memory at a time, with their truth."""


def _names(entry: ImageEntry) -> dict[str, Any]:
    masks = {code: path.name for code, path in entry.masks}
    masks |= {"label": entry.label.name} if entry.label else {}
    masks |= {"annotations": entry.annotations.name} if entry.annotations else {}
    return {"file": entry.image.name if entry.image else None, "masks": masks}


def _without_folders(message: str, entry: ImageEntry) -> str:
    # Results hold file names, never absolute paths, which differ between machines and would make equal runs differ.
    for path in entry.files.values():
        message = message.replace(str(path), path.name)
    return message


def fact_sheet(
    entry: ImageEntry, *, record: DatasetRecord, workers: int = 1, files: InputFiles | None = None
) -> dict[str, Any]:
    """Fact sheet of one image; image and truth are read once, block by block.

    Parameters
    ----------
    entry
        The image.
    record
        Its data set, whose pixel size wins over the file's.
    workers
        Threads that decode.
    files
        Its files as they were before any of them was read; by default as they are now.

    Returns
    -------
    dict
        Plain JSON values. ``rejected`` is empty for a usable image. ``pixels`` has −1 where the truth is unknown.
        ``passed_over`` counts unused content and harmless faults, such as an impossible pixel size. ``turns`` are the
        EXIF orientations of image and truth files, if any of them is turned. ``levels`` are height and width of each
        level of the file, finest first. ``truth_values`` are the values of each mask file, by its class, or of the
        ``label`` image: value → share, at most 32 of them, and the rest summed up. ``truth_cuts``: a mask is set where
        its value is above the cut. ``ignored_share``, where the data set declares ``ignore``, is the share of uncertain
        pixels. ``truth_origin`` is that of the entry, and ``corrected`` are the classes whose mask files a correction
        replaced. ``polygons``, for annotations, is the account of `pipeline.raw.annotations.Annotations`.
        ``perceptual_hash`` is that of `pipeline.raw.splits.duplicates`.
    """
    sheet: dict[str, Any] = {"image_id": entry.image_id, **_names(entry), "group_id": entry.group}
    sheet |= {"truth_origin": entry.truth_origin, "corrected": list(entry.corrected or ())}
    sheet |= {"centre": entry.centre, "official_test": entry.official_test, "annotated": entry.annotated}
    sheet |= {"sha256": "", "height": 0, "width": 0, "levels": [], "stored": "", "pixel_size_um": record.pixel_size_um}
    sheet |= {
        "truth_values": {},
        "truth_cuts": {},
        "perceptual_hash": "",
        "pixels": dict.fromkeys(record.codes, -1),
        "rejected": "",
        "facts": {},
    }
    sheet |= {"passed_over": {}, "turns": {}}
    try:
        with (files or InputFiles.of(entry.files.values())).steady():
            sheet |= _measured(entry, record=record, workers=workers)
    except ImageRejected as problem:
        sheet["rejected"] = _without_folders(str(problem), entry)
    return sheet


def _measured(entry: ImageEntry, *, record: DatasetRecord, workers: int) -> dict[str, Any]:
    with open_image(entry, record=record, workers=workers) as source:
        (height, width), size = source.levels[0], record.pixel_size_um
        found: dict[str, Any] = {"height": height, "width": width, "levels": [list(each) for each in source.levels]}
        found |= {"stored": source.stored, "pixel_size_um": source.pixel_size_um if size is None else size}
        digest, read = _read_through(source, entry, record=record, workers=workers)
        found["passed_over"] = dict(source.remarks)
    found["turns"] = turns_of(entry)
    if entry.image is not None:
        found["sha256"] = file_digest(entry.image)
    elif record.phantom is not None:
        known = phantom(record.phantom, number=entry.number)
        found |= {"facts": known.facts, "centre": known.centre, "group_id": known.group, "sha256": digest}
    return found | read


def _read_through(
    source: ImageSource, entry: ImageEntry, *, record: DatasetRecord, workers: int
) -> tuple[str, dict[str, Any]]:
    """Digest, and for the sheet class pixel counts, account of polygons and perceptual hash.

    Every pixel is decoded, so a damaged tile is found here.
    """
    height, width = source.levels[0]
    digest, sums = hashlib.sha256(), np.zeros(len(record.codes), np.int64)
    most = BLOCK_BYTES // (3 * source.dtype.itemsize + len(record.codes))
    level = hash_level(source)
    small, largest = SmallLuminance(*source.levels[level]), 0
    origin = polygon_origin(source, record=record)
    with open_truth(entry, record=record, height=height, width=width, origin=origin, workers=workers) as masks:
        truth = None if masks is None else masks.on(height, width)
        ignored, unsure = None if masks is None else masks.ignored_on(height, width), 0
        for box in blocks(source, most=most):
            pixels = source.read(box)
            largest = max(largest, largest_value(pixels))
            if level == 0:
                small.add(box, pixels)
            if entry.image is None:
                digest.update(pixels.tobytes())
            if truth is not None:
                sums += np.count_nonzero(truth.read(box), axis=(1, 2))
            if ignored is not None:
                unsure += int(np.count_nonzero(ignored.read(box)))
    if level:
        for box in strips(*source.levels[level], max(1, most // source.levels[level][1])):
            small.add(box, source.read(box, level=level))
    refuse_few_bits(largest, entry=entry, record=record)
    found: dict[str, Any] = {"perceptual_hash": perceptual_hash(small.picture)}
    if masks is not None:
        counted = zip(record.codes, sums.tolist(), strict=True)
        found["pixels"] = {code: -1 if code in entry.unknown else count for code, count in counted}
        found["truth_values"] = {code: counts.record() for code, counts in masks.values.items()}
        found["truth_cuts"] = masks.cuts
    if ignored is not None:
        found["ignored_share"] = unsure / (height * width)
    return digest.hexdigest(), found | ({"polygons": masks.polygons} if masks and masks.polygons else {})


def write_fact_sheet(entry: ImageEntry, *, job: Job, output: Path) -> dict[str, FileState]:
    """Fact sheet ``raw/{image}.json``, written. An unusable image is recorded in it and raises no error.

    Returns
    -------
    dict
        States of the files before they were decoded, by their role; the sheet holds their digests. A file that changed
        meanwhile has no date, and the image is rejected.
    """
    files = InputFiles.of(entry.files.values())
    states = hashed({name: path for name, path in entry.files.items() if path.exists()})
    inputs = {name: state.sha256 for name, state in states.items()}
    sheet = fact_sheet(entry, record=job.record, workers=job.workers, files=files)
    attributes = {**job.provenance.as_attributes(), "inputs": inputs, "pixel_size_um": sheet["pixel_size_um"]}
    write_json({**sheet, "provenance": attributes}, output)
    changed = files.changed() if sheet["rejected"] else {}  # The unchanged ones were compared just now.
    return {
        name: replace(state, changed_ns=-1) if entry.files[name] in changed else state for name, state in states.items()
    }


def read_sheet(path: Path) -> Mapping[str, Any]:
    """Fact sheet of a file."""
    return read_json(path)
