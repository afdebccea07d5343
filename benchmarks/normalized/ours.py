"""Normalisation of an image in memory by this package: the same calls as in the stage, without files."""

import numpy as np
from numpy.typing import NDArray

from pipeline.config import NormalizedConfig, Stain
from pipeline.geometry import Box
from pipeline.normalized.blocks import work_blocks
from pipeline.normalized.opened import Opened
from pipeline.normalized.rescale import Rescaling
from pipeline.normalized.stain.image import estimate_image, tissue_of
from pipeline.normalized.stain.method import normalise
from pipeline.normalized.stain.record import Estimate
from pipeline.normalized.thumbnail import read_thumbnail
from pipeline.normalized.view import View
from pipeline.raw.formats.source import ArraySource
from pipeline.runtime.threads import each

METHODS = ("vahadane", "macenko", "reinhard")
WORKERS = 2


def settings(method: str = "vahadane") -> NormalizedConfig:
    """The defaults, with that method."""
    return NormalizedConfig(chain="histology", stain=Stain.model_validate({"method": method}))


def estimated(image: NDArray[np.uint8], config: NormalizedConfig, *, workers: int = WORKERS) -> Estimate:
    """Tissue, colour table, sample, vectors and exact percentiles of an image ``(y, x, 3)``."""
    source = ArraySource(image, stored="array")
    height, width = image.shape[:2]
    small = read_thumbnail(source)
    opened = Opened(View(source, Rescaling.identity(height, width)), lambda: small, None)
    return estimate_image(opened, tissue_of(opened), config=config, workers=workers)


def mapped(
    image: NDArray[np.uint8], found: Estimate, target: Estimate, config: NormalizedConfig, *, workers: int = WORKERS
) -> NDArray[np.uint8]:
    """The normalised image ``(3, y, x)``, block by block."""
    height, width = image.shape[:2]
    result = np.empty((3, height, width), np.uint8)

    def work(box: Box) -> None:
        result[:, *box.slices] = normalise(image[box.slices], estimate=found, target=target, settings=config.stain)

    each(work, work_blocks(height, width, config=config), workers=workers)
    return result
