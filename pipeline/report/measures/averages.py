"""Named averages over images and classes: pooled or per image, over classes or over lesions.

An average is meaningful only with its name: over the pixels of all images together (pooled) or over images, over all
classes or over lesions, with or without background. Absent classes follow the rule of `Counts`: an image without truth
of a class is left out of that class's mean over images. Its false-positive area is reported instead, and pooled numbers
include it.
"""

import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.arrays.calibration import expected_error, mean_bin_error, reliability
from pipeline.arrays.metrics import Counts, Histogram, average_precision, threshold_counts, trapezoid_aupr
from pipeline.arrays.roc import images_histogram, roc_auc
from pipeline.arrays.trivial import Region, dice_everywhere, nowhere
from pipeline.report.measures.lesion_wise import COUNTS, lesion_scores
from pipeline.report.measures.surfaces import IMAGE_MEANS, surface_scores
from pipeline.words import BACKGROUND

__all__ = [
    "OVER_ALL",
    "Average",
    "average_table",
    "class_table",
    "count_table",
    "has_average",
    "mean_over_classes",
    "mean_over_lesions",
]

_COUNTS = ["tp", "fp", "fn", "tn"]
_AREA = "false_positive_area"
_REGION = ["roi_pixels", "truth_in_roi", "predicted_in_roi"]
_TRIVIAL = ("dice_everywhere", "dice_nowhere")
_AVERAGED = (
    "dice_pooled",
    "iou_pooled",
    "ap_pooled",
    "aupr11_pooled",
    "precision_pooled",
    "recall_pooled",
    "specificity_pooled",
    "iou_label_pooled",
    "dice_image_mean",
    "iou_image_mean",
    *(f"{name}_{how}" for how in ("pooled", "image_mean") for name in _TRIVIAL),
    "lesion_sensitivity_pooled",
    "lesion_precision_pooled",
    "lesion_f1_pooled",
    "false_lesions_per_image",
    "image_auc",
    "ece_pooled",
    "ace_pooled",
    "surface_dice_pooled",
    *IMAGE_MEANS,
)
_WITH_BACKGROUND = ("iou_pooled", "iou_label_pooled")
OVER_ALL = "mean over classes with background"
"""Name of the average that includes the background."""


@dataclass(frozen=True, slots=True)
class Average:
    """Mean over classes with its name."""

    name: str
    """Name: the measure and what it is averaged over."""
    value: float
    """NaN where no class has a defined value."""
    classes: tuple[str, ...]
    """The classes in it: requested ones with a defined value."""


def count_table(rows: Iterable[tuple[str, str, str, Counts]]) -> pd.DataFrame:
    """Tidy table from ``(image_id, group_id, class_code, counts)``, one row per image and class.

    Returns
    -------
    DataFrame
        The three names, ``tp``, ``fp``, ``fn``, ``tn`` (int64, pixels), ``dice``, ``iou``, ``precision``, ``recall``,
        ``specificity`` (float64, NaN where undefined) and ``false_positive_area`` (int64, pixels).
    """
    measures = ["dice", "iou", "precision", "recall", "specificity"]
    columns = [*_COUNTS, *measures, _AREA]
    records = [(*names, *(getattr(count, column) for column in columns)) for *names, count in rows]
    table = pd.DataFrame.from_records(records, columns=["image_id", "group_id", "class_code", *columns])
    return table.astype(dict.fromkeys([*_COUNTS, _AREA], np.int64) | dict.fromkeys(measures, np.float64))


def class_table(
    table: pd.DataFrame,
    *,
    histograms: Mapping[str, Histogram] | None = None,
    labels: Mapping[str, float] | None = None,
) -> pd.DataFrame:
    """Scores per class of a ``count_table``, in the order in which the classes appear.

    Parameters
    ----------
    table
        One row per image and class; with ``roi_pixels``, ``truth_in_roi``, ``predicted_in_roi``, ``dice_everywhere`` and
        ``dice_nowhere`` for the Dice of trivial answers, which is NaN otherwise.
    histograms
        Class code → histogram pooled over the same images. Classes without one get NaN for ``ap_pooled`` and
        ``aupr11_pooled``.
    labels
        Class code, or the background, → IoU of labels pooled over the same images, for ``iou_label_pooled``; NaN without.

    Returns
    -------
    DataFrame
        ``images`` hold the class, ``images_without`` do not. ``*_pooled`` counts the pixels of all images together;
        ``*_image_mean`` is the mean over the ``images`` that hold the class. ``false_positive_area`` counts the
        predicted pixels in the images without the class.
    """
    groups = table.groupby("class_code", sort=False, observed=True)
    given = histograms or {}
    found = [_class_row(str(code), rows, histogram=given.get(str(code))) for code, rows in groups]
    return pd.DataFrame(
        [row | {"iou_label_pooled": (labels or {}).get(str(row["class_code"]), math.nan)} for row in found]
    )


def _class_row(code: str, rows: pd.DataFrame, *, histogram: Histogram | None) -> dict[str, str | int | float]:
    pooled = Counts(*(int(rows[name].sum()) for name in _COUNTS))
    held = (rows["tp"] + rows["fn"] > 0).to_numpy()
    return {
        "class_code": code,
        "images": int(held.sum()),
        "images_without": int((~held).sum()),
        "dice_pooled": pooled.dice,
        "iou_pooled": pooled.iou,
        "precision_pooled": pooled.precision,
        "recall_pooled": pooled.recall,
        "specificity_pooled": pooled.specificity,
        "ap_pooled": math.nan if histogram is None else average_precision(histogram),
        "aupr11_pooled": math.nan if histogram is None else trapezoid_aupr(threshold_counts(histogram)),
        "dice_image_mean": float(rows["dice"].mean()),
        "iou_image_mean": float(rows["iou"].mean()),
        _AREA: int(rows[_AREA].sum()),
        **_image_wise(rows, held),
        **_calibration(histogram),
        **surface_scores(rows),
        **_trivial(pooled, rows),
        **_lesions(rows),
    }


def _image_wise(rows: pd.DataFrame, held: NDArray[np.bool_]) -> dict[str, float]:
    """Area under the ROC curve of images, ranked by their largest probability."""
    ranked = "highest_probability" in rows and rows["highest_probability"].notna().all()
    auc = roc_auc(images_histogram(rows["highest_probability"].to_numpy(np.float64), held)) if ranked else math.nan
    return {"image_auc": auc}


def _calibration(histogram: Histogram | None) -> dict[str, float]:
    if histogram is None:
        return {"ece_pooled": math.nan, "ace_pooled": math.nan}
    sums = reliability(histogram)
    return {"ece_pooled": expected_error(sums), "ace_pooled": mean_bin_error(sums)}


def _lesions(rows: pd.DataFrame) -> dict[str, float]:
    known = set(COUNTS) <= set(rows)
    return lesion_scores({name: int(rows[name].sum()) if known else 0 for name in COUNTS}, images=len(rows))


def _trivial(pooled: Counts, rows: pd.DataFrame) -> dict[str, float]:
    """Dice of the answers that mark everything or nothing: pooled, and mean over images."""
    if not {*_REGION, *_TRIVIAL} <= set(rows):
        return {f"{name}_{how}": math.nan for name in _TRIVIAL for how in ("pooled", "image_mean")}
    region = Region(*(int(rows[name].sum()) for name in _REGION))
    means = {f"{name}_image_mean": float(rows[name].mean()) for name in _TRIVIAL}
    return {
        "dice_everywhere_pooled": dice_everywhere(pooled, region),
        "dice_nowhere_pooled": nowhere(pooled).dice,
        **means,
    }


def _mean(classes: pd.DataFrame, column: str, *, name: str) -> Average:
    defined = classes[classes[column].notna()]
    value = float(defined[column].mean()) if len(defined) else math.nan
    return Average(name, value, tuple(str(code) for code in defined["class_code"]))


def mean_over_classes(classes: pd.DataFrame, column: str, *, with_background: bool = False) -> Average:
    """Mean of a column of a ``class_table`` over all classes, on request including the background."""
    if with_background:
        return _mean(classes, column, name=f"{column}, {OVER_ALL}")
    return _mean(classes[classes["class_code"] != BACKGROUND], column, name=f"{column}, mean over classes")


def mean_over_lesions(classes: pd.DataFrame, column: str, *, anatomy: Collection[str]) -> Average:
    """Mean of a column of a ``class_table`` over the classes that are neither background nor ``anatomy``."""
    lesions = ~classes["class_code"].isin([BACKGROUND, *anatomy])
    return _mean(classes[lesions], column, name=f"{column}, mean over lesions")


def average_table(classes: pd.DataFrame, *, anatomy: Collection[str]) -> pd.DataFrame:
    """Averages of a ``class_table``, each with its ``name``, ``value``, ``classes`` and their ``number``.

    The mean over classes with background exists for IoU (the mIoU), if the table has the background.
    """
    averages = [
        average
        for column in _AVERAGED
        for average in (
            mean_over_classes(classes, column),
            mean_over_lesions(classes, column, anatomy=anatomy),
        )
    ]
    if (classes["class_code"] == BACKGROUND).any():
        averages += [mean_over_classes(classes, name, with_background=True) for name in _WITH_BACKGROUND]
    records = [(average.name, average.value, " ".join(average.classes), len(average.classes)) for average in averages]
    return pd.DataFrame.from_records(records, columns=["name", "value", "classes", "number"])


def has_average(measure: str, average: str) -> bool:
    """Rule for the measures that are averaged, and for those that include the background."""
    return measure in (_WITH_BACKGROUND if average == OVER_ALL else _AVERAGED)
