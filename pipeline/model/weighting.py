"""Class weights of the loss, given in the configuration or computed from the pixels of the patch index.

References
----------
A. Paszke et al., "ENet: a deep neural network architecture for real-time semantic segmentation", 2016 (the weight of a
class of share p is ``1 / ln(1.02 + p)``, which stays below 51 for the rarest).
"""

import math
from collections.abc import Mapping

import pandas as pd

from pipeline.config import ModelSettings
from pipeline.config.manifest import DatasetRecord
from pipeline.words import BACKGROUND

__all__ = ["class_weights", "index_weights"]

OFFSET = 1.02


def class_weights(settings: ModelSettings, *, rows: pd.DataFrame, record: DatasetRecord) -> dict[str, float]:
    """Weight of each output of the network, background first for multiclass; empty for equal weights.

    Parameters
    ----------
    settings
        ``class_weights``: ``index``, or class code (and ``background``) → weight; 1 for a class not listed.
    rows
        Training rows of the index.
    record
        Classes and task.
    """
    if settings.class_weights == "index":
        weights: Mapping[str, float] = index_weights(rows, codes=record.codes)
    elif settings.class_weights:
        weights = settings.class_weights
    else:
        return {}
    names = (BACKGROUND, *record.codes) if record.task == "multiclass" else record.codes
    return {name: weights.get(name, 1.0) for name in names}


def index_weights(rows: pd.DataFrame, *, codes: tuple[str, ...]) -> dict[str, float]:
    """Weights ``1 / ln(1.02 + p)`` of background and classes, with p their share of the pixels of all patches.

    Background is the area that no class covers; pixels of two classes count for both. For a class those patches count
    in which somebody looked for it; for background, those in which somebody looked for every class. If there are none,
    background gets the remainder of the class shares.
    """
    pixels = rows[[f"pixels_{code}" for code in codes]].astype("int64")
    area = rows["height"].astype("int64") * rows["width"].astype("int64")
    known = pixels >= 0
    classes = {code: _share(pixels[f"pixels_{code}"], area, known[f"pixels_{code}"]) for code in codes}
    whole = known.all(axis=1)
    covered = _share(pixels.sum(axis=1), area, whole) if whole.any() else sum(classes.values())
    shares = {BACKGROUND: max(1 - covered, 0.0), **classes}
    return {name: 1 / math.log(OFFSET + share) for name, share in shares.items()}


def _share(pixels: "pd.Series[int]", area: "pd.Series[int]", known: "pd.Series[bool]") -> float:
    whole = float(area[known].sum())
    return float(pixels[known].sum()) / whole if whole else 0.0
