"""Seam error at window borders, and lonely false positives, of each fusion, from the maps themselves.

Seam error of a fusion: the mean absolute difference of neighbouring pixels across its window borders, minus that across
the lines two and four pixels beside them. The truth crosses both equally, so without a seam it is 0.

Lonely false positive: a region of a mask that touches neither the truth nor the mask of fusion ``mean``, and is not
wholly ignored. With Gaussian weights the window with the pixel in its middle dominates, so predictions of a single
window come through.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pipeline import stores
from pipeline.arrays.components import component_table, relabel
from pipeline.arrays.raster import Raster
from pipeline.report.measures.evaluated import evaluated_images
from pipeline.report.measures.steps import Profile, borders_of_map, lines_beside, step_profiles
from pipeline.report.store_notes import store_notes
from pipeline.stores import raster_of
from pipeline.stores.atomic import file_in_progress
from pipeline.stores.image_store import ignored_array
from pipeline.stores.job import Job
from pipeline.stores.probability_store import open_probability

__all__ = ["COLUMNS", "COMPARED_WITH", "Lonely", "Seam", "lonely_regions", "measure_seams", "write_borders"]

COMPARED_WITH = "mean"
"""The fusion whose masks decide which false positives are lonely."""

COLUMNS = {
    "image_id": "category",
    "split": "category",
    "fusion": "category",
    "class_code": "category",
    "window": "int32",
    "stride": "int32",
    "border_lines": "int32",
    "border_step": "float64",
    "border_pixels": "int64",
    "beside_step": "float64",
    "beside_pixels": "int64",
    "worst_axis": "category",
    "worst_line": "int32",
    "worst_excess": "float64",
    "false_regions": "int64",
    "false_pixels": "int64",
    "lonely_regions": "int64",
    "lonely_pixels": "int64",
    "lonely_y": "int32",
    "lonely_x": "int32",
    "lonely_largest": "int64",
}
"""One row per image, fusion and class. Steps are sums over pairs of neighbours, so that ratios can be pooled; the worst
line is the one whose steps exceed those beside it most, in sum (−1 where the map is smooth). False regions touch no
truth (−1 where nobody looked) and are not wholly ignored, their pixels are those that are not ignored, lonely ones not
the mask of the mean either (−1 where there is none); ``lonely_y`` and ``lonely_x`` are the middle of the box around the
largest of these, ``lonely_largest`` its pixels."""


@dataclass(frozen=True, slots=True)
class Seam:
    """Steps of one class across the borders of windows and beside them."""

    lines: int
    border_step: float
    border_pixels: int
    beside_step: float
    beside_pixels: int
    worst_axis: str
    worst_line: int
    worst_excess: float

    @property
    def excess(self) -> float:
        """Mean step across borders minus that beside them; NaN where the map is empty there."""
        if not self.border_pixels or not self.beside_pixels:
            return float("nan")
        return self.border_step / self.border_pixels - self.beside_step / self.beside_pixels


def _worst(profile: Profile, at: int, lines: Sequence[int]) -> tuple[float, int]:
    length = profile.total.shape[1]
    worst = (0.0, -1)
    for line in lines:
        beside = list(lines_beside([line], length=length))
        usual = profile.total[at, beside].sum() / max(profile.pixels[at, beside].sum(), 1)
        excess = float(profile.total[at, line] - usual * profile.pixels[at, line])
        worst = max(worst, (excess, line)) if excess > 0 else worst
    return worst


def _seam(profiles: Sequence[Profile], at: int, lines: Sequence[tuple[int, ...]]) -> Seam:
    sums = np.zeros(4)
    worst = (0.0, -1, "")
    for profile, own, axis in zip(profiles, lines, "yx", strict=True):
        beside = list(lines_beside(own, length=profile.total.shape[1]))
        for to, chosen in ((0, list(own)), (2, beside)):
            sums[to : to + 2] += profile.total[at, chosen].sum(), profile.pixels[at, chosen].sum()
        worst = max(worst, (*_worst(profile, at, own), axis))
    count = sum(map(len, lines))
    return Seam(count, float(sums[0]), int(sums[1]), float(sums[2]), int(sums[3]), worst[2], worst[1], worst[0])


def measure_seams(
    maps: Raster[np.floating], *, classes: int, window: int, stride: int, overlapping: bool
) -> tuple[Seam, ...]:
    """Seam error of a map, one per class.

    Parameters
    ----------
    maps
        Probabilities ``(class, y, x)``, read block by block.
    classes
        Their number.
    window, stride
        Side and stride of its windows.
    overlapping
        Whether overlapping windows were fused.
    """
    profiles = step_profiles(maps, classes=classes)
    lines = borders_of_map(maps.shape, window=window, stride=stride, overlapping=overlapping)
    return tuple(_seam(profiles, at, lines) for at in range(classes))


@dataclass(frozen=True, slots=True)
class Lonely:
    """Regions that touch nothing."""

    regions: int = -1
    pixels: int = -1
    largest: int = 0
    """Pixels of the largest."""
    y: int = -1
    """Row of the middle of its box."""
    x: int = -1
    """Column of the same."""


def lonely_regions(
    mask: Raster[np.generic], *, others: Sequence[Raster[np.generic]], ignored: Raster[np.generic] | None = None
) -> Lonely:
    """Lonely regions of a class, which touch no pixel of other masks; read strip by strip.

    Only pixels that are not ignored count, and a region without any does not count.

    Parameters
    ----------
    mask
        Of one class.
    others
        Masks of the same class and size.
    ignored
        Pixels that nobody is sure of.
    """
    table = component_table(mask)
    touched, unsure = np.zeros(len(table), bool), np.zeros(len(table), np.int64)
    for index, box in enumerate(table.boxes if len(table) else ()):
        labels = relabel(table, index, mask.read(box))
        for other in others:
            found = labels[other.read(box) != 0]
            touched[found[found >= 0]] = True
        if ignored is not None:
            unsure += np.bincount(labels[(labels >= 0) & (ignored.read(box) != 0)], minlength=len(table))
    touched |= unsure == table.area
    if touched.all():
        return Lonely(0, 0)
    area = np.where(touched, 0, table.area - unsure)
    box = table.box(int(np.argmax(area)))
    middle = (box.y0 + box.y1) // 2, (box.x0 + box.x1) // 2
    return Lonely(int(np.count_nonzero(~touched)), int(area.sum()), int(area.max()), *middle)


@dataclass(frozen=True, slots=True)
class _Image:
    image_id: str
    split: str
    truth: Any
    ignored: Raster[np.generic] | None
    """Pixels that nobody is sure of."""
    known: tuple[bool, ...]
    """For each class, whether somebody looked for it."""
    probability: Mapping[str, Path]
    """Fusion → store."""
    masks: Mapping[str, Any]

    def rows(self, codes: tuple[str, ...]) -> Iterator[dict[str, Any]]:
        for fusion, path in self.probability.items():
            notes = store_notes(path)
            window, stride = int(notes["window"]), int(notes["stride"])
            maps, overlapping = open_probability(path).raster, fusion != "none"
            seams = measure_seams(maps, classes=len(codes), window=window, stride=stride, overlapping=overlapping)
            for at, (code, seam) in enumerate(zip(codes, seams, strict=True)):
                yield {
                    "image_id": self.image_id,
                    "split": self.split,
                    "fusion": fusion,
                    "class_code": code,
                    "window": window,
                    "stride": stride,
                    "border_lines": seam.lines,
                    "border_step": seam.border_step,
                    "border_pixels": seam.border_pixels,
                    "beside_step": seam.beside_step,
                    "beside_pixels": seam.beside_pixels,
                    "worst_axis": seam.worst_axis,
                    "worst_line": seam.worst_line,
                    "worst_excess": seam.worst_excess,
                    **self._false(fusion, at),
                }

    def _false(self, fusion: str, at: int) -> dict[str, int]:
        false = lonely = Lonely()
        if self.known[at]:
            mask, truth = raster_of(self.masks[fusion], at), raster_of(self.truth, at)
            false = lonely_regions(mask, others=[truth], ignored=self.ignored)
            if COMPARED_WITH in self.masks:
                others = [truth, raster_of(self.masks[COMPARED_WITH], at)]
                lonely = lonely_regions(mask, others=others, ignored=self.ignored)
        return {
            "false_regions": false.regions,
            "false_pixels": false.pixels,
            "lonely_regions": lonely.regions,
            "lonely_pixels": lonely.pixels,
            "lonely_y": lonely.y,
            "lonely_x": lonely.x,
            "lonely_largest": lonely.largest,
        }


def write_borders(
    images: Path,
    *,
    probability: Mapping[str, Mapping[str, Path]],
    segmentation: Mapping[str, Mapping[str, Path]],
    normalized: Mapping[str, Path],
    folds: Sequence[int],
    job: Job,
    output: Path,
) -> None:
    """Table of window borders ``report/{model}.borders.parquet``, see ``COLUMNS``.

    Parameters
    ----------
    images
        ``raw/images.parquet``.
    probability, segmentation
        Fusion → image id → store.
    normalized
        Image id → store.
    folds
        Fold of the model, or of each member of the ensemble; it decides which images validate.
    job
        Facts of the data set, record of origin.
    output
        The table.
    """
    table = stores.read_table(images)
    rows: list[dict[str, Any]] = []
    for each in evaluated_images(table, codes=job.record.codes, folds=folds):
        image = each.image_id
        maps = {fusion: paths[image] for fusion, paths in probability.items() if image in paths}
        masks = {fusion: stores.open_array(segmentation[fusion][image], "masks") for fusion in maps}
        if maps:
            known = tuple(code in each.annotated for code in job.record.codes)
            truth = stores.open_array(normalized[image], "truth")
            unsure = ignored_array(normalized[image])
            ignored = None if unsure is None else raster_of(unsure)
            rows += _Image(image, each.split, truth, ignored, known, maps, masks).rows(job.record.codes)
    frame = pd.DataFrame(rows, columns=list(COLUMNS)).astype(COLUMNS)
    with file_in_progress(output) as partial:
        stores.write_table(frame, partial, provenance=job.provenance.as_attributes())
