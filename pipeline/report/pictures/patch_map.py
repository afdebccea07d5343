"""Patch map of an image: the boxes of its patches over a small image, and the number of patches at each place."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.config.manifest import DatasetRecord
from pipeline.counts import number_of
from pipeline.report.pictures import overlays
from pipeline.report.pictures.lettering import Label, lettered
from pipeline.report.pictures.overlays import RGB, Picture
from pipeline.report.pictures.patch_sheet import colour_of, drawn_for
from pipeline.report.pictures.reduce import reduce_masks
from pipeline.report.pictures.store_pictures import mask_raster, store_picture, store_shape
from pipeline.words import BACKGROUND

__all__ = ["BoxMap", "box_map", "side_by_side", "times_seen"]

BRIGHTEST = 140
"""Grey level of the brightest places of the background, so that white and coloured lines stand out."""
CROWD = 40
"""Number of boxes drawn at full strength; the more boxes, the fainter each one."""
FAINTEST = 0.25
GAP, HEAD = 10, 28
GROUND, INK = (255, 255, 255), (27, 37, 48)


@dataclass(frozen=True, slots=True, eq=False)
class BoxMap:
    """Patch map: two pictures of one image and its patches."""

    boxes: Picture
    """Frames in the colours of what the patches were drawn for, dots on the pixels they were drawn for, truth outlined."""
    seen: Picture
    """Number of patches at each place, as heat from none to ``most``."""
    most: int
    """The largest number."""
    patches: int


def times_seen(boxes: NDArray[np.int64], *, shape: tuple[int, int], picture: tuple[int, int]) -> NDArray[np.int64]:
    """Count of the boxes over the middle of each pixel of a picture.

    Parameters
    ----------
    boxes
        ``(n, 4)``: y0, x0, y1, x1 in pixels of the image.
    shape
        ``(height, width)`` of the image.
    picture
        ``(h, w)`` of the picture.
    """
    middles = [(np.arange(small) + 0.5) * large / small for large, small in zip(shape, picture, strict=True)]
    steps = np.zeros((picture[0] + 1, picture[1] + 1), dtype=np.int64)
    rows, columns = (np.searchsorted(middle, boxes[:, [at, at + 2]]) for at, middle in enumerate(middles))
    for row, sign in ((0, 1), (1, -1)):
        for column in (0, 1):
            np.add.at(steps, (rows[:, row], columns[:, column]), sign * (1 - 2 * column))
    return np.asarray(steps.cumsum(axis=0).cumsum(axis=1)[:-1, :-1])


def box_map(store: Path, rows: pd.DataFrame, record: DatasetRecord, *, side: int) -> BoxMap:
    """Patch map of one image, both pictures.

    Parameters
    ----------
    store
        Store of stage normalized; of its image the pyramid level near ``side`` is read, of its truth all, in blocks.
    rows
        Rows of the index that are of this image.
    record
        Classes and colours.
    side
        Of a picture, pixels.
    """
    shape = store_shape(store)
    ground = _ground(store_picture(store, side=side))
    size = (ground.shape[0], ground.shape[1])
    truth = _truth(store, size=size, classes=len(record.classes))
    picture = ground if truth is None else overlays.draw_classes(ground, truth, record, filled=False)
    corners = np.column_stack([rows["y"], rows["x"], rows["y"] + rows["height"], rows["x"] + rows["width"]])
    boxes = corners.astype(np.int64)
    seen = times_seen(boxes, shape=shape, picture=size)
    most = int(seen.max(initial=0))
    scale = (size[0] / shape[0], size[1] / shape[1])
    drawn = _boxes(picture, boxes, rows, record, scale=scale)
    return BoxMap(drawn, overlays.heat(ground, seen / max(most, 1)), most, len(rows))


def _ground(picture: Picture) -> Picture:
    """The picture in grey, no brighter than lines on it."""
    grey = cv2.cvtColor(np.ascontiguousarray(picture), cv2.COLOR_RGB2GRAY).astype(np.float32)
    level = np.clip(grey * (BRIGHTEST / max(float(np.percentile(grey, 99)), 1.0)), 0, 255)
    return np.repeat(np.rint(level).astype(np.uint8)[:, :, None], 3, axis=2)


def _truth(store: Path, *, size: tuple[int, int], classes: int) -> NDArray[np.bool_] | None:
    return reduce_masks(mask_raster(store, "truth"), classes=classes, picture=size).truth


def side_by_side(found: BoxMap, *, title: str) -> Picture:
    """Sheet of both pictures, with what they show above them."""
    height, width = found.boxes.shape[:2]
    sheet = np.full((HEAD + height, 2 * width + GAP, 3), GROUND, dtype=np.uint8)
    sheet[HEAD:, :width], sheet[HEAD:, width + GAP :] = found.boxes, found.seen
    texts = (f"{title}: {_patches(found.patches)}", f"seen by up to {_patches(found.most)}")
    return lettered(sheet, [Label(text, 6, at * (width + GAP) + 2, 14, INK) for at, text in enumerate(texts)])


def _boxes(
    picture: Picture, boxes: NDArray[np.int64], rows: pd.DataFrame, record: DatasetRecord, *, scale: tuple[float, float]
) -> Picture:
    """Background and grid first, so that they do not hide what was drawn for a class."""
    what = drawn_for(rows)
    share = max(min(1.0, CROWD / max(len(rows), 1)), FAINTEST)
    drawn = picture.astype(np.float32)
    places = np.rint(boxes * np.array([*scale, *scale])).astype(np.int64)
    for code in ["grid", BACKGROUND, *reversed(record.order)]:
        colour = colour_of(code, record)
        for y0, x0, y1, x1 in places[(what == code).to_numpy()]:
            _frame(drawn, (int(y0), int(x0), int(y1), int(x1)), colour=colour, share=share)
    found = np.rint(drawn).astype(np.uint8)
    for code in reversed(record.order):
        own = rows[(what == code) & (rows["anchor_y"] >= 0)]
        anchors = [(y * scale[0], x * scale[1]) for y, x in zip(own["anchor_y"], own["anchor_x"], strict=True)]
        found = _dots(found, anchors, colour=colour_of(code, record))
    return found


def _frame(drawn: NDArray[np.float32], box: tuple[int, int, int, int], *, colour: RGB, share: float) -> None:
    y0, x0, y1, x1 = box
    y1, x1 = max(y1 - 1, y0), max(x1 - 1, x0)
    for line in (drawn[y0, x0 : x1 + 1], drawn[y1, x0 : x1 + 1], drawn[y0 + 1 : y1, x0], drawn[y0 + 1 : y1, x1]):
        line += share * (np.array(colour, dtype=np.float32) - line)


def _dots(picture: Picture, places: Sequence[tuple[float, float]], *, colour: RGB) -> Picture:
    drawn = np.ascontiguousarray(picture)
    for y, x in places:
        centre = (round(x), round(y))
        cv2.circle(drawn, centre, 3, (0, 0, 0), -1, cv2.LINE_AA)
        cv2.circle(drawn, centre, 2, colour, -1, cv2.LINE_AA)
    return drawn


def _patches(count: int) -> str:
    return number_of(count, "patch", "patches")
