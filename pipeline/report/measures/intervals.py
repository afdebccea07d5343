"""Bootstrap confidence intervals of scores, and precision-recall curves."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from pipeline.arrays.metrics import Histogram
from pipeline.report.measures.averages import has_average
from pipeline.report.measures.group_sums import Grouped
from pipeline.report.measures.mean_intervals import mean_intervals
from pipeline.seeds import Key, stream

__all__ = ["LEAST_GROUPS", "Intervals", "bootstrap_interval", "curve", "intervals"]

Intervals: TypeAlias = dict[tuple[str, str], tuple[float, float]]
"""(class code or name of an average, measure) → bounds."""

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
    """Bootstrap confidence interval: percentiles of a statistic over resampled groups (patients).

    Parameters
    ----------
    groups
        One entry per group along the first axis, in a fixed order: sums of differences, or counts ``(groups, 4)`` for
        the Dice of `Counts`, or histograms ``(groups, 2, 15361)`` for ``metrics.average_precision``.
    statistic
        Of the sum over groups.
    rng
        From ``seeds.stream``, addressed by the measure.
    n
        Draws.
    level
        Share of the draws between the bounds, in (0, 1).

    Returns
    -------
    tuple or None
        Lower and upper bound. None below 10 groups, where the interval would be wrong more often than stated, and if no
        draw has a defined value. Draws without one, such as those without truth, are left out.

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


def intervals(
    grouped: Grouped,
    *,
    averaged: Mapping[str, Sequence[str]],
    draws: int,
    key: tuple[int, Key],
) -> Intervals:
    """Bootstrap 95 % intervals of the measures of classes and of named averages over them, by resampling groups.

    Parameters
    ----------
    grouped
        The images of a split by group.
    averaged
        Name of an average → the classes that it is taken over.
    draws
        Bootstrap samples; 0 for no intervals.
    key
        Seed and split, which address the randomness.

    Returns
    -------
    dict
        Only measures with an interval; none below ten groups.
    """
    groups = grouped.groups
    if draws == 0 or len(groups) < LEAST_GROUPS:
        return {}
    found: dict[tuple[str, str], tuple[float, float] | None] = {}
    codes = [str(code) for code in grouped.rows["class_code"].unique()]
    for measure, sums in grouped.measures().items():
        for code in codes:
            _, cube, statistic = sums(code)
            rng = stream(key[0], "report", "bootstrap", key[1], code, measure)
            found[code, measure] = bootstrap_interval(cube, statistic, rng=rng, n=draws)
        over = {name: own for name, own in averaged.items() if has_average(measure, name)}
        found |= mean_intervals(groups, {measure: sums}, averaged=over, draws=draws, key=key)
    return {name: bounds for name, bounds in found.items() if bounds is not None}


def curve(histogram: Histogram) -> NDArray[np.float64]:
    """Precision-recall curve: recall, precision and threshold ``(3, points)`` from the highest threshold down.

    A pixel is predicted where its probability, a float16, is at least the threshold. At most 200 points, none without
    truth. With more points those nearest to equal steps of recall are kept, enough for a plot but not for an area.
    """
    fp, tp = np.cumsum(histogram[:, ::-1], axis=1)
    seen = np.flatnonzero(tp)
    if not len(seen):
        return np.zeros((3, 0))
    recall, precision = tp[seen] / tp[-1], tp[seen] / (tp[seen] + fp[seen])
    thresholds = (histogram.shape[1] - 1 - seen).astype(np.uint16).view(np.float16)
    keep = np.unique(np.searchsorted(recall, np.linspace(recall[0], 1, _POINTS)).clip(max=len(recall) - 1))
    return np.stack([recall[keep], precision[keep], thresholds[keep].astype(np.float64)])
