"""Chain of a fundus photograph: CLAHE, Gaussian blur and difference enhancement, as a raster of its result.

The histograms of CLAHE are gathered once over the whole image. After that any box can be computed on its own, with a
halo for the blur. It equals the same box of the image processed whole.
"""

import threading
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.arrays.raster import Raster
from pipeline.config import NormalizedConfig
from pipeline.geometry import Box
from pipeline.normalized.blocks import work_blocks
from pipeline.normalized.fundus.blur import gaussian_blur, gaussian_halo
from pipeline.normalized.fundus.clahe import TileGrid
from pipeline.normalized.fundus.enhance import (
    channel_histograms,
    channel_tables,
    difference_enhancement,
    equalise_block,
    fill_outside,
)
from pipeline.normalized.region import Region
from pipeline.raw.formats.source import to_eight_bit
from pipeline.runtime.threads import each

__all__ = ["block_chain"]


def _equalised(pixels: Raster[Any], region: Region, config: NormalizedConfig, *, workers: int) -> Raster[np.uint8]:
    clahe = config.clahe
    if not clahe.apply:
        return pixels.map(to_eight_bit)
    # Lightness is defined for 8 bit; the channels themselves are equalised in the depth that the file has.
    source = pixels.map(to_eight_bit) if clahe.space == "lab" else pixels
    grid = TileGrid(*pixels.shape, *clahe.tiles)

    counts, adding = [np.zeros((), np.int64)], threading.Lock()

    def count(box: Box) -> None:
        include = region.read(box) if clahe.statistics == "roi" else None
        found = channel_histograms(source.read(box), box=box, grid=grid, space=clahe.space, include=include)
        with adding:
            counts[0] = counts[0] + found

    each(count, work_blocks(*pixels.shape, config=config), workers=workers)
    tables = channel_tables(counts[0], clip_limit=clahe.clip_limit, grid=grid)

    def read(box: Box) -> NDArray[np.uint8]:
        return to_eight_bit(equalise_block(source.read(box), box=box, grid=grid, tables=tables, space=clahe.space))

    return Raster(pixels.shape, read)


def _sharpened(pixels: Raster[Any], equalised: Raster[np.uint8], config: NormalizedConfig) -> Raster[np.uint8]:
    if not config.gaussian.apply:
        return equalised
    sigma, step = config.gaussian.sigma, config.difference
    source = pixels.map(to_eight_bit) if step.of == "original" and step.apply else equalised

    def read(box: Box) -> NDArray[np.uint8]:
        outer = box.grow(gaussian_halo(sigma), pixels.box)
        haloed = source.read(outer)
        blurred = gaussian_blur(haloed, outer=outer, box=box, sigma=sigma)
        if not step.apply:
            return blurred
        inner = haloed[box.shift(-outer.y0, -outer.x0).slices]
        return difference_enhancement(inner, blurred=blurred, omega=step.omega, theta=step.theta, offset=step.offset)

    return Raster(pixels.shape, read)


def block_chain(pixels: Raster[Any], *, region: Region, config: NormalizedConfig, workers: int = 1) -> Raster[np.uint8]:
    """Configured chain: the raster ``(h, w, 3)`` of the enhanced picture.

    Parameters
    ----------
    pixels
        The RGB picture ``(h, w, 3)``, uint8 or uint16, already rescaled. It may be read by several threads.
    region
        Field of view, of the size of the image.
    config
        The steps and their parameters.
    workers
        Blocks at a time while the statistics are gathered.

    Returns
    -------
    Raster
        The same pixels for any partition of the image into boxes.
    """
    enhanced = _sharpened(pixels, _equalised(pixels, region, config, workers=workers), config)
    if config.outside == "keep":
        return enhanced
    return Raster(pixels.shape, lambda box: fill_outside(enhanced.read(box), region.read(box)))
