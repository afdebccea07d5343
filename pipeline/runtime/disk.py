"""Disk that a run needs at most: bytes of its Zarr stores before compression, per stage."""

from collections.abc import Iterable

import numpy as np

from pipeline.config import StageConfig

__all__ = ["projected_disk"]

PYRAMID = 4 / 3
"""A pyramid that halves both sides adds a third."""


def projected_disk(
    sizes: Iterable[tuple[int, int]], *, classes: int, evaluated_share: float, config: StageConfig
) -> dict[str, int]:
    """Bytes of the Zarr stores of a run before compression, per stage.

    Parameters
    ----------
    sizes
        ``(height, width)`` of each original image, where no rescaling to a diameter is asked for.
    classes
        Number of classes.
    evaluated_share
        Share of the images that are predicted (validation, test, predict).
    config
        Parameters of the run.

    Returns
    -------
    dict
        ``normalized``, ``probability`` and ``segmentation``.
    """
    factor = config.normalized.rescale.factor or 1.0
    pixels = sum(height * width for height, width in sizes) * factor * factor
    maps = len(config.model.predictors) * len(config.probability.fusions) * evaluated_share * pixels
    return {
        "normalized": round(pixels * (3 * PYRAMID + classes + 1)),
        "probability": round(maps * classes * np.dtype(config.probability.stored).itemsize * PYRAMID),
        "segmentation": round(maps * (PYRAMID + classes)),
    }
