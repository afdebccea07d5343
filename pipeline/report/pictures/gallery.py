"""Gallery: results shown as pictures, first of named images, then of others by id, test images first."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.config.manifest import DatasetRecord
from pipeline.geometry import Box
from pipeline.report.paths import Result
from pipeline.report.pictures import overlays
from pipeline.report.pictures.overlays import Picture
from pipeline.report.pictures.reduce import Reduced, picture_shape, reduce_masks
from pipeline.report.pictures.store_pictures import (
    Shot,
    framed,
    level_of,
    mask_raster,
    resized,
    save_picture,
    store_box,
    store_picture,
    store_shape,
)
from pipeline.stores.probability_store import as_float16, open_probability
from pipeline.words import LEARNED_SPLITS

__all__ = ["Overlay", "overlay", "results_to_show"]

CROP_SIDE = 288
SHOWN_SPLITS = ("test", "predict", "validation")


@dataclass(frozen=True, slots=True)
class Overlay:
    """Overlays of one image: the whole of it and a crop."""

    image_id: str
    split: str
    codes: tuple[str, ...]
    """Classes that it holds."""
    whole: tuple[Shot, ...]
    crop: tuple[Shot, ...]
    box: Box
    """Place of the crop."""


def results_to_show(
    table: pd.DataFrame, result: Result, *, measured: Mapping[str, str], most: int, first: Sequence[str] = ()
) -> list[dict[Any, Any]]:
    """Rows of the images table that have results: those ``first``, then test, predict and validation; by id within each.

    ``measured`` is the split in which each image of the result was measured: a model of a fold, or an ensemble of
    several, was trained on images that validate others, and training images are not shown.
    """
    raw, counted = table["split"].astype(str), table["image_id"].astype(str).map(dict(measured))
    table = table.assign(split=raw.mask(raw.isin(LEARNED_SPLITS), counted.fillna("train")))
    held = table[table["image_id"].isin([*result.probability]) & table["image_id"].isin([*result.segmentation])]
    held = held[held["split"].isin(SHOWN_SPLITS)]
    order = held["split"].map({split: at for at, split in enumerate(SHOWN_SPLITS)})
    by_id = held.assign(order=order).sort_values(["order", "image_id"]).to_dict("records")
    ahead = [row for image in first for row in by_id if row["image_id"] == image]
    # The images by id do not depend on the named ones.
    return [*ahead, *(row for row in by_id[:most] if row["image_id"] not in first)]


@dataclass(frozen=True, slots=True)
class _Layers:
    picture: Picture
    reduced: Reduced
    probability: NDArray[np.floating[Any]]
    """``(h, w)``, the highest over lesions."""


def _lesions(record: DatasetRecord) -> list[int]:
    lesions = [at for at, each in enumerate(record.classes) if each.kind == "lesion"]
    return lesions or list(range(len(record.classes)))


def _whole(
    image: str, *, store: Path, result: Result, record: DatasetRecord, judged: tuple[int, ...], side: int
) -> _Layers:
    target = picture_shape(*store_shape(store), side=side)
    reduced = reduce_masks(
        mask_raster(store, "truth") if judged else None,
        mask_raster(result.segmentation[image], "masks"),
        classes=len(record.classes),
        picture=target,
        judged=judged,
        ignored=mask_raster(store, "ignore"),
    )
    highest = (
        as_float16(level_of(result.probability[image], side=side))[_lesions(record)].max(axis=0).astype(np.float32)
    )
    return _Layers(store_picture(store, side=side), reduced, resized(highest, target))


def _crop(
    image: str, box: Box, *, store: Path, result: Result, record: DatasetRecord, judged: tuple[int, ...]
) -> _Layers:
    truth, masks = mask_raster(store, "truth") if judged else None, mask_raster(result.segmentation[image], "masks")
    found = (truth, masks, mask_raster(store, "ignore"))
    *parts, ignored = [None if each is None else each.part(box) for each in found]
    size = (box.height, box.width)
    reduced = reduce_masks(*parts, classes=len(record.classes), picture=size, judged=judged, ignored=ignored)
    probability = open_probability(result.probability[image]).read(box)[_lesions(record)].max(axis=0)
    return _Layers(store_box(store, box), reduced, probability.astype(np.float32))


def _panels(layers: _Layers, record: DatasetRecord, *, thickness: int) -> dict[str, Picture]:
    found: dict[str, Picture] = {}
    for name, masks, filled in (("truth", layers.reduced.truth, False), ("prediction", layers.reduced.masks, True)):
        if masks is not None:
            found[name] = overlays.draw_classes(layers.picture, masks, record, filled=filled, thickness=thickness)
    if layers.reduced.errors is not None:
        found["errors"] = overlays.errors(layers.picture, layers.reduced.errors)
    found["probability"] = overlays.heat(layers.picture, layers.probability)
    return found


CAPTIONS = {
    "truth": "Truth",
    "prediction": "Prediction",
    "errors": "Errors",
    "probability": "Probability",
}


def _save(
    panels: Mapping[str, Picture], folder: Path, *, image: str, part: str, box: Box | None, scale: float = 1.0
) -> tuple[Shot, ...]:
    shots = []
    for name, picture in panels.items():
        drawn = picture if box is None else framed(picture, box, scale=scale)
        shots.append(save_picture(drawn, folder, f"image.{image}.{part}.{name}.jpg", caption=CAPTIONS[name]))
    return tuple(shots)


def overlay(
    row: Mapping[str, Any], *, store: Path, result: Result, record: DatasetRecord, folder: Path, side: int
) -> Overlay:
    """Overlays of one image, written: the whole image, and one crop at full resolution at its most interesting place."""
    image = str(row["image_id"])
    judged = tuple(at for at, code in enumerate(record.codes) if row[f"pixels_{code}"] >= 0)
    layers = _whole(image, store=store, result=result, record=record, judged=judged, side=side)
    shape, height = store_shape(store), layers.picture.shape[0]
    known = [masks for masks in (layers.reduced.truth, layers.reduced.masks) if masks is not None]
    seen = np.logical_or.reduce(known)
    lesions = seen[_lesions(record)]
    box = overlays.interesting_box(lesions if lesions.any() else seen, shape=shape, side=CROP_SIDE)
    frame = box if box != Box.of_shape(*shape) else None
    whole = _panels(layers, record, thickness=1 + max(layers.picture.shape) // 400)
    shots = _save(whole, folder, image=image, part="whole", box=frame, scale=height / shape[0])
    crop: tuple[Shot, ...] = ()
    if frame is not None:
        near = _crop(image, box, store=store, result=result, record=record, judged=judged)
        crop = _save(_panels(near, record, thickness=2), folder, image=image, part="crop", box=None)
    codes = tuple(code for code in record.codes if row[f"pixels_{code}"] > 0)
    return Overlay(image, str(row["split"]), codes, shots, crop, box)
