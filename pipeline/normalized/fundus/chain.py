"""Chain of a fundus photograph: CLAHE, Gaussian blur and difference enhancement, as a function of boxes.

The histograms of CLAHE are gathered once over the whole image. After that any box can be computed on its own, with a
halo for the blur. It equals the same box of the image processed whole.
"""

import threading
from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from pipeline.config import NormalizedConfig
from pipeline.geometry import Box
from pipeline.normalized.blocks import work_blocks
from pipeline.normalized.fundus.blur import gaussian_blur, gaussian_halo
from pipeline.normalized.fundus.clahe import Grey, TileGrid
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

__all__ = ["Block", "Read", "block_chain"]

Bytes: TypeAlias = NDArray[np.uint8]
Read: TypeAlias = Callable[[Box], Grey]
"""Gives the pixels ``(h, w, 3)`` of a box, uint8 or uint16."""
Block: TypeAlias = Callable[[Box], Bytes]


def _equalised(read: Read, region: Region, config: NormalizedConfig, *, workers: int) -> Block:
    clahe = config.clahe

    def bytes_of(box: Box) -> Bytes:
        return to_eight_bit(read(box))

    if not clahe.apply:
        return bytes_of
    # Lightness is defined for 8 bit; the channels themselves are equalised in the depth that the file has.
    pixels: Read = bytes_of if clahe.space == "lab" else read
    grid = TileGrid(region.height, region.width, *clahe.tiles)

    counts, adding = [np.zeros((), np.int64)], threading.Lock()

    def count(box: Box) -> None:
        include = region.read(box) if clahe.statistics == "roi" else None
        found = channel_histograms(pixels(box), box=box, grid=grid, space=clahe.space, include=include)
        with adding:
            counts[0] = counts[0] + found

    each(count, work_blocks(region.height, region.width, config=config), workers=workers)
    tables = channel_tables(counts[0], clip_limit=clahe.clip_limit, grid=grid)
    return lambda box: to_eight_bit(equalise_block(pixels(box), box=box, grid=grid, tables=tables, space=clahe.space))


def _sharpened(read: Read, equalised: Block, config: NormalizedConfig, *, whole: Box) -> Block:
    if not config.gaussian.apply:
        return equalised
    sigma, step = config.gaussian.sigma, config.difference

    def source(box: Box) -> Bytes:
        return to_eight_bit(read(box)) if step.of == "original" and step.apply else equalised(box)

    def block(box: Box) -> Bytes:
        outer = box.grow(gaussian_halo(sigma), whole)
        haloed = source(outer)
        blurred = gaussian_blur(haloed, outer=outer, box=box, sigma=sigma)
        if not step.apply:
            return blurred
        inner = haloed[box.shift(-outer.y0, -outer.x0).slices]
        return difference_enhancement(inner, blurred=blurred, omega=step.omega, theta=step.theta, offset=step.offset)

    return block


def block_chain(read: Read, *, region: Region, config: NormalizedConfig, workers: int = 1) -> Block:
    """Configured chain, as a function from a box of the image to its pixels ``(h, w, 3)``.

    Parameters
    ----------
    read
        Gives any box of the RGB picture, already rescaled. It may be called from several threads.
    region
        Field of view, of the size of the image.
    config
        The steps and their parameters.
    workers
        Blocks at a time while the statistics are gathered.

    Returns
    -------
    Callable
        Pure; the same pixels for any partition of the image into boxes.
    """
    whole = Box.of_shape(region.height, region.width)
    enhanced = _sharpened(read, _equalised(read, region, config, workers=workers), config, whole=whole)
    if config.outside == "keep":
        return enhanced
    return lambda box: fill_outside(enhanced(box), region.read(box))
