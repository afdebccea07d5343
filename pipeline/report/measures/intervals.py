"""Bootstrap confidence intervals of scores, and precision-recall curves."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.arrays.calibration import expected_error, mean_bin_error, reliability
from pipeline.arrays.metrics import Histogram, average_precision, threshold_counts, trapezoid_aupr
from pipeline.arrays.roc import images_histogram, roc_auc
from pipeline.report.measures.averages import pooled_dice, pooled_iou
from pipeline.report.measures.mean_intervals import GroupSums, mean_intervals
from pipeline.report.measures.surfaces import (
    IMAGE_MEANS,
    SURFACE_COLUMNS,
    mean_of_sums,
    surface_dice_of_sums,
    surface_sums,
)
from pipeline.seeds import Key, stream

__all__ = ["LEAST_GROUPS", "Intervals", "bootstrap_interval", "curve", "intervals"]

Statistic: TypeAlias = Callable[[NDArray[np.int64]], float]
Intervals: TypeAlias = dict[tuple[str, str], tuple[float, float]]
"""(class code or name of an average, measure) → bounds."""

_COUNTS = ["tp", "fp", "fn", "tn"]
_STATISTICS: dict[str, Statistic] = {"dice_pooled": pooled_dice, "iou_pooled": pooled_iou}
_POINTS = 200
LEAST_GROUPS = 10
"""Groups (patients) below which there is no interval."""


def bootstrap_interval(
    groups: NDArray[Any],
    statistic: Callable[[NDArray[Any]], float],
    *,
    rng: np.random.Generator,
    n: int = 1000,
    level: float = 0.95,
) -> tuple[float, float] | None:
    """Bootstrap confidence interval: percentiles of a statistic, groups (patients) being drawn again with replacement.

    Parameters
    ----------
    groups
        One entry per group along the first axis, in a fixed order: sums of differences, or counts ``(groups, 4)`` for ``pooled_dice``, or
        histograms ``(groups, 2, 15361)`` for ``metrics.average_precision``.
    statistic
        Of the sum over groups.
    rng
        From ``seeds.stream``, addressed by what is measured.
    n
        Draws.
    level
        Share of the draws between the bounds, in (0, 1).

    Returns
    -------
    tuple or None
        Lower and upper bound. None below 10 groups, where the interval would be wrong more often than it says, and
        where no draw has a defined value; draws without one, such as those without truth, are left out.

    References
    ----------
    .. [1] B. Efron, R. Tibshirani, An Introduction to the Bootstrap, Chapman & Hall, 1993.
    """
    size = len(groups)
    if size < LEAST_GROUPS:
        return None
    flat = groups.reshape(size, -1)
    weights = (np.bincount(rng.integers(size, size=size), minlength=size) for _ in range(n))
    values = np.array([statistic((weight @ flat).reshape(groups.shape[1:])) for weight in weights])
    values = values[~np.isnan(values)]
    if not len(values):
        return None
    lower, upper = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return float(lower), float(upper)


def _mean_of(statistic: Statistic) -> Statistic:
    def mean(total: NDArray[np.int64]) -> float:
        defined = [value for value in map(statistic, total) if not math.isnan(value)]
        return sum(defined) / len(defined) if defined else math.nan

    return mean


def _cube(rows: pd.DataFrame, codes: Sequence[str]) -> NDArray[np.int64]:
    """Counts ``(group, class, 4)``, groups in text order; nothing where a group has no row of a class."""
    sums = rows.groupby(["group_id", "class_code"], observed=True)[_COUNTS].sum()
    groups = sorted(rows["group_id"].unique())
    index = pd.MultiIndex.from_product([groups, codes], names=["group_id", "class_code"])
    return sums.reindex(index, fill_value=0).to_numpy(dtype=np.int64).reshape(len(groups), len(codes), 4)


def _groups_of(found: Sequence[tuple[str, Mapping[str, Histogram]]], code: str) -> list[str]:
    """Groups in which a class is known, in text order."""
    return sorted({group for group, histograms in found if code in histograms})


def _by_group(found: Sequence[tuple[str, Mapping[str, Histogram]]], code: str) -> NDArray[np.int64]:
    """Histograms of one class ``(group, 2, occurring probabilities)``; the others would only cost memory."""
    held = [(group, histograms[code]) for group, histograms in found if code in histograms]
    if not held:
        return np.zeros((0, 2, 1), dtype=np.int64)
    occurring = np.flatnonzero(np.any([histogram.any(axis=0) for _, histogram in held], axis=0))
    groups = _groups_of(found, code)
    cube = np.zeros((len(groups), 2, len(occurring)), dtype=np.int64)
    for group, histogram in held:
        cube[groups.index(group)] += histogram[:, occurring]
    return cube


def _sums_by_group(
    found: Sequence[tuple[str, Mapping[str, Histogram]]], code: str, sums: Callable[[Histogram], NDArray[Any]]
) -> NDArray[Any]:
    """Sums over the histograms of one class ``(group, ...)``, of each group those of its images added up."""
    held = [(group, sums(histograms[code])) for group, histograms in found if code in histograms]
    groups = _groups_of(found, code)
    totals = [sum(own for group, own in held if group == each) for each in groups]
    return np.stack(totals) if totals else np.zeros((0, 3, 1))


def _images_by_group(rows: pd.DataFrame, code: str) -> NDArray[np.int64]:
    """Histograms of the images of each group by their largest probability ``(group, 2, occurring probabilities)``."""
    own = rows[(rows["class_code"] == code) & rows["highest_probability"].notna()]
    found = [
        (str(group), {code: images_histogram(part["highest_probability"].to_numpy(np.float64), held.to_numpy())})
        for group, part in own.groupby("group_id", observed=True)
        for held in [part["tp"] + part["fn"] > 0]
    ]
    return _by_group(found, code)


def _of_class(
    rows: pd.DataFrame, histograms: Sequence[tuple[str, Mapping[str, Histogram]]], code: str
) -> dict[str, tuple[NDArray[Any], Callable[[NDArray[Any]], float]]]:
    """Sums of each group, and the statistic of their total, of the measures that are given per class alone."""
    cuts, bins = (_sums_by_group(histograms, code, sums) for sums in (threshold_counts, reliability))
    found: dict[str, tuple[NDArray[Any], Callable[[NDArray[Any]], float]]] = {
        "ap_pooled": (_by_group(histograms, code), average_precision),
        "aupr11_pooled": (cuts, trapezoid_aupr),
        "ece_pooled": (bins, expected_error),
        "ace_pooled": (bins, mean_bin_error),
    }
    if "highest_probability" in rows:
        found["image_auc"] = _images_by_group(rows, code), roc_auc
    if set(SURFACE_COLUMNS) <= set(rows):
        for measure, sums in surface_sums(rows[rows["class_code"] == code]).items():
            found[measure] = sums, mean_of_sums if measure in IMAGE_MEANS else surface_dice_of_sums
    return found


def intervals(
    rows: pd.DataFrame,
    histograms: Sequence[tuple[str, Mapping[str, Histogram]]],
    *,
    averaged: Mapping[str, Sequence[str]],
    draws: int,
    key: tuple[int, Key],
) -> Intervals:
    """Bootstrap 95 % intervals of the pooled measures of classes and of named averages, by drawing groups again.

    Parameters
    ----------
    rows
        Counts per image and class: ``group_id``, ``class_code``, ``tp``, ``fp``, ``fn``, ``tn``.
    histograms
        For each image its group and its histograms.
    averaged
        Name of an average → the classes that it is taken over (Dice, IoU and both AUPRs).
    draws
        Bootstrap samples; 0 for no intervals.
    key
        Seed and split, which address the randomness.

    Returns
    -------
    dict
        Only what has an interval: none below ten groups.
    """
    if draws == 0 or rows["group_id"].nunique() < LEAST_GROUPS:
        return {}
    found: dict[tuple[str, str], tuple[float, float] | None] = {}
    codes = [str(code) for code in rows["class_code"].unique()]
    cube = _cube(rows, codes)
    for measure, statistic in _STATISTICS.items():
        for at, code in enumerate(codes):
            rng = stream(key[0], "report", "bootstrap", key[1], code, measure)
            found[code, measure] = bootstrap_interval(cube[:, at], statistic, rng=rng, n=draws)
        for name, members in averaged.items():
            rng = stream(key[0], "report", "bootstrap", key[1], name, measure)
            found[name, measure] = bootstrap_interval(_cube(rows, members), _mean_of(statistic), rng=rng, n=draws)
    for code in codes:
        for measure, (cube, statistic) in _of_class(rows, histograms, code).items():
            rng = stream(key[0], "report", "bootstrap", key[1], code, measure)
            found[code, measure] = bootstrap_interval(cube, statistic, rng=rng, n=draws)
    found |= _of_averages(histograms, averaged=averaged, draws=draws, key=key)
    return {name: bounds for name, bounds in found.items() if bounds is not None}


def _of_averages(
    histograms: Sequence[tuple[str, Mapping[str, Histogram]]],
    *,
    averaged: Mapping[str, Sequence[str]],
    draws: int,
    key: tuple[int, Key],
) -> Intervals:
    """Intervals of the averages of both AUPRs."""

    def precisions(code: str) -> GroupSums:
        return _groups_of(histograms, code), _by_group(histograms, code), average_precision

    def trapezoids(code: str) -> GroupSums:
        return _groups_of(histograms, code), _sums_by_group(histograms, code, threshold_counts), trapezoid_aupr

    sums_of = {"ap_pooled": precisions, "aupr11_pooled": trapezoids}
    return mean_intervals(histograms, sums_of, averaged=averaged, draws=draws, key=key)


def curve(histogram: Histogram) -> NDArray[np.float64]:
    """Precision-recall curve: recall and precision ``(2, points)`` from the highest probability down.

    At most 200 points, none without truth. Where there are more, those nearest to equal steps of recall are kept:
    enough for a plot, not for an area.
    """
    fp, tp = np.cumsum(histogram[:, ::-1], axis=1)
    seen = np.flatnonzero(tp)
    if not len(seen):
        return np.zeros((2, 0))
    recall, precision = tp[seen] / tp[-1], tp[seen] / (tp[seen] + fp[seen])
    keep = np.unique(np.searchsorted(recall, np.linspace(recall[0], 1, _POINTS)).clip(max=len(recall) - 1))
    return np.stack([recall[keep], precision[keep]])
