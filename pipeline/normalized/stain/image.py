"""Stain estimate and normalised image store of an H&E image: stains estimated over all its tissue, blocks mapped.

`write_estimate` reads a slide once and writes the small ``{image}.stain.json``. `normalise_histology` uses it to map
the pixels to a target. So a new target needs no new estimate.
"""

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.arrays.optical_density import NO_BACKGROUND, background_intensity
from pipeline.arrays.raster import Raster
from pipeline.config import NormalizedConfig
from pipeline.errors import StoreError
from pipeline.geometry import Box
from pipeline.normalized.blocks import work_blocks
from pipeline.normalized.image import Content, write_image
from pipeline.normalized.opened import Opened, open_view
from pipeline.normalized.region import Region
from pipeline.normalized.stain.colour_table import COLOURS, colour_table, count_colours, ordered_sample, sample_pixels
from pipeline.normalized.stain.method import block_concentrations, estimate, normalise
from pipeline.normalized.stain.record import Estimate, read_estimate
from pipeline.normalized.stain.tissue import fill_holes, foreign_mask, tissue_mask
from pipeline.raw.datasets.entry import ImageEntry
from pipeline.runtime.threads import each
from pipeline.stores.documents import read_json, write_json
from pipeline.stores.job import Job

__all__ = ["estimate_image", "normalise_histology", "tissue_of", "write_estimate"]


def tissue_of(opened: Opened) -> Region:
    """Tissue mask of an image, found in its thumbnail."""
    return Region.found(tissue_mask, opened.thumbnail(), height=opened.height, width=opened.width)


def _foreign_of(opened: Opened) -> Region:
    return Region.found(foreign_mask, opened.thumbnail(), height=opened.height, width=opened.width)


def estimate_image(opened: Opened, region: Region, *, config: NormalizedConfig, workers: int) -> Estimate:
    """Stain estimate of an image from all pixels of its tissue ``region``, in one pass over its blocks.

    The 24-bit colours of the tissue are counted, so counts are exact and add up over blocks. A sample keyed by position
    is taken for the dictionary. Blocks without tissue are not read.
    """
    settings = config.stain
    white = settings.background == "white"
    background = NO_BACKGROUND if white else background_intensity(opened.thumbnail().histogram())
    share = min(1.0, settings.sample / max(region.pixels, 1))
    counts, adding = np.zeros(COLOURS, np.int64), threading.Lock()

    def work(box: Box) -> tuple[NDArray[np.uint64], NDArray[np.uint8]]:
        include = region.read(box)
        if not include.any():
            return np.empty(0, np.uint64), np.empty((0, 3), np.uint8)
        block = opened.eight_bit.read(box)
        with adding:
            count_colours(block, include, counts)
        return sample_pixels(block, include, box, share)

    parts = each(work, work_blocks(opened.height, opened.width, config=config), workers=workers)
    return estimate(colour_table(counts), ordered_sample(parts), background=background, settings=settings)


def write_estimate(entry: ImageEntry, *, config: NormalizedConfig, job: Job, output: Path) -> None:
    """Stain estimate ``normalized/{image}.stain.json``, written: stains and tissue mask, usable as a target too.

    Parameters
    ----------
    entry
        The image.
    config
        Size and method.
    job
        Facts of the data set, record of origin, blocks at a time.
    output
        The file.

    Raises
    ------
    ImageRejected
        The file was damaged after stage raw had read it, or a file of the image changed while it was read.
    """
    with job.files.steady(), open_view(entry, record=job.record, config=config, workers=job.workers) as opened:
        region = tissue_of(opened)
        found = estimate_image(opened, region, config=config, workers=job.workers)
        foreign = _foreign_of(opened)
    beside = {"tissue": region.to_json(), "foreign": foreign.to_json(), "provenance": job.provenance.as_attributes()}
    write_json({**found.to_json(), **beside}, output)


def _written(stain: Path | None, name: str, opened: Opened, *, find: Callable[[Opened], Region]) -> Region:
    """Region found together with the stains; finding it again would reread a file without a pyramid."""
    content = read_json(stain).get(name) if stain else None
    if content is None:
        return find(opened)
    region = Region.from_json(content, height=opened.height, width=opened.width)
    if region.grid not in opened.view.source.levels:
        raise StoreError(
            "The tissue is that of another image.",
            where=f"{stain}: {name}.of",
            found=region.grid,
            expected=f"one of the sizes of the image, {opened.view.source.levels}",
            remedy="Give the stain.json of this image.",
        )
    return region


def _region_of_interest(opened: Opened, *, stain: Path | None, config: NormalizedConfig) -> Region:
    """Tissue including its smaller holes. Stains are estimated without them."""
    tissue = _written(stain, "tissue", opened, find=tissue_of)
    foreign = _written(stain, "foreign", opened, find=_foreign_of)
    return replace(tissue, mask=fill_holes(tissue.mask, foreign=foreign.mask, largest_share=config.roi_holes))


def _mapped(
    pixels: Raster[np.uint8], region: Region, *, found: Estimate, target: Estimate, config: NormalizedConfig
) -> Raster[np.uint8]:
    settings = config.stain

    def read(box: Box) -> NDArray[np.uint8]:
        block = pixels.read(box)
        mapped = normalise(block, estimate=found, target=target, settings=settings)
        if settings.outside == "normalise":
            return mapped
        return np.where(region.read(box), mapped, np.moveaxis(block, 2, 0))

    return Raster(pixels.shape, read)


def _stains(pixels: Raster[np.uint8], *, found: Estimate | None, config: NormalizedConfig) -> Raster[np.float16] | None:
    if found is None or found.matrix is None or not config.stain.concentrations:
        return None
    return pixels.map(lambda block: block_concentrations(block, estimate=found, settings=config.stain))


def normalise_histology(
    entry: ImageEntry,
    *,
    config: NormalizedConfig,
    stain: Path | None,
    target: Path | None,
    job: Job,
    output: Path,
) -> None:
    """Image store ``normalized/{image}.zarr`` of an H&E image, written: pyramid, ``roi``, truth and stains if known.

    Parameters
    ----------
    entry, config, job, output
        See `pipeline.normalized.image.write_image`; the image must have passed stage raw.
    stain, target
        Estimates of this image and of the target; None with method ``none``.

    Raises
    ------
    ImageRejected
        The file was damaged after stage raw had read it, or a file of the image changed while it was read.
    StoreError
        An estimate is not from this package, or its tissue is that of another image.
    """
    found = read_estimate(stain) if stain else None
    aim = read_estimate(target) if target else None
    with (
        job.files.steady(folders=False),
        open_view(entry, record=job.record, config=config, workers=job.workers) as opened,
    ):
        region, pixels = _region_of_interest(opened, stain=stain, config=config), opened.eight_bit
        if found is None or aim is None:
            planes = pixels.map(lambda block: np.moveaxis(block, 2, 0))
        else:
            planes = _mapped(pixels, region, found=found, target=aim, config=config)
        missing = () if region.mask.any() else ("no tissue found",)
        flags = (*missing, *(found.flags if found else ()))
        content = Content(region, planes, flags, stains=_stains(pixels, found=found, config=config))
        write_image(opened, content, entry=entry, config=config, job=job, output=output)
