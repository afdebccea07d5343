"""How much disk does a run need at most, and what if it is full? Compression makes the real figure smaller."""

import errno
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from pipeline.config import StageConfig
from pipeline.errors import StoreError

__all__ = ["projected_disk", "room_on_disk"]

PYRAMID = 4 / 3
"""A pyramid that halves both sides adds a third."""

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@contextmanager
def room_on_disk(results: Path) -> Iterator[None]:
    """Say so in plain words where something cannot be written because the disk, or a quota on it, is full.

    Parameters
    ----------
    results
        Where is written to.

    Raises
    ------
    StoreError
        Instead of the error of the operating system. What was being written is under ``.partial``; a run continues it.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in FULL:
            raise
        folder = next(each for each in (results, *results.absolute().parents) if each.exists())
        raise StoreError(
            "There is no space left on the disk.",
            where=error.filename or results,
            found=f"{error.strerror}; {shutil.disk_usage(folder).free / 2**20:.0f} MiB free",
            expected="room for what is written",
            remedy="Make room and run again: what is finished is kept.",
        ) from error


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
