"""Contact sheet of a patch index: some of its patches, the same number for each class they were drawn for.

The choice depends only on ids: the same index gives the same sheet, and no patch is chosen by its look. For each class
every image gives one patch before any gives a second.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline import stores
from pipeline.arrays.raster import Raster
from pipeline.config.manifest import DatasetRecord
from pipeline.counts import number_of
from pipeline.geometry import Box
from pipeline.report.pictures import overlays
from pipeline.report.pictures.lettering import Label, lettered, text_width
from pipeline.report.pictures.overlays import RGB, Picture
from pipeline.report.pictures.reduce import reduce_masks
from pipeline.words import BACKGROUND

__all__ = ["PatchRow", "contact_sheet", "drawn_for", "rows_to_show"]

COLUMNS, TILE, GAP = 8, 148, 6
HEAD, FOOT, MARGIN = 34, 17, 14
GROUND, INK, FAINT = (255, 255, 255), (27, 37, 48), (91, 104, 118)
EMPTY = (223, 229, 236)
NEUTRAL: RGB = (255, 255, 255)


@dataclass(frozen=True, slots=True)
class PatchRow:
    """Row of the contact sheet."""

    what: str
    """Class code, ``background`` or ``grid``."""
    title: str
    patches: pd.DataFrame
    """Rows of the index that are shown."""


def drawn_for(frame: pd.DataFrame) -> "pd.Series[str]":
    """Target of each patch: a class code, ``background``, or ``grid``."""
    target = frame["target_class"].astype(object)
    return target.where(target.notna(), "grid").astype(str)


def _spread(rows: pd.DataFrame, *, most: int) -> pd.DataFrame:
    """Some rows, by their ids, turn by turn from each image."""
    order = pd.util.hash_array(rows["patch_id"].to_numpy(dtype=object))
    mixed = rows.assign(order=order).sort_values("order", kind="stable")
    turn = mixed.groupby("image_id", observed=True).cumcount()
    chosen = mixed.assign(turn=turn).sort_values(["turn", "order"], kind="stable").head(most)
    return chosen.sort_values(["image_id", "y", "x", "order"], kind="stable").drop(columns=["order", "turn"])


def rows_to_show(frame: pd.DataFrame, record: DatasetRecord, *, most: int = COLUMNS) -> list[PatchRow]:
    """Rows of the sheet: training patches, ``most`` of each class drawn for, or of each class held by a plain grid.

    Parameters
    ----------
    frame
        An index.
    record
        Classes.
    most
        Patches a class.
    """
    train = frame[(frame["split"] == "train") & ~frame["coverage"]]
    what, found = drawn_for(train), []
    names = {each.code: each.name for each in record.classes}
    for code in [*record.codes, BACKGROUND]:
        own = train[what == code]
        if len(own):
            title = f"drawn for {names.get(code, 'background: without any truth')}"
            found.append(PatchRow(code, f"{title}: {number_of(len(own), 'patch', 'patches')}", _spread(own, most=most)))
    grid = train[what == "grid"]
    for code in record.codes:
        own = grid[grid[f"pixels_{code}"] > 0]
        if len(own):
            title = (
                f"plain grid, those that hold {names[code]}: {len(own):,} of {number_of(len(grid), 'patch', 'patches')}"
            )
            found.append(PatchRow(code, title, _spread(own, most=most)))
    empty = grid[~grid["is_positive"] & (grid["roi_fraction"] > 0)]
    if len(empty):
        title = f"plain grid, without any truth: {len(empty):,} of {number_of(len(grid), 'patch', 'patches')}"
        found.append(PatchRow(BACKGROUND, title, _spread(empty, most=most)))
    return found


def contact_sheet(rows: Sequence[PatchRow], *, normalized: Mapping[str, Path], record: DatasetRecord) -> Picture:
    """Contact sheet, ``(h, w, 3)`` uint8 RGB.

    Parameters
    ----------
    rows
        What is shown.
    normalized
        Image id → store of stage normalized.
    record
        Classes, their colours, and which one lies on top.
    """
    columns = max((len(row.patches) for row in rows), default=1)
    width = 2 * MARGIN + columns * (TILE + GAP) - GAP
    widest = max((_title_width(row) for row in rows), default=0)
    strip = HEAD + TILE + FOOT
    sheet = np.full((2 * MARGIN + strip * len(rows), max(width, widest + 2 * MARGIN), 3), GROUND, dtype=np.uint8)
    labels = []
    for at, row in enumerate(rows):
        y0 = MARGIN + at * strip
        cv2.rectangle(sheet, (MARGIN, y0 + 9), (MARGIN + 13, y0 + 22), colour_of(row.what, record), -1)
        cv2.rectangle(sheet, (MARGIN, y0 + 9), (MARGIN + 13, y0 + 22), FAINT, 1)
        labels.append(Label(row.what, y0 + 7, MARGIN + 22, 14, INK, bold=True))
        labels.append(Label(row.title, y0 + 8, _title_start(row), 13, FAINT))
        for column, patch in enumerate(row.patches.to_dict("records")):
            x0 = MARGIN + column * (TILE + GAP)
            store = normalized[str(patch["image_id"])]
            sheet[y0 + HEAD : y0 + HEAD + TILE, x0 : x0 + TILE] = _tile(patch, store=store, record=record)
            labels.append(Label(_short(patch), y0 + HEAD + TILE + 2, x0, 10, FAINT))
    return lettered(sheet, labels)


def colour_of(what: str, record: DatasetRecord) -> RGB:
    """Colour of a class; white for background and grid."""
    return {each.code: each.rgb for each in record.classes}.get(what, NEUTRAL)


def _title_start(row: PatchRow) -> int:
    return MARGIN + 22 + text_width(row.what, size=14, bold=True) + 10


def _title_width(row: PatchRow) -> int:
    return _title_start(row) + text_width(row.title, size=13) - MARGIN


def _short(patch: Mapping[Any, Any]) -> str:
    """Image and place, the name cut so that it fits under a tile."""
    place = f" {patch['y']}, {patch['x']}"
    name = str(patch["image_id"])
    while text_width(name + place, size=10) > TILE and len(name) > 4:
        name = f"…{name[2:]}" if name.startswith("…") else f"…{name[1:]}"
    return name + place


def patch_box(patch: Mapping[Any, Any]) -> Box:
    """Box of a row of the index."""
    y, x = int(patch["y"]), int(patch["x"])
    return Box(y, x, y + int(patch["height"]), x + int(patch["width"]))


def _tile(patch: Mapping[Any, Any], *, store: Path, record: DatasetRecord) -> Picture:
    """One patch with its truth outlined, centred on grey where it is smaller than the others."""
    box = patch_box(patch)
    pixels = np.moveaxis(stores.read_box(stores.open_array(store, "0"), box), 0, 2)
    truth = stores.read_box(stores.open_array(store, "truth"), box) > 0
    factor = TILE / max(box.height, box.width)
    size = max(round(box.height * factor), 1), max(round(box.width * factor), 1)
    way = cv2.INTER_AREA if factor < 1 else cv2.INTER_NEAREST
    picture = np.asarray(cv2.resize(np.ascontiguousarray(pixels), size[::-1], interpolation=way), dtype=np.uint8)
    masks = _scaled(truth, size)
    drawn = overlays.draw_classes(picture, masks, record, filled=False)
    tile = np.full((TILE, TILE, 3), EMPTY, dtype=np.uint8)
    y0, x0 = (TILE - size[0]) // 2, (TILE - size[1]) // 2
    tile[y0 : y0 + size[0], x0 : x0 + size[1]] = drawn
    return tile


def _scaled(truth: NDArray[np.bool_], size: tuple[int, int]) -> NDArray[np.bool_]:
    """Masks at the size of a tile, downscaled without losing a lesion."""
    shape = (truth.shape[1], truth.shape[2])
    if size[0] > shape[0] or size[1] > shape[1]:
        large = [cv2.resize(each.astype(np.uint8), size[::-1], interpolation=cv2.INTER_NEAREST) > 0 for each in truth]
        return np.stack(large)
    found = reduce_masks(Raster.of(truth), classes=len(truth), picture=size)
    return np.zeros((len(truth), *size), dtype=bool) if found.truth is None else found.truth
