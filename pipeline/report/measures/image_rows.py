"""Rows of measured images: one per image and class, one per lesion, and FROC over the images of a split."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from pipeline.arrays.calibration import expected_error, reliability, reliability_curve
from pipeline.arrays.confusion import Confusion
from pipeline.arrays.metrics import Histogram, average_precision, threshold_counts, trapezoid_aupr
from pipeline.arrays.roc import highest_probability
from pipeline.arrays.trivial import dice_everywhere, nowhere
from pipeline.report.measures.averages import count_table
from pipeline.report.measures.group_sums import Grouped
from pipeline.report.measures.image import ImageMeasure
from pipeline.report.measures.lesion_wise import COUNTS, froc, lesion_counts, lesion_table
from pipeline.report.measures.surfaces import SURFACE_COLUMNS, surface_columns
from pipeline.words import BACKGROUND, EVALUATED_SPLITS

__all__ = [
    "IMAGE_COLUMNS",
    "Measured",
    "confusions",
    "grouped",
    "image_rows",
    "lesion_rows",
    "pooled_confusion",
    "pooled_histograms",
    "reliabilities",
    "responses",
]

IMAGE_COLUMNS = {
    "model": "category",
    "fusion": "category",
    "split": "category",
    "grid": "category",
    "image_id": "category",
    "group_id": "category",
    "class_code": "category",
    "threshold": "float64",
    "pixels": "int64",
    "truth_pixels": "int64",
    "truth_outside_roi": "int64",
    "roi_pixels": "int64",
    "truth_in_roi": "int64",
    "predicted_in_roi": "int64",
    "tp": "int64",
    "fp": "int64",
    "fn": "int64",
    "tn": "int64",
    "dice": "float64",
    "dice_everywhere": "float64",
    "dice_nowhere": "float64",
    "iou": "float64",
    "precision": "float64",
    "recall": "float64",
    "specificity": "float64",
    "ap": "float64",
    "aupr11": "float64",
    "ece": "float64",
    "highest_probability": "float64",
    "false_positive_area": "int64",
    **dict.fromkeys(COUNTS, "int64"),
    **SURFACE_COLUMNS,
}
"""One row per grid, image and class. Counts are pixels of the grid that are not ignored: `normalised`, and where images
were rescaled `original` beside it. `false_positive_area` is `fp` where the image does not hold the class, else 0;
ratios are NaN where undefined; `threshold` is NaN for the background. `dice_everywhere` and `dice_nowhere` are those of
the trivial answers that mark every pixel of the roi (of the image where that scores more), or none; for the background
`*_in_roi` and `roi_pixels` are of the whole image. Lesions are counted by the rule of `pipeline.arrays.matching`; the
background has none. `ece` is the expected calibration error, NaN without truth; `highest_probability` is that of any
pixel that counts, by which images are ranked for the image-wise AUC. Columns of borders are those of `surfaces`."""


@dataclass(frozen=True, slots=True)
class Measured:
    """Measured image, with its group and the split that it counts in."""

    image_id: str
    group_id: str
    split: str
    measure: ImageMeasure
    pixel_um: float = math.nan
    """Side of a pixel of the original, micrometres; NaN where it is not known."""


def image_rows(measured: list[Measured], thresholds: Mapping[str, Mapping[str, float]]) -> pd.DataFrame:
    """Rows of ``IMAGE_COLUMNS`` of measured images, without model, fusion and grid; thresholds by image and class."""
    rows = count_table(
        (each.image_id, each.group_id, code, count) for each in measured for code, count in each.measure.counts.items()
    )
    pairs = [(each, code) for each in measured for code in each.measure.counts]
    found = [each.measure.histograms.get(code) for each, code in pairs]
    truth = rows["tp"] + rows["fn"]
    regions = [each.measure.regions[code] for each, code in pairs]
    counts = [each.measure.counts[code] for each, code in pairs]
    return rows.assign(
        split=[each.split for each, _ in pairs],
        threshold=[thresholds[each.image_id].get(code, math.nan) for each, code in pairs],
        pixels=truth + rows["fp"] + rows["tn"],
        truth_pixels=truth,
        truth_outside_roi=[each.measure.truth_outside_roi.get(code, 0) for each, code in pairs],
        roi_pixels=[each.pixels for each in regions],
        truth_in_roi=[each.truth for each in regions],
        predicted_in_roi=[each.predicted for each in regions],
        dice_everywhere=[dice_everywhere(count, region) for count, region in zip(counts, regions, strict=True)],
        dice_nowhere=[nowhere(count).dice for count in counts],
        ap=[math.nan if each is None else average_precision(each) for each in found],
        aupr11=[math.nan if each is None else trapezoid_aupr(threshold_counts(each)) for each in found],
        ece=[math.nan if each is None else expected_error(reliability(each)) for each in found],
        highest_probability=[math.nan if each is None else highest_probability(each) for each in found],
        **pd.DataFrame([lesion_counts(each.measure.lesions.get(code)) for each, code in pairs], columns=[*COUNTS]),
        **surface_columns([(each.measure.surfaces.get(code), each.pixel_um) for each, code in pairs]),
    )


def lesion_rows(measured: list[Measured]) -> pd.DataFrame:
    """Rows of ``lesion_wise.LESION_COLUMNS`` of measured images, without model, fusion and grid."""
    tables = [
        lesion_table(
            matching,
            pixel_um2=each.measure.pixel_area * each.pixel_um**2,
            image_id=each.image_id,
            group_id=each.group_id,
            split=each.split,
            class_code=code,
        )
        for each in measured
        for code, matching in each.measure.lesions.items()
    ]
    return pd.concat(tables) if tables else pd.DataFrame()


def responses(measured: list[Measured], codes: tuple[str, ...]) -> dict[str, dict[str, dict[str, list[float]]]]:
    """FROC by split and class, of the classes that have a lesion there."""
    found = {
        split: {
            code: froc(
                [
                    each.measure.lesions[code]
                    for each in measured
                    if each.split == split and code in each.measure.lesions
                ]
            )
            for code in codes
        }
        for split in EVALUATED_SPLITS
    }
    return {split: {code: points for code, points in own.items() if points} for split, own in found.items()}


def pooled_confusion(measured: list[Measured]) -> tuple[Confusion | None, int]:
    """Confusion of labels over the images in which every class is annotated, and their number; None where there are none."""
    found = [each.measure.confusion for each in measured if each.measure.confusion is not None]
    return (sum(found[1:], start=found[0]) if found else None), len(found)


def confusions(measured: list[Measured], codes: tuple[str, ...]) -> dict[str, dict[str, Any]]:
    """Confusion of labels by split: their names, pixels by truth and prediction, and the number of images."""
    kept: dict[str, dict[str, Any]] = {}
    for split in EVALUATED_SPLITS:
        matrix, images = pooled_confusion([each for each in measured if each.split == split])
        if matrix is not None:
            kept[split] = {"labels": [BACKGROUND, *codes], "pixels": matrix.tolist(), "images": images}
    return kept


def reliabilities(measured: list[Measured], codes: tuple[str, ...]) -> dict[str, dict[str, dict[str, list[float]]]]:
    """Reliability curve by split and class, of the classes that have truth there."""
    names = ("confidence", "frequency", "pixels")
    pooled = {
        split: pooled_histograms([each for each in measured if each.split == split], codes)
        for split in EVALUATED_SPLITS
    }
    return {
        split: {
            code: dict(zip(names, reliability_curve(reliability(histogram)).tolist(), strict=True))
            for code, histogram in own.items()
            if histogram[1].any()
        }
        for split, own in pooled.items()
    }


def grouped(measured: list[Measured], rows: pd.DataFrame, *, codes: tuple[str, ...]) -> Grouped:
    """Measured images by group, with their rows of ``IMAGE_COLUMNS``, as intervals are made of them."""
    return Grouped(
        rows,
        [(each.group_id, each.measure.histograms) for each in measured],
        [(each.group_id, each.measure.confusion) for each in measured if each.measure.confusion is not None],
        (BACKGROUND, *codes),
    )


def pooled_histograms(measured: list[Measured], codes: tuple[str, ...]) -> dict[str, Histogram]:
    """Histograms of each class, pooled over images."""
    found = {
        code: [each.measure.histograms[code] for each in measured if code in each.measure.histograms] for code in codes
    }
    return {code: sum(parts[1:], start=parts[0]) for code, parts in found.items() if parts}
