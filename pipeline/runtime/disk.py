"""Disk space of the results of a run, per stage: bytes of the arrays times measured compression ratios."""

from collections.abc import Sequence

import numpy as np

from pipeline.config import StageConfig
from pipeline.runtime.job_memory import Picture, scaled_size
from pipeline.runtime.measured import activations_of

__all__ = ["expected_disk"]

PYRAMID = 4 / 3
"""A pyramid that halves both sides adds a third."""
PIXELS, MASKS, MAPS, REGIONS = 0.8, 0.02, 0.65, 0.05
"""Share of bytes left by compression for normalised pixels, truth and roi, maps, and masks and label maps.

`du -sb` of the results of the two samples and of 12 images of IDRiD at half their size: pixels 0.77 to 0.85, maps 0.57 to
0.80, masks and outlines of a fusion 0.03 to 0.09."""
OUTLINES, SHEET, TABLES, ROW, PICTURE = 35e3, 5e3, 10e3, 60, 1.4e6
"""Bytes of the other files: outlines of an image and fusion, a fact sheet, the candidates of an image, a row of an index,
and the pictures of an image in the report, in the same runs."""


def expected_disk(
    pictures: Sequence[Picture], *, classes: int, evaluated_share: float, config: StageConfig
) -> dict[str, float]:
    """Bytes of the results of a run, stages in their order.

    Parameters
    ----------
    pictures
        The original images.
    classes
        Number of classes.
    evaluated_share
        Share of images with maps (validation, test, predict).
    config
        Parameters of the run.
    """
    sizes = [scaled_size(config.normalized.rescale, each) for each in pictures]
    pixels, images = sum(height * width for height, width in sizes), len(sizes)
    results = len(config.model.predictors) * len(config.probability.fusions) * evaluated_share
    maps, stored = results * pixels, np.dtype(config.probability.stored).itemsize
    weights = [activations_of(each.network, each.encoder).weights for each in config.model.models.values()]
    rows = sum(each.total for each in config.index.samplings.values() if each.strategy != "grid")
    return {
        "raw": SHEET * images,
        "normalized": pixels * (PIXELS * 3 * PYRAMID + MASKS * (classes + 1)),
        "index": TABLES * images + ROW * rows,
        "model": float(sum(weights)),
        "probability": MAPS * maps * classes * stored * PYRAMID,
        "segmentation": REGIONS * maps * (PYRAMID + classes) + OUTLINES * results * images,
        "report": PICTURE * min(config.report.images, images),
    }
