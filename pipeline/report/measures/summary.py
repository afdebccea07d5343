"""Summary rows of a split: one per class and measure, one per named average and measure.

The label of every row states its class or classes, and whether it is pooled over pixels or a mean over images.
"""

import math
from collections.abc import Collection, Mapping
from typing import Any

import pandas as pd

from pipeline.report.measures.averages import average_table
from pipeline.report.measures.intervals import Intervals

__all__ = [
    "COMPARED",
    "MEASURES",
    "NORMALISED",
    "ORIGINAL",
    "OVER_CLASSES",
    "OVER_LESIONS",
    "SUMMARY_COLUMNS",
    "TRIVIAL",
    "average_of",
    "average_rows",
    "class_rows",
    "grids_of",
    "on_grid",
]

NORMALISED, ORIGINAL = "normalised", "original"
"""Grids of pixels: that of the normalised image, and that of the original where images were rescaled."""

SUMMARY_COLUMNS = {
    "model": "category",
    "fusion": "category",
    "split": "category",
    "grid": "category",
    "class_code": "category",
    "average": "category",
    "measure": "category",
    "label": "str",
    "value": "float64",
    "low": "float64",
    "high": "float64",
    "threshold": "float64",
    "images": "int64",
    "images_with_truth": "int64",
    "groups": "int64",
    "classes": "str",
}
"""One row per split, grid of pixels, class (or average) and measure. `grid` is `normalised`, and where images were rescaled
`original` beside it. `class_code` is empty for an average, `average` for a class;
`low` and `high` bound the 95 % bootstrap interval over groups, NaN where there is none; `classes` are those behind."""

MEASURES = {
    "dice_pooled": "Dice, pixels of all images pooled",
    "iou_pooled": "IoU, pixels of all images pooled",
    "ap_pooled": "AUPR (step-wise average precision), pixels of all images pooled",
    "aupr11_pooled": "AUPR (trapezoid over the 11 thresholds 0, 0.1 … 1), pixels of all images pooled",
    "iou_label_pooled": "IoU of labels, one a pixel, pixels of all images pooled",
    "precision_pooled": "precision, pixels of all images pooled",
    "recall_pooled": "recall, pixels of all images pooled",
    "specificity_pooled": "specificity, pixels of all images pooled",
    "dice_image_mean": "Dice, mean over images that hold the class",
    "iou_image_mean": "IoU, mean over images that hold the class",
    "false_positive_area": "pixels predicted in images that do not hold the class",
    "dice_everywhere_pooled": "Dice of the trivial answer that marks the whole roi (the image where that scores more), pixels of all images pooled",
    "dice_nowhere_pooled": "Dice of the trivial answer that marks nothing, pixels of all images pooled",
    "dice_everywhere_image_mean": "Dice of the trivial answer that marks the whole roi (the image where that scores more), mean over images that hold the class",
    "lesion_sensitivity_pooled": "regions of the truth found, share of those of all images",
    "lesion_precision_pooled": "predicted regions that are not false, share of those of all images",
    "lesion_f1_pooled": "F1 of regions, over those of all images",
    "false_lesions_per_image": "false predicted regions per image",
    "image_auc": "AUC of the question whether an image holds the class, by its largest probability",
    "ece_pooled": "expected calibration error, pixels of all images pooled",
    "ace_pooled": "average calibration error over the bins of probability, pixels of all images pooled",
    "surface_dice_pooled": "normalised surface Dice, border pixels of all images pooled",
    "surface_dice_image_mean": "normalised surface Dice, mean over images that hold the class",
    "hd95_image_mean": "HD95, pixels of the original, mean over images with truth and prediction",
    "hd95_um_image_mean": "HD95, micrometres, mean over images with truth and prediction",
    "border_shift_image_mean": "signed border distance, pixels of the original, mean over images where truth and prediction meet",
    "border_shift_um_image_mean": "signed border distance, micrometres, mean over images where truth and prediction meet",
    "images_without_prediction": "images that hold the class, in which nothing of it is predicted",
    "images_without_truth_predicted": "images that do not hold the class, in which something of it is predicted",
    "dice_nowhere_image_mean": "Dice of the trivial answer that marks nothing, mean over images that hold the class",
}
"""Measure → its description in every label."""
TRIVIAL = {"dice_pooled": "dice_everywhere_pooled", "dice_image_mean": "dice_everywhere_image_mean"}
"""Measure → that of the trivial answer that marks the whole roi. The one that marks nothing scores 0 if there is
truth."""
COMPARED = (
    ("Dice, lesions", "mean over lesions", "dice_pooled"),
    ("AUPR, lesions", "mean over lesions", "ap_pooled"),
    ("AUPR-11, lesions", "mean over lesions", "aupr11_pooled"),
    ("Dice, classes", "mean over classes", "dice_pooled"),
    ("mIoU", "mean over classes", "iou_pooled"),
    ("mIoU with background", "mean over classes with background", "iou_pooled"),
)
"""The numbers for comparing models and fusions: head, average, measure."""

OVER_CLASSES, OVER_LESIONS = "mean over classes", "mean over lesions"
"""Names of averages in `averages.average_table`."""


def class_rows(classes: pd.DataFrame, *, bounds: Intervals, thresholds: Mapping[str, float]) -> list[dict[str, Any]]:
    """Summary rows of an ``averages.class_table``, with intervals where there are any."""
    rows = []
    for each in classes.to_dict("records"):
        code = str(each["class_code"])
        for measure, text in MEASURES.items():
            low, high = bounds.get((code, measure), (math.nan, math.nan))
            rows.append(
                {
                    "class_code": code,
                    "average": "",
                    "measure": measure,
                    "label": f"{code}: {text}",
                    "value": float(each[measure]),
                    "low": low,
                    "high": high,
                    "threshold": thresholds.get(code, math.nan),
                    "images": each["images"] + each["images_without"],
                    "images_with_truth": each["images"],
                    "classes": code,
                }
            )
    return rows


def average_rows(classes: pd.DataFrame, *, anatomy: Collection[str], bounds: Intervals) -> list[dict[str, Any]]:
    """Summary rows of the averages of an ``averages.class_table``, with intervals where there are any."""
    rows = []
    behind = classes.set_index("class_code")[["images", "images_without"]].sum(axis=1)
    held = classes.set_index("class_code")["images"]
    for each in average_table(classes, anatomy=anatomy).to_dict("records"):
        measure, average = str(each["name"]).split(", ", 1)
        low, high = bounds.get((average, measure), (math.nan, math.nan))
        codes = str(each["classes"]).split()
        rows.append(
            {
                "class_code": "",
                "average": average,
                "measure": measure,
                "label": f"{average} ({', '.join(codes) or 'none'}): {MEASURES[measure]}",
                "value": float(each["value"]),
                "low": low,
                "high": high,
                "threshold": math.nan,
                "images": int(behind[codes].max()) if codes else 0,
                "images_with_truth": int(held[codes].min()) if codes else 0,
                "classes": " ".join(codes),
            }
        )
    return rows


def on_grid(table: pd.DataFrame, grid: str = NORMALISED) -> pd.DataFrame:
    """Rows of a table of measures on one grid."""
    return table[table["grid"] == grid]


def grids_of(table: pd.DataFrame) -> tuple[str, ...]:
    """Grids of a table of measures: the original's first, where there is one; older tables name none and have one."""
    if "grid" not in table:
        return (NORMALISED,)
    found = set(table["grid"].astype(str))
    return tuple(grid for grid in (ORIGINAL, NORMALISED) if grid in found)


def average_of(summary: pd.DataFrame, *, split: str, average: str, measure: str, grid: str = NORMALISED) -> float:
    """Value of a named average; NaN where there is none."""
    summary = on_grid(summary, grid)
    wanted = (summary["split"] == split) & (summary["average"] == average) & (summary["measure"] == measure)
    found = summary.loc[wanted, "value"]
    return float(found.iloc[0]) if len(found) else math.nan
