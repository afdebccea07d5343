"""Boundary measures of images and classes: columns of a table of images, pooled over them or averaged.

`pipeline.arrays.surface` defines borders and distances. Lengths are pixels of the original image on every grid, and
also micrometres where its pixel size is known. Absent classes: without truth there is no surface Dice; without
prediction it is 0. HD95 needs both sides, so images with the class but no prediction, and images with a prediction but
not the class, are left out of its mean and counted separately.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.arrays.surface import Surfaces

__all__ = [
    "IMAGE_MEANS",
    "ONE_SIDED",
    "SURFACE_COLUMNS",
    "dice_sums",
    "mean_of_sums",
    "surface_columns",
    "surface_dice_of_sums",
    "surface_scores",
    "tolerance_px",
]

SURFACE_COLUMNS = {
    "truth_border": "int64",
    "predicted_border": "int64",
    "truth_border_near": "int64",
    "predicted_border_near": "int64",
    "tolerance_px": "float64",
    "surface_dice": "float64",
    "hd95_px": "float64",
    "hd95_um": "float64",
    "border_shift_px": "float64",
    "border_shift_um": "float64",
}
"""Border pixels of both sides on the grid, those of them within ``tolerance_px`` of the other side, and measures of one
image and class. The tolerance is NaN for the background, which has no border, and where it takes a pixel size that is
not known."""
IMAGE_MEANS = {
    "surface_dice_image_mean": "surface_dice",
    "hd95_image_mean": "hd95_px",
    "hd95_um_image_mean": "hd95_um",
    "border_shift_image_mean": "border_shift_px",
    "border_shift_um_image_mean": "border_shift_um",
}
"""Measure → column of a table of images; the measure is its mean over images with a value."""
ONE_SIDED = ("images_without_prediction", "images_without_truth_predicted")
"""Counts of images without HD95: with the class but no prediction, and vice versa."""


def tolerance_px(tolerance: str, *, pixel_um: float | None) -> float:
    """Surface tolerance in pixels of the original; NaN if it needs an unknown pixel size.

    Examples
    --------
    >>> tolerance_px("2 px", pixel_um=None), tolerance_px("12 um", pixel_um=0.5)
    (2.0, 24.0)
    """
    length, unit = tolerance.split()
    if unit == "px":
        return float(length)
    return math.nan if pixel_um is None else float(length) / pixel_um


def surface_columns(found: Sequence[tuple[Surfaces | None, float]]) -> dict[str, list[float]]:
    """``SURFACE_COLUMNS`` of rows, from their borders and the side of a pixel of the original in micrometres."""
    rows = [_row(Surfaces() if each is None else each, pixel_um) for each, pixel_um in found]
    return {name: [row[at] for row in rows] for at, name in enumerate(SURFACE_COLUMNS)}


def _row(each: Surfaces, pixel_um: float) -> tuple[float, ...]:
    counts = each.truth, each.predicted, each.truth_near, each.predicted_near
    lengths = each.hd95, each.hd95 * pixel_um, each.shift, each.shift * pixel_um
    return (*counts, each.tolerance, each.dice, *lengths)


def surface_scores(rows: pd.DataFrame) -> dict[str, float]:
    """Measures of one class over images; NaN for a table without columns of borders."""
    if not set(SURFACE_COLUMNS) <= set(rows):
        return dict.fromkeys(("surface_dice_pooled", *IMAGE_MEANS, *ONE_SIDED), math.nan)
    means = {measure: float(rows[column].mean()) for measure, column in IMAGE_MEANS.items()}
    truth, predicted = rows["truth_border"] > 0, rows["predicted_border"] > 0
    alone = {
        name: float(side.sum()) for name, side in zip(ONE_SIDED, (truth & ~predicted, predicted & ~truth), strict=True)
    }
    return {"surface_dice_pooled": surface_dice_of_sums(dice_sums(rows).sum(axis=0)), **means, **alone}


def dice_sums(rows: pd.DataFrame) -> NDArray[np.float64]:
    """Border pixels of each row with a known tolerance: those within it, all, and those of the truth ``(row, 3)``."""
    known = rows[rows["tolerance_px"].notna()]
    near = known["truth_border_near"] + known["predicted_border_near"]
    both = known["truth_border"] + known["predicted_border"]
    return np.stack([near, both, known["truth_border"]], axis=1).astype(np.float64)


def surface_dice_of_sums(sums: NDArray[Any]) -> float:
    """Normalised surface Dice of summed border pixels: near, all, of the truth; NaN without truth."""
    near, both, truth = sums
    return float(near / both) if truth else math.nan


def mean_of_sums(sums: NDArray[Any]) -> float:
    """Mean of a sum and its number."""
    total, number = sums
    return float(total / number) if number else math.nan
