"""Bootstrap intervals of averages over classes: the same groups are drawn for every class."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from pipeline.report.measures.group_sums import GroupSums
from pipeline.seeds import Key, stream

__all__ = ["drawn_values", "mean_intervals"]

LEVEL = 0.95


def drawn_values(weights: NDArray[np.int64], groups: Sequence[str], sums: GroupSums) -> NDArray[np.float64]:
    """Statistic of a class in each draw; NaN where it is undefined.

    Parameters
    ----------
    weights
        Number of times that each group was drawn ``(draws, groups)``.
    groups
        All groups, in their order.
    sums
        Of the class.
    """
    own, cube, statistic = sums
    if not len(own):
        return np.full(len(weights), np.nan)
    flat, places = cube.reshape(len(own), -1), [groups.index(each) for each in own]
    totals = ((weight @ flat).reshape(cube.shape[1:]) for weight in weights[:, places])
    return np.array([statistic(total) for total in totals])


def mean_intervals(
    groups: Sequence[str],
    sums_of: Mapping[str, Callable[[str], GroupSums]],
    *,
    averaged: Mapping[str, Sequence[str]],
    draws: int,
    key: tuple[int, Key],
) -> dict[tuple[str, str], tuple[float, float]]:
    """Bootstrap 95 % intervals of the mean over classes, for measures that exist only per class.

    In each draw the mean covers the classes with a defined measure, as in the mean of all groups.

    Parameters
    ----------
    groups
        All groups, in their order.
    sums_of
        Measure → the sums of a class by group.
    averaged
        Name of an average → the classes that it is taken over.
    draws
        Bootstrap samples.
    key
        Seed and split, which address the randomness.
    """
    codes = sorted({code for members in averaged.values() for code in members})
    found: dict[tuple[str, str], tuple[float, float]] = {}
    for measure, sums in sums_of.items():
        rng = stream(key[0], "report", "bootstrap", key[1], "averages", measure)
        size = len(groups)
        weights = np.stack([np.bincount(rng.integers(size, size=size), minlength=size) for _ in range(draws)])
        values = {code: drawn_values(weights, groups, sums(code)) for code in codes}
        for name, members in averaged.items():
            bounds = _bounds(np.stack([values[code] for code in members])) if members else None
            if bounds is not None:
                found[name, measure] = bounds
    return found


def _bounds(values: NDArray[np.float64]) -> tuple[float, float] | None:
    """Percentiles of the mean over classes ``(class, draw)``, of the draws in which any is defined."""
    defined = ~np.isnan(values)
    held = defined.any(axis=0)
    if not held.any():
        return None
    means = np.where(defined, values, 0).sum(axis=0)[held] / defined.sum(axis=0)[held]
    lower, upper = np.quantile(means, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(lower), float(upper)
