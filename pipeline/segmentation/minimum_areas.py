"""Minimum areas from the truth: a percentile of the areas of its regions in a model's training images."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from pipeline.config import SegmentationConfig
from pipeline.index.candidates import read_candidates
from pipeline.stores.documents import read_json

__all__ = ["percentile_areas", "with_areas"]


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
    """
    tables = [read_candidates(path, codes=codes) for _, path in sorted(candidates.items())]
    areas = {code: [table.lesions[code].area for table in tables if len(table.lesions[code])] for code in codes}
    return {
        code: int(np.percentile(np.concatenate(found), percentile, method="lower")) if found else otherwise
        for code, found in areas.items()
    }


def with_areas(config: SegmentationConfig, thresholds: Path) -> SegmentationConfig:
    """Configuration with the areas found when the thresholds were fitted, where it asks for them."""
    if config.minimum_areas != "percentile":
        return config
    classes = read_json(thresholds)["classes"]
    areas = {code: int(each["minimum_area"]) for code, each in classes.items() if "minimum_area" in each}
    return config.model_copy(update={"minimum_areas": areas})
