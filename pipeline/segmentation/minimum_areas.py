"""Minimum areas from the truth: a percentile of the areas of its regions in a model's training images."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.config import SegmentationConfig
from pipeline.index.candidates import read_candidates
from pipeline.stores.documents import read_json

__all__ = ["fitted_areas", "percentile_areas", "with_areas"]

OF_SMALLEST = 0.5
"""Minimum area where there are too few regions for the percentile, as a share of the smallest one."""


def percentile_areas(
    candidates: Mapping[str, Path], *, codes: tuple[str, ...], percentile: float, otherwise: int
) -> dict[str, int]:
    """Percentile of the areas of truth regions of each class, in pixels of the normalised images.

    Parameters
    ----------
    candidates
        Image → ``index/candidates/{image}.parquet``, of training images only.
    codes
        Classes.
    percentile
        From 0 to 100; between two areas the smaller one is taken.
    otherwise
        Area of a class without truth.

    Notes
    -----
    The 5th percentile of fewer than 20 areas would be the smallest one, and the next disc may be smaller than any of
    nine. So below 100 / percentile regions it is half the smallest; the percentile 0 asks for the smallest.
    """
    tables = [read_candidates(path, codes=codes) for _, path in sorted(candidates.items())]
    areas = {code: [table.lesions[code].area for table in tables if len(table.lesions[code])] for code in codes}
    return {
        code: _percentile(np.concatenate(found), percentile) if found else otherwise for code, found in areas.items()
    }


def _percentile(areas: NDArray[np.int64], percentile: float) -> int:
    if 0 < len(areas) * percentile < 100:
        return int(areas.min() * OF_SMALLEST)
    return int(np.percentile(areas, percentile, method="lower"))


def fitted_areas(thresholds: Path) -> dict[str, int]:
    """Minimum area of each class as found when the thresholds of a file were fitted; empty if it was not asked for."""
    classes = read_json(thresholds)["classes"]
    return {code: int(each["minimum_area"]) for code, each in classes.items() if "minimum_area" in each}


def with_areas(config: SegmentationConfig, thresholds: Path) -> SegmentationConfig:
    """Configuration with the areas found when the thresholds were fitted, where it asks for them."""
    if config.minimum_areas != "percentile":
        return config
    return config.model_copy(update={"minimum_areas": fitted_areas(thresholds)})
