"""Which pictures does the page show, and how do they come out of the stores? Always from the right pyramid level.

Level 0 is read as a whole only where it is no larger than a picture; masks, which have no pyramid, are read block by
block. What is shown is chosen by id, test images first, never by how well it came out.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline import stores
from pipeline.geometry import Box
from pipeline.manifest import DatasetRecord
from pipeline.report import overlays
from pipeline.report.overlays import Picture
from pipeline.report.reduce import ReadMasks, Reduced, picture_shape, reduce_masks
from pipeline.report.result import Decode, Result

__all__ = ["Overlay", "Pair", "Shot", "before_after", "overlay", "pairs_to_show", "results_to_show", "save_picture"]

CROP_SIDE = 288
PAIR_SIDE = 640
QUALITY = 90
SHOWN_SPLITS = ("test", "predict", "validation")


@dataclass(frozen=True, slots=True)
class Shot:
    """A picture file."""

    name: str
    """File name in the folder of figures."""
    caption: str
    width: int
    height: int
    dark: str = ""
    """The same for a dark page; empty where one file serves both."""


@dataclass(frozen=True, slots=True)
class Pair:
    """One image before and after normalisation."""

    image_id: str
    split: str
    centre: str
    shots: tuple[Shot, ...]


@dataclass(frozen=True, slots=True)
class Overlay:
    """One image with its results."""

    image_id: str
    split: str
    codes: tuple[str, ...]
    """Classes that it holds."""
    whole: tuple[Shot, ...]
    crop: tuple[Shot, ...]
    box: Box
    """Place of the crop."""


def save_picture(picture: Picture, folder: Path, name: str, *, caption: str) -> Shot:
    """Write a JPEG without colour subsampling, which would blur thin coloured lines."""
    options = [
        cv2.IMWRITE_JPEG_QUALITY,
        QUALITY,
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR,
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
    ]
    _, data = cv2.imencode(".jpg", np.ascontiguousarray(picture[..., ::-1]), options)
    (folder / name).write_bytes(data.tobytes())
    return Shot(name, caption, picture.shape[1], picture.shape[0])


def _resized(array: NDArray[Any], shape: tuple[int, int]) -> NDArray[Any]:
    return np.asarray(cv2.resize(array, shape[::-1], interpolation=cv2.INTER_AREA))


def _level(path: Path, *, side: int) -> NDArray[Any]:
    """The coarsest level of a pyramid whose longer side is still at least ``side``; the finest where none is."""
    metadata: Any = dict(stores.open_group(path).attrs)["ome"]
    levels = metadata["multiscales"][0]["datasets"]
    array = stores.open_array(path, "0")
    for each in levels[1:]:
        coarser = stores.open_array(path, each["path"])
        if max(coarser.shape[-2:]) < side:
            break
        array = coarser
    return np.asarray(array[:])


def _shape(path: Path) -> tuple[int, int]:
    height, width = stores.open_array(path, "0").shape[-2:]
    return int(height), int(width)


def _colours(path: Path, *, side: int) -> Picture:
    pixels = np.ascontiguousarray(np.moveaxis(_level(path, side=side), 0, 2))
    return np.asarray(_resized(pixels, picture_shape(*_shape(path), side=side)), dtype=np.uint8)


def _reader(path: Path, name: str) -> ReadMasks | None:
    if name not in stores.open_group(path):
        return None
    array = stores.open_array(path, name)

    def read(box: Box) -> NDArray[np.bool_]:
        block = np.asarray(stores.read_box(array, box) > 0)
        return block if block.ndim == 3 else block[None]

    return read


def _roi(path: Path, *, side: int) -> NDArray[np.bool_]:
    shape = _shape(path)
    target = picture_shape(*shape, side=side)
    reduced = reduce_masks(shape, classes=1, picture=target, truth=_reader(path, "roi"), masks=None, judged=())
    return np.zeros(target, dtype=bool) if reduced.truth is None else reduced.truth[0]


def pairs_to_show(table: pd.DataFrame, *, most: int) -> list[dict[str, Any]]:
    """Rows of the images table to show before and after: the first image of each centre, then the next by id."""
    usable = table[table["rejected"] == ""].sort_values("image_id")
    again = usable.groupby("centre", sort=False).cumcount()
    chosen = usable.assign(again=again).sort_values(["again", "image_id"]).head(most)
    return [{str(key): value for key, value in row.items()} for row in chosen.to_dict("records")]


def before_after(row: Mapping[str, Any], *, store: Path, decode: Decode | None, folder: Path, side: int) -> Pair:
    """Write the original (where it can be decoded) and the normalised picture with the outline of the roi."""
    image, side = str(row["image_id"]), min(side, PAIR_SIDE)
    roi, shots = _roi(store, side=side), []
    if decode is not None:
        original = decode()
        small = np.asarray(_resized(original, picture_shape(*original.shape[:2], side=side)), dtype=np.uint8)
        shots.append(save_picture(small, folder, f"image.{image}.before.jpg", caption="Original"))
    after = overlays.outline(_colours(store, side=side), ~roi, colour=(70, 190, 255), thickness=2)
    shots.append(save_picture(after, folder, f"image.{image}.after.jpg", caption="Normalised, roi outlined"))
    return Pair(image, str(row["split"]), str(row["centre"]), tuple(shots))


def results_to_show(table: pd.DataFrame, result: Result, *, most: int) -> list[dict[str, Any]]:
    """Rows of the images table that have results: test, then predict, then validation; by id within each."""
    held = table[table["image_id"].isin([*result.probability]) & table["image_id"].isin([*result.segmentation])]
    held = held[held["split"].isin(SHOWN_SPLITS)]
    order = held["split"].map({split: at for at, split in enumerate(SHOWN_SPLITS)})
    chosen = held.assign(order=order).sort_values(["order", "image_id"]).head(most)
    return [{str(key): value for key, value in row.items()} for row in chosen.to_dict("records")]


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
    shape = _shape(store)
    target = picture_shape(*shape, side=side)
    reduced = reduce_masks(
        shape, classes=len(record.classes), picture=target, truth=_reader(store, "truth") if judged else None,
        masks=_reader(result.segmentation[image], "masks"), judged=judged,
    )  # fmt: skip
    highest = _level(result.probability[image], side=side)[_lesions(record)].max(axis=0).astype(np.float32)
    return _Layers(_colours(store, side=side), reduced, _resized(highest, target))


def _crop(
    image: str, box: Box, *, store: Path, result: Result, record: DatasetRecord, judged: tuple[int, ...]
) -> _Layers:
    def shifted(read: ReadMasks | None) -> ReadMasks | None:
        return None if read is None else lambda inner: read(inner.shift(box.y0, box.x0))

    size = (box.height, box.width)
    reduced = reduce_masks(
        size, classes=len(record.classes), picture=size, truth=shifted(_reader(store, "truth")) if judged else None,
        masks=shifted(_reader(result.segmentation[image], "masks")), judged=judged,
    )  # fmt: skip
    pixels = np.moveaxis(stores.read_box(stores.open_array(store, "0"), box), 0, 2)
    probability = stores.read_box(stores.open_array(result.probability[image], "0"), box)[_lesions(record)].max(axis=0)
    return _Layers(np.ascontiguousarray(pixels), reduced, probability.astype(np.float32))


def _panels(layers: _Layers, record: DatasetRecord, *, thickness: int) -> dict[str, Picture]:
    colours = [each.rgb for each in record.classes]
    order = [record.codes.index(code) for code in reversed(record.order)]
    found: dict[str, Picture] = {}
    for name, masks, filled in (("truth", layers.reduced.truth, False), ("prediction", layers.reduced.masks, True)):
        if masks is not None:
            found[name] = overlays.draw_masks(
                layers.picture, masks, colours=colours, drawing_order=order, filled=filled, thickness=thickness
            )
    if layers.reduced.errors is not None:
        found["errors"] = overlays.errors(layers.picture, layers.reduced.errors)
    found["probability"] = overlays.heat(layers.picture, layers.probability)
    return found


CAPTIONS = {
    "truth": "Truth", "prediction": "Prediction", "errors": "Errors", "probability": "Probability of a lesion",
}  # fmt: skip


def _save(
    panels: Mapping[str, Picture], folder: Path, *, image: str, part: str, box: Box | None, scale: float = 1.0
) -> tuple[Shot, ...]:
    shots = []
    for name, picture in panels.items():
        drawn = picture if box is None else _framed(picture, box, scale=scale)
        shots.append(save_picture(drawn, folder, f"image.{image}.{part}.{name}.jpg", caption=CAPTIONS[name]))
    return tuple(shots)


def _framed(picture: Picture, box: Box, *, scale: float) -> Picture:
    corners = (round(box.x0 * scale), round(box.y0 * scale)), (round(box.x1 * scale) - 1, round(box.y1 * scale) - 1)
    framed = np.ascontiguousarray(picture).copy()
    cv2.rectangle(framed, *corners, (0, 0, 0), 4)
    cv2.rectangle(framed, *corners, (255, 255, 255), 2)
    return np.asarray(framed, dtype=np.uint8)


def overlay(
    row: Mapping[str, Any], *, store: Path, result: Result, record: DatasetRecord, folder: Path, side: int
) -> Overlay:
    """Write the pictures of one image: the whole of it, and one crop, pixel for pixel, where most is to be seen."""
    image = str(row["image_id"])
    judged = tuple(at for at, code in enumerate(record.codes) if row[f"pixels_{code}"] >= 0)
    layers = _whole(image, store=store, result=result, record=record, judged=judged, side=side)
    shape, height = _shape(store), layers.picture.shape[0]
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
