"""Image sizes from file headers, for the memory of jobs and for checks before a run, which also decode some truth."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.config.manifest import DatasetRecord
from pipeline.config.raw import LARGEST_DECODE
from pipeline.errors import ImageRejected
from pipeline.geometry import strips
from pipeline.raw.bits import check_bits, may_be_wide
from pipeline.raw.datasets.entry import ImageEntry
from pipeline.raw.formats.reader import file_size
from pipeline.raw.formats.source import blocks
from pipeline.raw.formats.suffixes import decoded_whole
from pipeline.raw.pixels import open_image, polygon_origin
from pipeline.raw.truth import TruthSource, has_size, open_truth
from pipeline.raw.turns import turns_of
from pipeline.runtime.job_memory import Picture

__all__ = ["check_headers", "header_size", "images_to_look_at", "picture_of", "sample_of", "sample_sheet"]

SAMPLED, LARGEST_SAMPLED = 5, 2**27
"""Number of images whose truth and 16-bit pixels are decoded before a run, and the largest size in pixels for that."""
STRIP_PIXELS = 2**22
"""Pixels whose truth is in memory at a time."""


def header_size(path: Path, *, largest: int = LARGEST_DECODE) -> tuple[int, int] | None:
    """Image size ``(height, width)`` as stages see it, or None where the header cannot be read."""
    try:
        return file_size(path, largest=largest)
    except ImageRejected:
        return None


def picture_of(entry: ImageEntry, *, record: DatasetRecord) -> Picture | None:
    """Size of an image from its header, for the memory model, or None where the header cannot be read.

    Parameters
    ----------
    entry
        The image.
    record
        Its data set.
    """
    truth = record.truth_planes if entry.annotated else 0
    if entry.image is None:
        side = record.phantom.size if record.phantom else 1
        return Picture(side, side, truth=truth)
    size = header_size(entry.image, largest=entry.largest_decode)
    return None if size is None else Picture(*size, whole=decoded_whole(entry.image.name), truth=truth)


def check_headers(entry: ImageEntry, *, any_level: bool = False) -> list[str]:
    """Size checks of one image: reasons for which stage raw would reject it, as far as headers show.

    Parameters
    ----------
    entry
        The image.
    any_level
        Whether masks may have the size of any pyramid level of the image, as those of slides may.
    """
    if entry.image is None:
        return []
    try:
        size = file_size(entry.image, largest=entry.largest_decode)
    except ImageRejected as problem:
        return [f"{entry.image_id}: {problem}"]
    masks = (*entry.masks, *([("label", entry.label)] if entry.label else []))
    problems = []
    for code, path in masks:
        try:
            found = file_size(path, largest=entry.largest_decode)
        except ImageRejected as problem:
            problems.append(f"{entry.image_id} ({code}): {problem}")
            continue
        if not has_size(found, of=size, any_level=any_level):
            problems.append(
                f"{entry.image_id}: {path} ({code}) is {found[1]}×{found[0]}, the image {size[1]}×{size[0]}"
            )
    return problems


def images_to_look_at(entries: Sequence[ImageEntry], *, deep: bool = False) -> list[ImageEntry]:
    """Images that are decoded before a run: `SAMPLED` with truth, `SAMPLED` of 16 bits and all corrected ones, or all.

    Parameters
    ----------
    entries
        All images of a data set; a sample skips very large ones.
    deep
        Whether all are examined.
    """
    if deep:
        return [each for each in entries if each.image]
    truth = [at for at, each in enumerate(entries) if each.image and _has_truth_files(each)]
    wide = [at for at, each in enumerate(entries) if each.image and may_be_wide(each.image)]
    corrected = {at for at in truth if entries[at].corrected is not None}  # Few and small, and each is manual work.
    return _decodable([entries[at] for at in sorted(_spread(truth) | _spread(wide) | corrected)])


def sample_of(entries: Sequence[ImageEntry]) -> list[ImageEntry]:
    """Images spread over a list: at most `SAMPLED`, without very large ones."""
    return _decodable([entries[at] for at in sorted(_spread(range(len(entries))))])


def _decodable(entries: Sequence[ImageEntry]) -> list[ImageEntry]:
    sizes = [header_size(each.image or Path(), largest=each.largest_decode) for each in entries]
    pairs = zip(entries, sizes, strict=True)
    return [each for each, size in pairs if size and size[0] * size[1] <= LARGEST_SAMPLED]


def _spread(places: Sequence[int]) -> set[int]:
    return {places[int(at)] for at in np.linspace(0, len(places) - 1, min(SAMPLED, len(places)))}


def _has_truth_files(entry: ImageEntry) -> bool:
    return entry.annotated and bool(entry.masks or entry.label or entry.annotations)


def sample_sheet(entry: ImageEntry, *, record: DatasetRecord, pixels: bool = False) -> dict[str, Any]:
    """Part of a fact sheet, from the decoded truth of one image and the bits of 16-bit pixels.

    Parameters
    ----------
    entry
        The image. If its sizes do not fit, nothing is known, and `check_headers` names it.
    record
        Its data set.
    pixels
        Whether all pixels are decoded, except those of very large images.

    Returns
    -------
    dict
        Its keys ``image_id``, ``rejected``, ``height``, ``width``, ``pixels``, ``polygons``, ``passed_over`` and
        ``turns``, see `pipeline.raw.facts`. A class without a file counts −1 here, because a few images prove nothing.
    """
    sheet: dict[str, Any] = {"image_id": entry.image_id, "rejected": "", "pixels": dict.fromkeys(record.codes, -1)}
    if entry.image is None or check_headers(entry, any_level=record.adaptor == "slide"):
        return sheet
    height, width = file_size(entry.image, largest=entry.largest_decode)
    try:
        origin, remarks = _told(entry, entry.image, record=record)
        with open_truth(entry, record=record, height=height, width=width, origin=origin) as truth:
            counted = _pixels(truth, height, width, codes=record.codes) if truth else {}
            polygons = truth.polygons if truth else {}
        if may_be_wide(entry.image):
            check_bits(entry, record=record)
        elif pixels and height * width <= LARGEST_SAMPLED:
            _decode(entry, record=record)
    except ImageRejected as problem:
        return sheet | {"rejected": str(problem)}
    files = dict(entry.masks) or record.codes
    sums = {code: counted.get(code, -1) if code in files else -1 for code in record.codes}
    sheet |= {"height": height, "width": width}
    return sheet | {"pixels": sums, "polygons": polygons, "passed_over": remarks, "turns": turns_of(entry)}


def _decode(entry: ImageEntry, *, record: DatasetRecord) -> None:
    with open_image(entry, record=record) as source:
        for box in blocks(source, most=STRIP_PIXELS):
            source.read(box)


def _told(entry: ImageEntry, path: Path, *, record: DatasetRecord) -> tuple[tuple[int, int], dict[str, int]]:
    """Origin of polygon coordinates, and remarks on the file.

    A file that is decoded whole has no pixel size, is no slide, and has its corner as origin.
    """
    if decoded_whole(path.name):
        return (0, 0), {}
    with open_image(entry, record=record) as source:
        return polygon_origin(source, record=record), dict(source.remarks)


def _pixels(truth: TruthSource, height: int, width: int, *, codes: Sequence[str]) -> dict[str, int]:
    masks, sums = truth.on(height, width), np.zeros(len(codes), np.int64)
    for box in strips(height, width, max(1, STRIP_PIXELS // width)):
        sums += np.count_nonzero(masks.read(box), axis=(1, 2))
    return {code: int(count) for code, count in zip(codes, sums, strict=True)}
