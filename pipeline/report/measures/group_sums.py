"""Sums of groups (patients) from which every measure of a class follows, for bootstrap resampling.

The sums of groups add up to those of all images, and a statistic of the total is the measure, with its own rule for
absent classes.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.arrays.calibration import expected_error, mean_bin_error, reliability
from pipeline.arrays.confusion import Confusion, label_ious
from pipeline.arrays.metrics import Counts, Histogram, average_precision, threshold_counts, trapezoid_aupr
from pipeline.arrays.roc import images_histogram, roc_auc
from pipeline.arrays.trivial import Region, dice_everywhere, nowhere
from pipeline.report.measures.lesion_wise import COUNTS, lesion_scores
from pipeline.report.measures.surfaces import (
    IMAGE_MEANS,
    SURFACE_COLUMNS,
    dice_sums,
    mean_of_sums,
    surface_dice_of_sums,
)

__all__ = ["GroupSums", "Grouped", "Statistic"]

Statistic: TypeAlias = Callable[[NDArray[Any]], float]
GroupSums: TypeAlias = tuple[Sequence[str], NDArray[Any], Statistic]
"""Groups in which a class is known, their sums along the first axis, and the statistic of a total."""

_PIXELS = ("tp", "fp", "fn", "tn")
_REGION = ("roi_pixels", "truth_in_roi", "predicted_in_roi")
_OF_COUNTS = ("dice", "iou", "precision", "recall", "specificity")
_MEANS = {f"{name}_image_mean": name for name in ("dice", "iou", "dice_everywhere", "dice_nowhere")} | IMAGE_MEANS
_OF_LESIONS = (*(f"lesion_{name}_pooled" for name in ("sensitivity", "precision", "f1")), "false_lesions_per_image")
_OF_HISTOGRAMS: dict[str, tuple[Callable[[Histogram], NDArray[Any]], Statistic]] = {
    "aupr11_pooled": (threshold_counts, trapezoid_aupr),
    "ece_pooled": (reliability, expected_error),
    "ace_pooled": (reliability, mean_bin_error),
}


@dataclass(frozen=True, slots=True, eq=False)
class Grouped:
    """Measured images of one split by group, with the values needed for measures."""

    rows: pd.DataFrame
    """Counts per image and class: ``group_id``, ``class_code`` and what of `image_rows.IMAGE_COLUMNS` there is."""
    histograms: Sequence[tuple[str, Mapping[str, Histogram]]] = ()
    """For each image its group and its histograms."""
    confusions: Sequence[tuple[str, Confusion]] = ()
    """For each image with one its group and its confusion of labels."""
    labels: tuple[str, ...] = ()
    """Names of the labels."""

    @property
    def groups(self) -> list[str]:
        """All groups, in text order."""
        return sorted(self.rows["group_id"].astype(str).unique())

    def measures(self) -> dict[str, Callable[[str], GroupSums]]:
        """Measure → the sums of a class; empty where unknown."""
        counted = {f"{name}_pooled": partial(self._counts, name) for name in _OF_COUNTS}
        means = {measure: partial(self._mean, column) for measure, column in _MEANS.items()}
        lesions = {measure: partial(self._lesions, measure) for measure in _OF_LESIONS}
        calibrated = {measure: partial(self._of_histograms, *how) for measure, how in _OF_HISTOGRAMS.items()}
        return {
            **counted,
            "ap_pooled": self._precision,
            **calibrated,
            "iou_label_pooled": self._label_iou,
            **means,
            "dice_everywhere_pooled": partial(self._trivial, _everywhere),
            "dice_nowhere_pooled": partial(self._trivial, _nowhere),
            **lesions,
            "image_auc": self._image_auc,
            "surface_dice_pooled": self._surface_dice,
        }

    def _own(self, code: str, columns: Sequence[str]) -> pd.DataFrame:
        """Rows of a class, with groups as text; none where a column is not there."""
        own = self.rows[self.rows["class_code"] == code]
        if not set(columns) <= set(own):
            return pd.DataFrame(columns=["group_id", *columns])
        return own.astype({"group_id": str})

    def _summed(self, code: str, columns: Sequence[str], statistic: Statistic) -> GroupSums:
        sums = self._own(code, columns).groupby("group_id")[list(columns)].sum()
        return list(sums.index), sums.to_numpy(np.int64), statistic

    def _counts(self, name: str, code: str) -> GroupSums:
        return self._summed(code, _PIXELS, lambda total: float(getattr(_counted(total), name)))

    def _trivial(self, statistic: Statistic, code: str) -> GroupSums:
        return self._summed(code, (*_PIXELS, *_REGION), statistic)

    def _mean(self, column: str, code: str) -> GroupSums:
        sums = self._own(code, [column]).groupby("group_id")[column].agg(["sum", "count"])
        return list(sums.index), sums.to_numpy(np.float64), mean_of_sums

    def _lesions(self, measure: str, code: str) -> GroupSums:
        groups = self._own(code, COUNTS).groupby("group_id")
        sums = np.column_stack([groups[list(COUNTS)].sum().to_numpy(np.int64), groups.size().to_numpy(np.int64)])

        def score(total: NDArray[Any]) -> float:
            *counts, images = map(int, total)
            return lesion_scores(dict(zip(COUNTS, counts, strict=True)), images=images)[measure]

        return [str(name) for name in groups.groups], sums, score

    def _surface_dice(self, code: str) -> GroupSums:
        own = self._own(code, list(SURFACE_COLUMNS))
        known = own[own["tolerance_px"].notna()]
        return _added(list(zip(known["group_id"], dice_sums(known), strict=True)), surface_dice_of_sums)

    def _image_auc(self, code: str) -> GroupSums:
        own = self._own(code, ["highest_probability"])
        known = own[own["highest_probability"].notna()]
        found = []
        for group, part in known.groupby("group_id"):
            held = (part["tp"] + part["fn"] > 0).to_numpy()
            found.append((str(group), images_histogram(part["highest_probability"].to_numpy(np.float64), held)))
        return _of_occurring(found, roc_auc)

    def _held(self, code: str) -> list[tuple[str, Histogram]]:
        return [(group, histograms[code]) for group, histograms in self.histograms if code in histograms]

    def _precision(self, code: str) -> GroupSums:
        return _of_occurring(self._held(code), average_precision)

    def _of_histograms(self, sums: Callable[[Histogram], NDArray[Any]], statistic: Statistic, code: str) -> GroupSums:
        return _added([(group, sums(each)) for group, each in self._held(code)], statistic)

    def _label_iou(self, code: str) -> GroupSums:
        known = self.confusions if code in self.labels else ()
        return _added(known, lambda total: label_ious(total, self.labels)[code])


def _counted(total: NDArray[Any]) -> Counts:
    return Counts(*map(int, total))


def _everywhere(total: NDArray[Any]) -> float:
    return dice_everywhere(_counted(total[:4]), Region(*map(int, total[4:])))


def _nowhere(total: NDArray[Any]) -> float:
    return nowhere(_counted(total[:4])).dice


def _stacked(groups: Sequence[str], sums: Sequence[NDArray[Any]], statistic: Statistic) -> GroupSums:
    return groups, np.stack(sums) if sums else np.zeros((0, 1)), statistic


def _added(found: Sequence[tuple[str, NDArray[Any]]], statistic: Statistic) -> GroupSums:
    """Sums of images added up to those of their groups, in text order."""
    totals: dict[str, NDArray[Any]] = {}
    for group, sums in found:
        totals[group] = totals[group] + sums if group in totals else sums
    groups = sorted(totals)
    return _stacked(groups, [totals[each] for each in groups], statistic)


def _of_occurring(found: Sequence[tuple[str, Histogram]], statistic: Statistic) -> GroupSums:
    """Histograms of groups ``(group, 2, occurring probabilities)``; other probabilities would only cost memory."""
    if not found:
        return _added([], statistic)
    occurring = np.flatnonzero(np.any([each.any(axis=0) for _, each in found], axis=0))
    return _added([(group, each[:, occurring]) for group, each in found], statistic)
