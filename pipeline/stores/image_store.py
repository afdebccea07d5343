"""Image store: its notes on the image, and the check that its arrays exist and share one grid."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import zarr

from pipeline.arrays.raster import Raster
from pipeline.errors import StoreError
from pipeline.stores import open_array, open_group, raster_of

__all__ = ["NormalizedStore", "ignored_array", "image_notes", "open_normalized", "unknown_classes", "whole_image"]

NOTES = "lesionmap"
NEEDED = ("image_id", "mapping")
CHANNELS = 3


def _incomplete(path: Path, *, found: object, expected: object) -> StoreError:
    return StoreError(
        "The store is incomplete.",
        where=path,
        found=found,
        expected=expected,
        remedy="Delete it and run the stage that writes it again.",
    )


def image_notes(path: Path) -> dict[str, Any]:
    """Notes on the image in a store of stage normalized or probability: ``image_id``, ``mapping`` and more.

    Raises
    ------
    StoreError
        There is no store, or it has no notes on an image.
    """
    notes: Any = dict(open_group(path).attrs).get(NOTES)
    if not isinstance(notes, Mapping) or not all(key in notes for key in NEEDED):
        found = sorted(notes) if isinstance(notes, Mapping) else f"no attribute {NOTES}"
        raise _incomplete(path, found=found, expected=f"attribute {NOTES} with {', '.join(NEEDED)}")
    mapping = notes["mapping"]
    factors = [mapping.get(key) if isinstance(mapping, Mapping) else None for key in ("factor_y", "factor_x")]
    if not all(isinstance(each, int | float) and each > 0 for each in factors):
        raise _incomplete(path, found=f"mapping {mapping}", expected="factor_y and factor_x above 0")
    return dict(notes)


def _array(path: Path, name: str) -> zarr.Array[Any]:
    try:
        return open_array(path, name)
    except ValueError as problem:  # Its metadata is no JSON or describes no array.
        raise _incomplete(
            path, found=f"array {name}: {problem}", expected="an array that was written whole"
        ) from problem


def whole_image(path: Path) -> dict[str, Any]:
    """Notes of ``normalized/{image}.zarr``, after the check that its arrays belong together.

    Raises
    ------
    StoreError
        An array is missing, has another type or number of channels, or lies on another grid.
    """
    notes, image = image_notes(path), _array(path, "0")
    if image.ndim != 3 or image.shape[0] != CHANNELS or image.dtype != "uint8":
        found = f"array 0 {image.shape} {image.dtype}"
        raise _incomplete(path, found=found, expected=f"({CHANNELS}, y, x) uint8, the channels that every model takes")
    group = open_group(path)
    for name in ("roi", *(each for each in ("truth", "ignore") if each in group)):
        plane = _array(path, name)
        if plane.shape[-2:] != image.shape[-2:]:
            raise _incomplete(
                path, found=f"array {name} {plane.shape}", expected=f"the grid of array 0, {image.shape[-2:]}"
            )
    return notes


def ignored_array(path: Path) -> zarr.Array[Any] | None:
    """Array ``(y, x)`` of the pixels with uncertain truth in a normalised image; None where the data set declares none."""
    return _array(path, "ignore") if "ignore" in open_group(path) else None


def unknown_classes(notes: Mapping[str, Any]) -> tuple[str, ...]:
    """Codes of the classes that nobody looked for in an annotated image, from the notes of its store."""
    return tuple(str(code) for code in notes.get("unknown", ()))


@dataclass(frozen=True, slots=True, eq=False)
class NormalizedStore:
    """Rasters of one normalised image, opened but not read."""

    image_id: str
    """Name of the image."""
    classes: tuple[str, ...]
    """Class codes in the order of the class axis of ``truth``."""
    image: Raster[np.uint8]
    """``(3, y, x)`` uint8: the finest level of the pyramid."""
    roi: Raster[np.uint8]
    """``(y, x)`` uint8, 0 or 1: field of view or tissue."""
    truth: Raster[np.uint8] | None
    """``(class, y, x)`` uint8, 0 or 1; None where nobody annotated. The plane of a class in ``unknown`` is 0 without
    meaning."""
    ignore: Raster[np.uint8] | None = None
    """``(y, x)`` uint8, 0 or 1: where the truth says "not sure"; None where the data set declares no such value."""
    unknown: tuple[str, ...] = ()
    """Codes of the classes that nobody looked for."""


def open_normalized(path: Path | str) -> NormalizedStore:
    """Image, region of interest, truth and ignored pixels of ``normalized/{image}.zarr``.

    Raises
    ------
    StoreError
        There is no store, or it is incomplete.
    """
    path = Path(path)
    notes, group = whole_image(path), open_group(path)
    planes = {name: raster_of(_array(path, name)) if name in group else None for name in ("truth", "ignore")}
    return NormalizedStore(
        notes["image_id"],
        tuple(notes.get("classes", ())),
        image=raster_of(_array(path, "0")),
        roi=raster_of(_array(path, "roi")),
        unknown=unknown_classes(notes),
        **planes,
    )
