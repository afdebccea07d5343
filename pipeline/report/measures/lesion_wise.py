"""Lesion-wise measures: counts per image and class, a row per lesion and predicted component, FROC of a split.

`pipeline.arrays.matching` defines found and false. Absent classes: sensitivity is undefined without a lesion, precision
without a prediction, F1 only without both. Images without lesions count in the false positives per image.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from pipeline.arrays.matching import THRESHOLDS, Matching
from pipeline.arrays.runs import Ints
from pipeline.arrays.shapes import Shapes

__all__ = ["COUNTS", "LESION_COLUMNS", "froc", "lesion_counts", "lesion_scores", "lesion_table"]

COUNTS = ("lesions", "lesions_found", "lesions_split", "predicted_lesions", "false_lesions", "merged_lesions")
"""Columns of counts per image and class."""

LESION_COLUMNS = {
    "model": "category",
    "fusion": "category",
    "split": "category",
    "grid": "category",
    "image_id": "category",
    "group_id": "category",
    "class_code": "category",
    "side": "category",
    "number": "int64",
    "area_px": "int64",
    "area_um2": "float64",
    "y": "float64",
    "x": "float64",
    "y0": "int64",
    "x0": "int64",
    "y1": "int64",
    "x1": "int64",
    "holes": "int64",
    "hole_area_px": "int64",
    "hole_area_um2": "float64",
    "mean_probability": "float64",
    "max_probability": "float64",
    "elongation": "float64",
    "contrast": "float64",
    "common_px": "int64",
    "matched": "bool",
    "touching": "int64",
    "isolation_px": "float64",
}
"""One row per lesion (`side` `truth`) and per component of the prediction (`predicted`), numbered in raster order. `y`
and `x` are its mean row and column on the grid, `y0` to `x1` its box there, half-open. Areas are pixels of the grid
without holes, and square micrometres, NaN where no pixel size is known; `holes` are 4-connected. Probabilities are
those of its class inside. `elongation` is the major over the minor axis of the ellipse of equal second moments, 1 for a
single pixel, infinite for a line; `contrast` the mean grey level (luminance of the normalised image, 0…255) inside less
that of the ring around (`arrays.contrast`), NaN without a ring. `common_px` are its pixels that the other side holds;
`matched` says whether a lesion is found, or a component is not false; `touching` counts components of the other side;
`isolation_px` is the distance to the next centre of the same side, NaN where there is none."""


def lesion_counts(matching: Matching | None) -> dict[str, int]:
    """Counts ``COUNTS`` of one image and class; all 0 for the background, which has no lesions."""
    if matching is None:
        return dict.fromkeys(COUNTS, 0)
    found = (
        len(matching.found),
        matching.found.sum(),
        (matching.pieces > 1).sum(),
        len(matching.false),
        matching.false.sum(),
        (matching.joined > 1).sum(),
    )
    return dict(zip(COUNTS, map(int, found), strict=True))


def lesion_scores(counts: Mapping[str, int], *, images: int) -> dict[str, float]:
    """Sensitivity, precision, F1 and false positives per image of summed counts."""
    lesions, predicted = counts["lesions"], counts["predicted_lesions"]
    sensitivity = counts["lesions_found"] / lesions if lesions else math.nan
    precision = 1 - counts["false_lesions"] / predicted if predicted else math.nan
    return {
        "lesion_sensitivity_pooled": sensitivity,
        "lesion_precision_pooled": precision,
        "lesion_f1_pooled": _f1(sensitivity, precision),
        "false_lesions_per_image": counts["false_lesions"] / images if images else math.nan,
    }


def _f1(sensitivity: float, precision: float) -> float:
    if math.isnan(sensitivity) and math.isnan(precision):
        return math.nan
    if not sensitivity > 0 or not precision > 0:  # Also if one of the two sides is empty.
        return 0.0
    return 2 * sensitivity * precision / (sensitivity + precision)


def froc(matchings: Sequence[Matching]) -> dict[str, list[float]]:
    """FROC of a class over the images in which somebody looked for it; empty if none has a lesion."""
    lesions = sum(len(each.found) for each in matchings)
    if not lesions:
        return {}
    found, false = (
        np.sum([getattr(each, name) for each in matchings], axis=0) for name in ("froc_found", "froc_false")
    )
    return {
        "threshold": list(THRESHOLDS),
        "sensitivity": (found / lesions).tolist(),
        "false_positives_per_image": (false / len(matchings)).tolist(),
    }


def _isolation(centres: NDArray[np.float64]) -> NDArray[np.float64]:
    if len(centres) < 2:
        return np.full(len(centres), math.nan)
    distances, _ = cKDTree(centres).query(centres, k=2)
    return np.asarray(distances, np.float64)[:, 1]


def _side(side: str, columns: Iterable[NDArray[Any]], shapes: Shapes, holes: Ints, *, pixel_um2: float) -> pd.DataFrame:
    area, common, matched, touching = columns
    corners = {name: shapes.box[:, at] for at, name in enumerate(("y0", "x0", "y1", "x1"))}
    return pd.DataFrame(
        {
            "side": side,
            "number": np.arange(len(area)),
            "area_px": area,
            "area_um2": area * pixel_um2,
            "y": shapes.centre[:, 0],
            "x": shapes.centre[:, 1],
            **corners,
            "holes": holes[0],
            "hole_area_px": holes[1],
            "hole_area_um2": holes[1] * pixel_um2,
            "mean_probability": shapes.mean_probability,
            "max_probability": shapes.largest_probability,
            "elongation": shapes.elongation,
            "contrast": shapes.contrast,
            "common_px": common,
            "matched": matched,
            "touching": touching,
            "isolation_px": _isolation(shapes.centre),
        }
    )


def lesion_table(matching: Matching, *, pixel_um2: float = math.nan, **names: str) -> pd.DataFrame:
    """Rows of one image and class.

    Parameters
    ----------
    matching
        Its lesions and components.
    pixel_um2
        Area of a pixel of the grid, square micrometres; NaN where it is not known.
    names
        Values of the other columns.
    """
    truth = matching.area, matching.covered, matching.found, matching.pieces
    predicted = matching.predicted_area, matching.on_truth, ~matching.false, matching.joined
    parts = [
        _side("truth", truth, matching.shapes, matching.holes, pixel_um2=pixel_um2),
        _side("predicted", predicted, matching.predicted_shapes, matching.predicted_holes, pixel_um2=pixel_um2),
    ]
    return pd.concat(parts, ignore_index=True).assign(**names)
