"""Chain of a fundus photograph: CLAHE, Gaussian blur and difference enhancement, as a raster of its result.

The histograms of CLAHE, and cell sums for a wide blur, are gathered once over the whole image. Then any box can be
computed on its own, with a halo for a narrow blur, and equals the same box of the image processed as a whole.
"""

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.arrays.raster import Raster
from pipeline.config import Difference, Gaussian, NormalizedConfig
from pipeline.geometry import Box, strips
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
from pipeline.normalized.fundus.wide_blur import cell_side, cell_sums, smoothed_cells, wide_blur
from pipeline.normalized.region import Region
from pipeline.raw.formats.source import to_eight_bit
from pipeline.runtime.threads import each

__all__ = ["block_chain", "blur_sigma"]

BAND = 64
"""Rows of a wide blur in memory at a time."""
LEAST_SIGMA = 0.3
"""Least standard deviation of the blur, in pixels, for a field of view of a few pixels."""


def _equalised(pixels: Raster[Any], region: Region, config: NormalizedConfig, *, workers: int) -> Raster[np.uint8]:
    clahe = config.clahe
    if not clahe.apply:
        return pixels.map(to_eight_bit)
    # Lightness is defined for 8 bit; the channels themselves are equalised in the depth of the file.
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


def _sharpened(
    pixels: Raster[Any],
    equalised: Raster[np.uint8],
    inside: Callable[[Box], NDArray[np.bool_]],
    config: NormalizedConfig,
    *,
    sigma: float,
    workers: int,
) -> Raster[np.uint8]:
    if not config.gaussian.apply:
        return equalised
    original = config.difference.of == "original" and config.difference.apply
    source = pixels.map(to_eight_bit) if original else equalised
    if cell_side(sigma) > 1:
        return _sharpened_by_cells(source, inside, config, sigma=sigma, workers=workers)

    def read(box: Box) -> NDArray[np.uint8]:
        outer = box.grow(gaussian_halo(sigma), pixels.box)
        haloed = source.read(outer)
        blurred = gaussian_blur(haloed, outer=outer, box=box, sigma=sigma, inside=inside(outer))
        return _enhanced(haloed[box.shift(-outer.y0, -outer.x0).slices], blurred, config.difference)

    return Raster(pixels.shape, read)


def _inside(lit: Region) -> Callable[[Box], NDArray[np.bool_]]:
    # The dim rim would darken the blur beside it. An image without a field of view counts as all field of view.
    if lit.mask.any():
        return lit.read
    return lambda box: np.ones((box.height, box.width), np.bool_)


def _enhanced(
    image: NDArray[np.uint8], blurred: NDArray[np.uint8] | NDArray[np.float32], step: Difference
) -> NDArray[np.uint8]:
    if not step.apply:
        return np.asarray(np.rint(blurred), np.uint8)
    return difference_enhancement(image, blurred=blurred, omega=step.omega, theta=step.theta, offset=step.offset)


def _sharpened_by_cells(
    source: Raster[np.uint8],
    inside: Callable[[Box], NDArray[np.bool_]],
    config: NormalizedConfig,
    *,
    sigma: float,
    workers: int,
) -> Raster[np.uint8]:
    side = cell_side(sigma)
    height, width = source.shape
    sums, adding = np.zeros((-(-height // side), -(-width // side), 4), np.uint32), threading.Lock()

    def add(box: Box) -> None:
        found, cells = cell_sums(source.read(box), inside(box), box=box, side=side)
        with adding:
            sums[cells] += found

    each(add, work_blocks(height, width, config=config), workers=workers)
    smooth = smoothed_cells(sums, sigma=sigma, side=side)

    def read(box: Box) -> NDArray[np.uint8]:
        image = source.read(box)
        result = np.empty_like(image)
        # The blur has finer steps than grey levels; a few rows of it are in memory at a time.
        for band in strips(box.height, box.width, BAND):
            blurred = wide_blur(smooth, box=band.shift(box.y0, box.x0), side=side)
            result[band.slices] = _enhanced(image[band.slices], blurred, config.difference)
        return result

    return Raster(source.shape, read)


def blur_sigma(gaussian: Gaussian, region: Region) -> float:
    """Standard deviation of the blur in pixels: as configured, or as a share of the diameter of the field of view."""
    if isinstance(gaussian.sigma, float):
        return gaussian.sigma
    return max(gaussian.sigma.fov_share * region.diameter, LEAST_SIGMA)


def block_chain(pixels: Raster[Any], *, region: Region, config: NormalizedConfig, workers: int = 1) -> Raster[np.uint8]:
    """Configured chain: the raster ``(h, w, 3)`` of the enhanced image.

    Parameters
    ----------
    pixels
        The RGB image ``(h, w, 3)``, uint8 or uint16, already rescaled. Several threads may read it.
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
    equalised = _equalised(pixels, region, config, workers=workers)
    lit = region.without_rim()
    sigma = blur_sigma(config.gaussian, region)
    enhanced = _sharpened(pixels, equalised, _inside(lit), config, sigma=sigma, workers=workers)
    if config.outside == "keep":
        return enhanced
    # With the blur subtracted, the dim rim would be a saturated ring.
    shown, fill = lit if config.fill_outside else region, config.fill_outside
    return Raster(pixels.shape, lambda box: fill_outside(enhanced.read(box), shown.read(box), fill))
