"""Lesion-wise matching of a prediction with the truth, and free-response counts (FROC), block by block.

A lesion is an 8-connected component of the truth. It is found if the prediction of its class covers at least the share
``match`` of its pixels. A predicted component is false if less than ``match`` of its pixels lie on truth of that class.
With ``match`` 0 one common pixel is enough, in both directions. A lesion is split if more than one predicted component
touches it; a predicted component is merged if it touches more than one lesion.

FROC applies the same rules to the mask of probabilities at or above each of 20 thresholds (Bunch et al., J. Appl.
Photogr. Eng. 4, 1978).

Shape, contrast and holes of each lesion and predicted component are measured too, see `pipeline.arrays.shapes`.

Only sums per component and one row of blocks stay in memory. Sums are integers, so neither the size of an image nor
that of its blocks changes a number.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.arrays.component_sums import ComponentSums, Pieces, pieces_of
from pipeline.arrays.contrast import Light
from pipeline.arrays.holes import HoleFinder
from pipeline.arrays.runs import Ints, overlapping
from pipeline.arrays.shapes import LARGEST, SUMS, Shapes, shape_pieces, shapes_of
from pipeline.geometry import Box

__all__ = ["THRESHOLDS", "LesionMatcher", "Matching"]

THRESHOLDS = tuple((number + 0.5) / 20 for number in range(20))
"""Thresholds of FROC."""
TOLERANCE = 1e-6
"""Tolerance in pixels: in binary a fifth of 35 is a little more than 7."""


@dataclass(frozen=True, slots=True, eq=False)
class Matching:
    """Lesions of the truth and components of the prediction, of one class and image, in raster order of first pixels."""

    area: Ints
    """Pixels of each lesion ``(lesion,)``."""
    shapes: Shapes
    """Shapes of the lesions."""
    holes: Ints
    """Holes of each lesion, and their pixels ``(2, lesion)``."""
    covered: Ints
    """Pixels of each lesion that the prediction covers ``(lesion,)``."""
    found: NDArray[np.bool_]
    """Whether each lesion is found ``(lesion,)``."""
    pieces: Ints
    """Components of the prediction that touch each lesion ``(lesion,)``; above 1 it is split."""
    predicted_area: Ints
    """Pixels of each component of the prediction ``(component,)``."""
    predicted_shapes: Shapes
    """Shapes of the components of the prediction."""
    predicted_holes: Ints
    """Holes of each component, and their pixels ``(2, component)``."""
    on_truth: Ints
    """Pixels of each component that lie on truth ``(component,)``."""
    false: NDArray[np.bool_]
    """Whether each component is false ``(component,)``."""
    joined: Ints
    """Lesions that each component touches ``(component,)``; above 1 it is merged."""
    froc_found: Ints
    """Lesions found at each threshold ``(threshold,)``."""
    froc_false: Ints
    """False components at each threshold ``(threshold,)``."""


class LesionMatcher:
    """Matcher of one class of one image, whose blocks come row by row from the top.

    Parameters
    ----------
    width
        Columns of the image.
    match
        Share of a lesion that must be covered, and of a predicted component that must lie on truth, 0…1.
    thresholds
        Thresholds of FROC, ascending.
    """

    def __init__(self, width: int, *, match: float = 0.2, thresholds: Sequence[float] = THRESHOLDS) -> None:
        self._stride, self._match = width + 1, match
        self._thresholds = np.array(thresholds, np.float32)
        covered = SUMS + 1 + LARGEST
        self._truth = ComponentSums(covered + len(thresholds), stride=self._stride, maxima=LARGEST)
        self._mask = ComponentSums(covered, stride=self._stride, maxima=LARGEST)
        self._holes = HoleFinder(width), HoleFinder(width)
        self._levels = [ComponentSums(2, stride=self._stride) for _ in thresholds]
        self._touching: list[Ints] = [np.zeros((2, 0), np.int64)]
        self._row: list[_Block] = []
        self._top = self._bottom = 0

    def add(
        self,
        box: Box,
        truth: NDArray[np.bool_],
        mask: NDArray[np.bool_],
        probability: NDArray[np.floating],
        *,
        light: Light | None = None,
    ) -> None:
        """A block: truth and predicted mask, and probability of the class, each ``(y, x)``; grey levels for contrasts."""
        if self._row and box.y0 >= self._bottom:
            self._finish_row()
        self._top, self._bottom = box.y0, box.y1
        block = _block(box, truth, mask, probability, light, stride=self._stride, thresholds=self._thresholds)
        self._row.append(block)

    def _finish_row(self) -> None:
        lesions, lesion = self._truth.add([each.truth for each in self._row], bottom=self._bottom)
        components, component = self._mask.add([each.mask for each in self._row], bottom=self._bottom)
        for finder, runs, number in zip(self._holes, (lesions, components), (lesion, component), strict=True):
            finder.add(runs, number, top=self._top, bottom=self._bottom)
        first, second = overlapping(lesions, components)
        self._touching.append(np.unique(np.stack([lesion[first], component[second]]), axis=1))
        for at, level in enumerate(self._levels):
            level.add([each.levels[at] for each in self._row], bottom=self._bottom)
        self._row = []

    def result(self) -> Matching:
        """Matching over all blocks."""
        if self._row:
            self._finish_row()
        truth, lesion_of = self._truth.result()
        mask, component_of = self._mask.result()
        provisional = np.concatenate(self._touching, axis=1)
        pairs = np.unique(np.stack([lesion_of[provisional[0]], component_of[provisional[1]]]), axis=1)
        levels = [level.result()[0] for level in self._levels]
        at_level = [_enough(covered, truth[0], match=self._match) for covered in truth[SUMS + 1 : -LARGEST]]
        holes, predicted_holes = (
            np.stack(finder.result(of, regions=sums.shape[1]))
            for finder, of, sums in zip(self._holes, (lesion_of, component_of), (truth, mask), strict=True)
        )
        return Matching(
            truth[0],
            shapes_of(truth),
            holes,
            truth[SUMS],
            _enough(truth[SUMS], truth[0], match=self._match),
            np.bincount(pairs[0], minlength=truth.shape[1]).astype(np.int64),
            mask[0],
            shapes_of(mask),
            predicted_holes,
            mask[SUMS],
            ~_enough(mask[SUMS], mask[0], match=self._match),
            np.bincount(pairs[1], minlength=mask.shape[1]).astype(np.int64),
            np.array([int(found.sum()) for found in at_level], np.int64),
            np.array([int((~_enough(on, area, match=self._match)).sum()) for area, on in levels], np.int64),
        )


@dataclass(frozen=True, slots=True, eq=False)
class _Block:
    """Runs of a block with their sums, for the truth, the mask and each threshold."""

    truth: Pieces
    mask: Pieces
    levels: list[Pieces]


def _block(
    box: Box,
    truth: NDArray[np.bool_],
    mask: NDArray[np.bool_],
    probability: NDArray[np.floating],
    light: Light | None,
    *,
    stride: int,
    thresholds: NDArray[np.float32],
) -> _Block:
    inside, marked = np.flatnonzero(truth), np.flatnonzero(mask)
    at_truth, at_mask = probability.ravel()[inside], probability.ravel()[marked]
    found = [mask.ravel()[inside], *(at_truth >= level for level in thresholds)]
    grey, around, beside = (light.grey, light.truth, light.mask) if light else (None, None, None)
    return _Block(
        shape_pieces(box, inside, at_truth, found, stride=stride, grey=grey, ring=around),
        shape_pieces(box, marked, at_mask, [truth.ravel()[marked]], stride=stride, grey=grey, ring=beside),
        _levels(box, truth, probability, stride=stride, thresholds=thresholds),
    )


def _levels(
    box: Box,
    truth: NDArray[np.bool_],
    probability: NDArray[np.floating],
    *,
    stride: int,
    thresholds: NDArray[np.float32],
) -> list[Pieces]:
    # Each threshold examines only the pixels that passed the one before: few, where most of an image is background.
    flat = np.flatnonzero(probability >= thresholds[0])
    value, on_truth = probability.ravel()[flat], truth.ravel()[flat]
    found = []
    for level in thresholds:
        keep = value >= level
        flat, value, on_truth = flat[keep], value[keep], on_truth[keep]
        found.append(pieces_of(box, flat, [np.ones(len(flat), np.bool_), on_truth], stride=stride))
    return found


def _enough(part: Ints, area: Ints, *, match: float) -> NDArray[np.bool_]:
    return np.asarray((part > 0) & (part >= match * area - TOLERANCE))
