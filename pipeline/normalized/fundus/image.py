"""Normalised image store of a fundus photograph: rescaled, its field of view found, its contrast enhanced."""

from pathlib import Path

import numpy as np

from pipeline.config import NormalizedConfig
from pipeline.normalized.fundus.chain import block_chain
from pipeline.normalized.image import Content, write_image
from pipeline.normalized.opened import Opened, open_view
from pipeline.normalized.region import Region
from pipeline.normalized.roi import field_of_view, whole_picture
from pipeline.raw.datasets.entry import ImageEntry
from pipeline.stores.job import Job

__all__ = ["fundus_region", "normalise_fundus"]


def fundus_region(opened: Opened, config: NormalizedConfig) -> Region:
    """Field of view of an opened fundus photograph, or the whole picture, as configured."""
    find = field_of_view if config.field_of_view == "found" else whole_picture
    return Region.found(find, opened.thumbnail(), height=opened.height, width=opened.width)


def normalise_fundus(entry: ImageEntry, *, config: NormalizedConfig, job: Job, output: Path) -> None:
    """Image store ``normalized/{image}.zarr`` of a fundus photograph, written: pyramid, ``roi``, and truth if known.

    Parameters
    ----------
    entry, config, job, output
        See `pipeline.normalized.image.write_image`; the image must have passed stage raw.

    Raises
    ------
    ImageRejected
        The file was damaged after stage raw had read it, or a file of the image changed while it was read.
    ConfigurationError
        A size to which this image cannot be rescaled.
    """
    with (
        job.files.steady(folders=False),
        open_view(entry, record=job.record, config=config, workers=job.workers) as opened,
    ):
        region = fundus_region(opened, config)
        enhanced = block_chain(opened.view.raster, region=region, config=config, workers=job.workers)
        write_image(
            opened,
            Content(
                region,
                planes=enhanced.map(lambda block: np.moveaxis(block, 2, 0)),
                flags=() if region.mask.any() else ("no field of view found",),
            ),
            entry=entry,
            config=config,
            job=job,
            output=output,
        )
