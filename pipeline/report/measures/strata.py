"""Lesions found by size, contrast, elongation and isolation: sensitivity in thirds of the lesions of each class.

Cuts are values of lesions, so equal ones stay together, and thirds may differ in size. Contrast counts by magnitude,
because dark lesions are as visible as bright ones. A lesion alone in its image counts as the most isolated; one without
a contrast (surrounded only by other lesions) is in no third of contrast.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.words import EVALUATED_SPLITS

__all__ = ["PROPERTIES", "Strata", "strata", "thirds"]

Strata: TypeAlias = dict[str, dict[str, dict[str, list[dict[str, Any]]]]]
"""Split → class → property → thirds from the lowest: ``lesions``, ``found``, ``sensitivity``, ``least`` and ``most``
(values of the property, null where there is no lesion or no such number, as the elongation of a line)."""

PROPERTIES = ("area_px", "contrast", "elongation", "isolation_px")
"""Columns of a table of lesions."""


def thirds(values: NDArray[np.float64], found: NDArray[np.bool_]) -> list[dict[str, Any]]:
    """Thirds of lesions from the lowest value: number, number found, lowest and highest value.

    Parameters
    ----------
    values
        Value of each lesion; infinite ones are the highest, NaN ones are in no third.
    found
        Whether each is found.
    """
    known = ~np.isnan(values)
    values, found = values[known], found[known]
    ordered, number = np.sort(values), len(values)
    cuts = [ordered[-(-number * at // 3) - 1] for at in (1, 2)] if number else []
    third = np.searchsorted(cuts, values, side="left")
    return [_third(values[third == at], found[third == at]) for at in range(3)]


def _third(values: NDArray[np.float64], found: NDArray[np.bool_]) -> dict[str, Any]:
    return {
        "lesions": len(values),
        "found": int(found.sum()),
        "sensitivity": float(found.mean()) if len(values) else None,
        "least": _finite(values.min(initial=np.inf)),
        "most": _finite(values.max(initial=-np.inf)),
    }


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _values(lesions: pd.DataFrame) -> Mapping[str, NDArray[np.float64]]:
    found = {name: lesions[name].to_numpy(np.float64) for name in PROPERTIES}
    isolation = found["isolation_px"]
    return found | {
        "contrast": np.abs(found["contrast"]),
        "isolation_px": np.where(np.isnan(isolation), np.inf, isolation),
    }


def strata(lesions: pd.DataFrame, codes: Sequence[str]) -> Strata:
    """Sensitivity in thirds, by split and class, of the classes that have a lesion there.

    Parameters
    ----------
    lesions
        Rows of `lesion_wise.LESION_COLUMNS` on one grid.
    codes
        Classes, in their order.
    """
    found: Strata = {}
    if not len(lesions):
        return found
    truth = lesions[lesions["side"] == "truth"]
    for split in EVALUATED_SPLITS:
        for code in codes:
            own = truth[(truth["split"] == split) & (truth["class_code"] == code)]
            if len(own):
                matched = own["matched"].to_numpy(np.bool_)
                by_property = {name: thirds(values, matched) for name, values in _values(own).items()}
                found.setdefault(split, {})[code] = by_property
    return found
