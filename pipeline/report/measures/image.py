"""Measures of one image on one grid of pixels: counts and probability histograms, block by block."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline import stores
from pipeline.arrays.confusion import Confusion, LabelRule, confusion
from pipeline.arrays.contrast import RING, Light, ring_around
from pipeline.arrays.matching import LesionMatcher, Matching
from pipeline.arrays.metrics import Counts, Histogram, counts, probability_histogram
from pipeline.arrays.raster import Raster
from pipeline.arrays.surface import BorderPixels, Ruler, Surfaces
from pipeline.arrays.trivial import Region
from pipeline.errors import StoreError
from pipeline.geometry import BLOCK, Box, aligned_boxes
from pipeline.stores.probability_store import ProbabilityMap
from pipeline.words import BACKGROUND

__all__ = ["ImageMeasure", "Rules", "measure_image"]


@dataclass(frozen=True, slots=True)
class Rules:
    """Rules of measures."""

    match: float = 0.2
    """Share of a lesion that must be covered, and of a predicted component that must lie on truth."""
    ruler: Ruler = field(default_factory=Ruler)
    """Sides of a pixel, and the tolerance of borders."""
    labels: LabelRule | None = None
    """Rule for the label of a pixel, for the confusion matrix; None for no matrix."""


@dataclass(frozen=True, slots=True)
class ImageMeasure:
    """Counts and histograms of one image."""

    counts: Mapping[str, Counts]
    """Class code → counts; the background too where every class is annotated."""
    histograms: Mapping[str, Histogram]
    """Class code → pixels by probability, without and with truth."""
    truth_outside_roi: Mapping[str, int]
    """Class code → truth pixels that inference skips."""
    regions: Mapping[str, Region]
    """Class code → its pixels inside the roi; for the background all pixels count as inside."""
    lesions: Mapping[str, Matching]
    """Class code → its lesions, and which of them are found."""
    surfaces: Mapping[str, Surfaces]
    """Class code → distances between the borders of truth and prediction."""
    confusion: Confusion | None = None
    """Confusion of labels; None if not every class is annotated, or not requested."""
    pixel_area: float = 1.0
    """Of a pixel of the grid, in pixels of the original."""


def measure_image(
    planes: Mapping[str, Any],
    *,
    codes: tuple[str, ...],
    annotated: tuple[str, ...],
    rules: Rules | None = None,
) -> ImageMeasure:
    """Counts, histograms, lesions and borders of one image, compared block by block.

    Parameters
    ----------
    planes
        ``truth``, ``masks``, ``probability`` ``(class, y, x)`` and ``roi`` ``(y, x)``: Zarr arrays, NumPy arrays or
        rasters. ``ignore`` ``(y, x)``, where there is one, holds pixels that count nothing; ``grey`` ``(y, x)`` uint8,
        where there is one, are grey levels of the picture, for contrasts.
    codes
        Class codes along the class axis.
    annotated
        Those that somebody looked for in this image.
    rules
        How lesions are matched, borders compared, and labels given.

    Raises
    ------
    StoreError
        The arrays do not cover the same pixels.
    """
    _one_grid(planes, classes=len(codes))
    rules = rules or Rules()
    total = dict.fromkeys([*annotated, *([BACKGROUND] if annotated == codes else [])], Counts())
    histograms: dict[str, Histogram] = {}
    outside = dict.fromkeys(annotated, 0)
    regions = dict.fromkeys(total, Region())
    height, width = planes["roi"].shape
    matchers = {code: LesionMatcher(width, match=rules.match) for code in annotated}
    borders = {code: BorderPixels(height, width) for code in annotated}
    confused = np.zeros((len(codes) + 1,) * 2, np.int64)
    for box in aligned_boxes(height, width, BLOCK):
        block = {name: _block(plane, box) for name, plane in planes.items() if name != "grey"}
        truth, masks, roi = (block[name] > 0 for name in ("truth", "masks", "roi"))
        within = block["ignore"] == 0 if "ignore" in block else None
        inside = roi if within is None else roi & within
        light = _light(planes, box) if "grey" in planes and (truth.any() or masks.any()) else None
        for code in annotated:
            at = codes.index(code)
            total[code] += counts(truth[at], masks[at], within)
            histogram = probability_histogram(block["probability"][at], truth[at], within)
            histograms[code] = histograms[code] + histogram if code in histograms else histogram
            outside[code] += int(np.count_nonzero(truth[at] & ~roi))
            regions[code] += _region(inside, truth[at], masks[at])
            pixels = truth[at], masks[at], block["probability"][at]
            matchers[code].add(box, *(pixels if within is None else (each * within for each in pixels)), light=light)
            borders[code].add(box, truth[at], masks[at], None if within is None else ~within)
        if BACKGROUND in total:
            total[BACKGROUND] += counts(~np.logical_or.reduce(truth), ~np.logical_or.reduce(masks), within)
            if rules.labels is not None:
                confused += confusion(truth, masks, block["probability"], within, rule=rules.labels)
    if BACKGROUND in total:
        found = total[BACKGROUND]
        regions[BACKGROUND] = Region(found.truth + found.fp + found.tn, found.truth, found.tp + found.fp)
    lesions = {code: matcher.result() for code, matcher in matchers.items()}
    surfaces = {code: each.result(rules.ruler) for code, each in borders.items()}
    matrix = confused if rules.labels is not None and BACKGROUND in total else None
    area = rules.ruler.height * rules.ruler.width
    return ImageMeasure(total, histograms, outside, regions, lesions, surfaces, matrix, area)


def _light(planes: Mapping[str, Any], box: Box) -> Light:
    """Grey levels of a block and its rings, which extend beyond it; read only if the block holds a region."""
    around = box.grow(RING, Box.of_shape(*planes["roi"].shape))
    near = {name: _block(planes[name], around) for name in planes if name != "probability"}
    usable, inner = near["roi"] > 0, box.shift(-around.y0, -around.x0)
    if "ignore" in near:
        usable &= near["ignore"] == 0
    rings = (ring_around(near["grey"], usable & ~(near[side] > 0).any(axis=0), inner) for side in ("truth", "masks"))
    return Light(near["grey"][inner.slices], *rings)


def _region(inside: NDArray[np.bool_], truth: NDArray[np.bool_], mask: NDArray[np.bool_]) -> Region:
    return Region(*(int(np.count_nonzero(each)) for each in (inside, inside & truth, inside & mask)))


def _block(plane: Any, box: Box) -> NDArray[Any]:  # noqa: ANN401 Zarr, NumPy, a raster or a map
    if isinstance(plane, np.ndarray):
        return plane[(..., *box.slices)]
    return plane.read(box) if isinstance(plane, ProbabilityMap | Raster) else stores.read_box(plane, box)


def _one_grid(planes: Mapping[str, Any], *, classes: int) -> None:
    expected = (classes, *planes["roi"].shape)
    for name in ("truth", "masks", "probability"):
        found = planes[name].shape
        if found != (expected[1:] if isinstance(planes[name], Raster) else expected):
            raise StoreError(
                "Results do not cover the normalised image.",
                where=f"array {name}",
                found=found,
                expected=f"(class, y, x) = {expected}",
                remedy="Run the stages after normalized again.",
            )
