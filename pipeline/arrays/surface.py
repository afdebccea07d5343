"""Boundary distances between a prediction and the truth: HD95, normalised surface Dice, signed border distance.

A border pixel of a mask has an outside pixel or the edge of the image above, below, left or right of it. Distances run
from the centre of each border pixel to the nearest one of the other side (a k-d tree: exact).

- HD95: the larger of the 95th percentiles of the distances from the prediction and from the truth.
- Normalised surface Dice: the share of the border pixels of both sides that lie no further than a tolerance from the other.
- Signed border distance: positive where the prediction reaches beyond the truth. It is the mean over contours that have
  a pixel inside the other side, so lesions that were missed and regions that are false have no part in it.

Only border pixels stay in memory, so neither the size of an image nor that of its blocks changes a number.
"""

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from pipeline.arrays.runs import NONE, Ints, joined, runs_of_pixels
from pipeline.geometry import Box

__all__ = ["BorderPixels", "Ruler", "Surfaces"]

Codes = NDArray[np.uint8]
"""Whether each pixel is truth, predicted, ignored: a bit each."""
_TRUTH, _MASK, _IGNORED = 1, 2, 4
_ALL = _TRUTH | _MASK | _IGNORED
_CROSS = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))


@dataclass(frozen=True, slots=True)
class Ruler:
    """Lengths in one unit."""

    height: float = 1.0
    """Of a pixel of the grid."""
    width: float = 1.0
    tolerance: float = 2.0
    """Distance up to which borders agree; NaN where unknown."""


@dataclass(frozen=True, slots=True)
class Surfaces:
    """Borders of one class of one image; lengths in the unit of the ruler, NaN where undefined."""

    truth: int = 0
    """Border pixels of the truth."""
    predicted: int = 0
    """Border pixels of the prediction."""
    truth_near: int = 0
    """Border pixels of the truth within the tolerance of the prediction's."""
    predicted_near: int = 0
    """The other way round."""
    tolerance: float = math.nan
    hd95: float = math.nan
    """Undefined where a side is empty."""
    shift: float = math.nan
    """Signed border distance; positive where the prediction is larger. Undefined where nothing overlaps."""

    @property
    def dice(self) -> float:
        """Normalised surface Dice; NaN without truth or tolerance."""
        if not self.truth or math.isnan(self.tolerance):
            return math.nan
        return (self.truth_near + self.predicted_near) / (self.truth + self.predicted)


class BorderPixels:
    """Border pixels of truth and prediction of one class of one image, whose blocks come row by row from the top.

    Pixels of uncertain truth make no border, on either side.
    """

    def __init__(self, height: int, width: int) -> None:
        self._height, self._width = height, width
        self._bottom = 0
        self._above, self._row = np.zeros((2, width), np.uint8)
        self._left: Codes = np.zeros(0, np.uint8)
        self._found: dict[int, list[Ints]] = {_TRUTH: [NONE], _MASK: [NONE]}

    def add(
        self, box: Box, truth: NDArray[np.bool_], mask: NDArray[np.bool_], ignored: NDArray[np.bool_] | None = None
    ) -> None:
        """Addition of a block: truth, predicted mask and ignored pixels, each ``(y, x)``."""
        codes = _codes(truth, mask, ignored)
        if box.y0 >= self._bottom:
            self._above, self._row, self._bottom = self._row, np.zeros(self._width, np.uint8), box.y1
        above = self._above[box.x0 : box.x1]
        left = self._left if box.x0 else np.zeros(box.height, np.uint8)
        self._row[box.x0 : box.x1], self._left = codes[-1], codes[:, -1].copy()
        # Pixels below and to the right are not known yet; a border there is found with the next blocks.
        around = np.full((box.height + 2, box.width + 2), _ALL, np.uint8)
        around[1:-1, 1:-1], around[0, 1:-1], around[1:-1, 0] = codes, above, left
        if box.y1 == self._height:
            around[-1] = 0
        if box.x1 == self._width:
            around[:, -1] = 0
        for side in (_TRUTH, _MASK):
            self._keep(side, codes, _border(around, side), y=box.y0, x=box.x0)
            self._keep(side, above[None], _open(above, codes[0], side)[None], y=box.y0 - 1, x=box.x0)
            self._keep(side, left[:, None], _open(left, codes[:, 0], side)[:, None], y=box.y0, x=box.x0 - 1)

    def _keep(self, side: int, codes: Codes, border: NDArray[np.bool_], *, y: int, x: int) -> None:
        row, column = np.nonzero(border)
        if len(row):
            place = (row.astype(np.int64) + y) * self._width + column + x
            self._found[side].append(2 * place + ((codes[row, column] & (_ALL ^ _IGNORED ^ side)) > 0))

    def result(self, ruler: Ruler) -> Surfaces:
        """Distances between the borders of both sides over all blocks."""
        truth, mask = (self._side(side) for side in (_TRUTH, _MASK))
        if not len(truth[0]) or not len(mask[0]):
            return Surfaces(len(truth[0]), len(mask[0]), tolerance=ruler.tolerance)
        from_truth, from_mask = _distances(truth[0], mask[0], width=self._width, ruler=ruler)
        signed = [
            sign * np.where(inside, 1, -1)[meets] * distance[meets]
            for sign, distance, (place, inside) in ((1, from_truth, truth), (-1, from_mask, mask))
            for meets in [self._meeting(place, inside)]
        ]
        together = np.concatenate(signed)
        return Surfaces(
            len(from_truth),
            len(from_mask),
            int(np.count_nonzero(from_truth <= ruler.tolerance)),
            int(np.count_nonzero(from_mask <= ruler.tolerance)),
            ruler.tolerance,
            float(max(np.percentile(each, 95) for each in (from_truth, from_mask))),
            float(together.mean()) if len(together) else math.nan,
        )

    def _side(self, side: int) -> tuple[Ints, NDArray[np.bool_]]:
        """Border pixels of a side in raster order, and whether each lies inside the other side."""
        found = np.unique(np.concatenate(self._found[side]))
        return found // 2, found % 2 > 0

    def _meeting(self, place: Ints, inside: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Border pixels whose contour (8-connected) has a pixel inside the other side."""
        runs, begin = runs_of_pixels(place, box=Box(0, 0, self._height, self._width), stride=self._width + 1)
        contour = joined(len(begin), *runs.joined_to(runs, reach=1))
        of_pixel = np.repeat(contour, runs.end - runs.start)
        return np.asarray(np.bincount(of_pixel, weights=inside)[of_pixel] > 0)


def _codes(truth: NDArray[np.bool_], mask: NDArray[np.bool_], ignored: NDArray[np.bool_] | None) -> Codes:
    codes = truth * np.uint8(_TRUTH) | mask * np.uint8(_MASK)
    if ignored is not None:
        codes = np.where(ignored, np.uint8(_IGNORED), codes)
    return np.asarray(codes, np.uint8)


def _within(codes: Codes, side: int) -> NDArray[np.bool_]:
    return np.asarray((codes & (side | _IGNORED)) > 0)


def _border(around: Codes, side: int) -> NDArray[np.bool_]:
    """Border pixels of a block that is given with one pixel around it."""
    own = (around[1:-1, 1:-1] & side) > 0
    if not own.any():
        return own
    inner = cv2.erode(_within(around, side).astype(np.uint8), _CROSS)[1:-1, 1:-1]
    return np.asarray(own & (inner == 0))


def _open(before: Codes, after: Codes, side: int) -> NDArray[np.bool_]:
    """Pixels of a side whose neighbours in the next block are outside it."""
    return np.asarray(((before & side) > 0) & ~_within(after, side))


def _distances(truth: Ints, mask: Ints, *, width: int, ruler: Ruler) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Distance of each border pixel of the truth to the nearest one of the prediction, and the other way round."""
    points = [np.stack(np.divmod(place, width), axis=1) * (ruler.height, ruler.width) for place in (truth, mask)]
    first, second = (cKDTree(each, balanced_tree=False, compact_nodes=False) for each in points)
    near = second.query(points[0])[0], first.query(points[1])[0]
    return np.asarray(near[0], np.float64), np.asarray(near[1], np.float64)
