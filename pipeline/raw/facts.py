"""What is true of one image file? The fact sheet: size, digest, class pixel counts, or the reason of a rejection."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.errors import ImageRejected
from pipeline.manifest import DatasetRecord
from pipeline.partial import file_in_progress
from pipeline.provenance import Provenance, file_digest
from pipeline.raw.entry import ImageEntry
from pipeline.raw.pixels import phantom, read_image, read_truth

__all__ = ["fact_sheet", "read_sheet", "write_fact_sheet"]


def _names(entry: ImageEntry) -> dict[str, Any]:
    masks = {code: path.name for code, path in entry.masks}
    masks |= {"label": entry.label.name} if entry.label else {}
    return {"file": entry.image.name if entry.image else None, "masks": masks}


def _without_folders(message: str, entry: ImageEntry) -> str:
    # Results name files, never absolute paths: they differ between machines and would make equal runs unequal.
    for path in entry.files:
        message = message.replace(str(path), path.name)
    return message


def fact_sheet(entry: ImageEntry, *, record: DatasetRecord) -> dict[str, Any]:
    """Read one image and its truth once, and say what was found.

    Returns
    -------
    dict
        Plain JSON values. ``rejected`` is empty for a usable image; ``pixels`` has −1 where the truth is unknown.
    """
    sheet: dict[str, Any] = {"image_id": entry.image_id, **_names(entry), "group_id": entry.group}
    sheet |= {"centre": entry.centre, "official_test": entry.official_test, "annotated": entry.annotated}
    sheet |= {"sha256": "", "height": 0, "width": 0, "stored": "", "pixel_size_um": record.pixel_size_um}
    sheet |= {"pixels": dict.fromkeys(record.codes, -1), "rejected": "", "facts": {}}
    try:
        sheet |= _measured(entry, record=record)
    except ImageRejected as problem:
        sheet["rejected"] = _without_folders(str(problem), entry)
    return sheet


def _measured(entry: ImageEntry, *, record: DatasetRecord) -> dict[str, Any]:
    image = read_image(entry, record=record)
    height, width = image.pixels.shape[:2]
    found: dict[str, Any] = {"height": height, "width": width, "stored": image.stored}
    if entry.image is not None:
        found["sha256"] = file_digest(entry.image)
    elif record.phantom is not None:
        known = phantom(record.phantom, number=entry.number)
        found |= {"facts": known.facts, "centre": known.centre, "group_id": known.group}
        found["sha256"] = hashlib.sha256(image.pixels.tobytes()).hexdigest()
    if entry.annotated:
        truth = read_truth(entry, record=record, height=height, width=width)
        counts = {code: int(np.count_nonzero(truth[at])) for at, code in enumerate(record.codes)}
        found["pixels"] = counts
    return found


def write_fact_sheet(entry: ImageEntry, *, record: DatasetRecord, output: Path, provenance: Provenance) -> None:
    """Write ``raw/{image}.json``; an unusable image is recorded there, never an error."""
    inputs = {path.name: file_digest(path) for path in entry.files}
    sheet = fact_sheet(entry, record=record)
    attributes = {**provenance.as_attributes(), "inputs": inputs, "pixel_size_um": record.pixel_size_um}
    with file_in_progress(output) as partial:
        partial.write_text(json.dumps({**sheet, "provenance": attributes}, indent=1) + "\n")


def read_sheet(path: Path) -> Mapping[str, Any]:
    """Read a fact sheet."""
    found: dict[str, Any] = json.loads(path.read_text())
    return found
