"""Section on window borders: a table of the fusions of the shown model, and its worst seam in each of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline import stores
from pipeline.config.manifest import DatasetRecord
from pipeline.counts import number_of
from pipeline.geometry import Box, clip_start
from pipeline.report.measures.steps import borders_of_map
from pipeline.report.page.choice import MEASURED_SPLITS
from pipeline.report.page.facts import Facts
from pipeline.report.page.tables.cells import DASH, Cell, Table, counted, number
from pipeline.report.paths import Result
from pipeline.report.pictures import overlays
from pipeline.report.pictures.overlays import Picture
from pipeline.report.pictures.store_pictures import Shot, save_picture, store_box, store_shape
from pipeline.report.store_notes import store_notes
from pipeline.stores.probability_store import ProbabilityMap, open_probability

__all__ = ["PlaceShown", "borders_section", "fusions_table"]

SIDE = 160
"""Pixels of the image that a picture shows."""
ZOOM = 3
AROUND = 32
"""Pixels along a line over which its steps are added to find where the seam is worst."""
LEAST_TOP = 0.02
"""Least probability that the brightest colour of a place stands for."""
NAMES = {"none": "no overlap", "max": "maximum", "mean": "mean", "gaussian": "Gaussian"}
HEAD = (
    Cell("Fusion", kind="text"),
    Cell("Step across borders", hint="mean |difference| of neighbours on both sides of a border"),
    Cell("Step beside", hint="the same across lines 2 and 4 pixels beside the borders"),
    Cell("Seam error", hint="step across borders less step beside; 0 without a seam"),
    Cell("False regions", hint="regions of the masks that touch no truth"),
    Cell("Lonely false regions", hint="false regions that the mask of the mean does not touch"),
)


@dataclass(frozen=True, slots=True)
class PlaceShown:
    """Place in the maps of all fusions, with its pictures."""

    text: str
    """What there is to see, and where."""
    shots: tuple[Shot, ...]
    top: str
    """Probability of the brightest colour."""


def _pooled(rows: pd.DataFrame) -> tuple[float, float]:
    """Mean step across borders and beside them, over all pairs of neighbours together."""
    sums = rows[["border_step", "border_pixels", "beside_step", "beside_pixels"]].sum()
    pairs = ((sums["border_step"], sums["border_pixels"]), (sums["beside_step"], sums["beside_pixels"]))
    across, beside = (float(step / pixels) if pixels else float("nan") for step, pixels in pairs)
    return across, beside


def _count(rows: pd.DataFrame, name: str) -> Cell:
    known = rows[rows[f"{name}_regions"] >= 0]
    if not len(known):
        return Cell(DASH, hint="nobody annotated these images, or there is no map of the mean")
    pixels = counted(int(known[f"{name}_pixels"].sum()))
    return Cell(counted(int(known[f"{name}_regions"].sum())), note=f"{pixels} px")


def fusions_table(frame: pd.DataFrame, *, caption: str) -> Table:
    """Table of fusions, one row each, over all images and classes of a table of borders."""
    pooled = {
        fusion: _pooled(frame[frame["fusion"] == fusion]) for fusion in NAMES if (frame["fusion"] == fusion).any()
    }
    excess = {fusion: across - beside for fusion, (across, beside) in pooled.items()}
    top = max((value for value in excess.values() if value > 0), default=1.0)
    rows = []
    for fusion, (across, beside) in pooled.items():
        own = frame[frame["fusion"] == fusion]
        share = max(0.0, excess[fusion]) / top
        rows.append(
            (
                Cell(
                    NAMES[fusion],
                    kind="text",
                    strong=True,
                    note=f"window {own['window'].iloc[0]}, stride {own['stride'].iloc[0]}",
                ),
                Cell(number(across, digits=4)),
                Cell(number(beside, digits=4)),
                Cell(number(excess[fusion], digits=4), share=share if share == share else None),
                _count(own, "false"),
                _count(own, "lonely"),
            )
        )
    return Table(caption, HEAD, tuple(rows))


def _first(rows: pd.DataFrame, *, by: str) -> Mapping[str, Any] | None:
    """The row of the largest value, the first of equals."""
    if not len(rows):
        return None
    found: list[dict[Any, Any]] = rows.sort_values(by, ascending=False, kind="stable").head(1).to_dict("records")
    return found[0]


def _square(y: int, x: int, height: int, width: int) -> Box:
    rows, columns = min(SIDE, height), min(SIDE, width)
    y0, x0 = clip_start(y - rows // 2, rows, height), clip_start(x - columns // 2, columns, width)
    return Box(y0, x0, y0 + rows, x0 + columns)


def _place(row: Mapping[str, Any], maps: ProbabilityMap, *, at: int) -> Box:
    """The square around the part of the worst line where steps are largest."""
    height, width = maps.shape[1:]
    line, across = int(row["worst_line"]), row["worst_axis"] == "y"
    box = Box(line - 1, 0, line + 1, width) if across else Box(0, line - 1, height, line + 1)
    pair = maps.read(box)[at].astype(np.float32)
    steps = np.abs(pair[1] - pair[0] if across else pair[:, 1] - pair[:, 0])
    along = int(np.argmax(np.round(np.convolve(steps, np.ones(AROUND), mode="same"), 4)))
    return _square(*((line, along) if across else (along, line)), height, width)


def _ticks(picture: Picture, box: Box, lines: tuple[Sequence[int], Sequence[int]]) -> Picture:
    """Marks at the margin where borders of windows run, so that the seam itself stays to be seen."""
    drawn = np.ascontiguousarray(picture).copy()
    height, width = drawn.shape[:2]
    for line in lines[0]:
        if box.y0 < line < box.y1:
            y = (line - box.y0) * ZOOM
            for x in ((0, 14), (width - 15, width - 1)):
                cv2.line(drawn, (x[0], y), (x[1], y), (255, 255, 255), 2)
    for line in lines[1]:
        if box.x0 < line < box.x1:
            x0 = (line - box.x0) * ZOOM
            for y0 in ((0, 14), (height - 15, height - 1)):
                cv2.line(drawn, (x0, y0[0]), (x0, y0[1]), (255, 255, 255), 2)
    return np.asarray(drawn, dtype=np.uint8)


def _large(picture: NDArray[Any]) -> Picture:
    return np.repeat(np.repeat(picture, ZOOM, axis=0), ZOOM, axis=1)


def _lines(path: Path, *, fusion: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
    notes = store_notes(path)
    window, stride = int(notes["window"]), int(notes["stride"])
    return borders_of_map(store_shape(path), window=window, stride=stride, overlapping=fusion != "none")


def _strip(
    maps: Mapping[str, Path], box: Box, *, store: Path, at: int, folder: Path, name: str
) -> tuple[tuple[Shot, ...], float]:
    """Pictures of a place, and the probability that their brightest colour stands for: steps between low ones are seen, too."""
    ground = store_box(store, box)
    read = {fusion: open_probability(path).read(box)[at].astype(np.float32) for fusion, path in maps.items()}
    top = min(1.0, max(LEAST_TOP, *(float(each.max(initial=0)) for each in read.values())))
    shots = [save_picture(_large(ground), folder, f"{name}.image.jpg", caption="Normalised image")]
    for fusion, values in read.items():
        drawn = _ticks(_large(overlays.heat(ground, values / top)), box, _lines(maps[fusion], fusion=fusion))
        shots.append(save_picture(drawn, folder, f"{name}.{fusion}.jpg", caption=NAMES[fusion].capitalize()))
    return tuple(shots), top


def _where(row: Mapping[str, Any], box: Box) -> str:
    return (
        f"{row['image_id']}, {row['class_code']}, {NAMES[str(row['fusion'])]}, rows {box.y0}–{box.y1}, columns"
        f" {box.x0}–{box.x1}"
    )


@dataclass(frozen=True, slots=True)
class _Pictures:
    """Makes a row of pictures of one place."""

    results: Sequence[Result]
    model: str
    record: DatasetRecord
    normalized: Mapping[str, Path]
    folder: Path

    def _maps(self, image: str) -> dict[str, Path]:
        own = [each for each in self.results if each.model == self.model and image in each.probability]
        return {each.fusion: each.probability[image] for each in own}

    def _row(self, row: Mapping[str, Any], box: Box, *, name: str, text: str) -> PlaceShown:
        image, at = str(row["image_id"]), self.record.codes.index(str(row["class_code"]))
        shots, top = _strip(self._maps(image), box, store=self.normalized[image], at=at, folder=self.folder, name=name)
        return PlaceShown(f"{text}: {_where(row, box)}", shots, number(top, digits=2))

    def seam(self, frame: pd.DataFrame) -> PlaceShown | None:
        row = _first(frame[frame["worst_line"] >= 0], by="worst_excess")
        if row is None:
            return None
        maps = open_probability(self._maps(str(row["image_id"]))[str(row["fusion"])])
        box = _place(row, maps, at=self.record.codes.index(str(row["class_code"])))
        return self._row(row, box, name="borders.seam", text="The worst seam")

    def lonely(self, frame: pd.DataFrame) -> PlaceShown | None:
        row = _first(frame[(frame["fusion"] == "gaussian") & (frame["lonely_regions"] > 0)], by="lonely_largest")
        if row is None:
            return None
        height, width = store_shape(self.normalized[str(row["image_id"])])
        box = _square(int(row["lonely_y"]), int(row["lonely_x"]), height, width)
        text = f"The largest false region of Gaussian weights alone, {counted(int(row['lonely_largest']))} px"
        return self._row(row, box, name="borders.lonely", text=text)


def borders_section(facts: Facts) -> dict[str, Any] | None:
    """Content of the section on window borders of the shown model, its pictures written; None if nothing was measured."""
    shown, tables = facts.choice.result if facts.choice else None, facts.inputs.borders
    if shown is None or shown.model not in tables:
        return None
    frame = stores.read_table(tables[shown.model])
    frame = frame.astype(dict.fromkeys(["image_id", "split", "fusion", "class_code"], str))
    split = next((split for split in MEASURED_SPLITS if (frame["split"] == split).any()), None)
    if split is None:
        return None
    frame = frame[frame["split"] == split]
    count = frame["image_id"].nunique()
    caption = f"{shown.model}, {number_of(count, f'{split} image')}, classes pooled"
    pictures = _Pictures(facts.results, shown.model, facts.record, facts.inputs.normalized, facts.folder)
    places = [place for place in (pictures.seam(frame), pictures.lonely(frame)) if place]
    return {"fusions": fusions_table(frame, caption=caption), "places": places}
