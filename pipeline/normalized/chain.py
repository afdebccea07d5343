"""Which steps does an image go through, strip by strip? Pure functions over a picture in memory.

The statistics of CLAHE are gathered once over the whole image; after that any box can be computed on its own, with a
halo for the blur, and equals the same box of the image processed whole.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from pipeline.config import NormalizedConfig
from pipeline.geometry import Box, strips
from pipeline.normalized.clahe import TileGrid
from pipeline.normalized.enhance import (
    channel_tables,
    count_channels,
    difference,
    equalise_block,
    gaussian_blur,
    gaussian_halo,
    keep_outside,
)
from pipeline.normalized.roi import upsample_mask

__all__ = ["Block", "Region", "block_chain"]

Bytes: TypeAlias = NDArray[np.uint8]
Block: TypeAlias = Callable[[Box], Bytes]


@dataclass(frozen=True, slots=True)
class Region:
    """A field of view or tissue mask, kept at thumbnail size; any box of it can be asked for at full size."""

    mask: NDArray[np.bool_]
    """``(h, w)`` of the thumbnail."""
    height: int
    """Rows of the image."""
    width: int
    """Columns of the image."""

    def read(self, box: Box) -> NDArray[np.bool_]:
        """The mask of a box ``(y, x)`` at full size."""
        return upsample_mask(self.mask, box=box, height=self.height, width=self.width)


def _equalised(picture: Bytes, region: Region, config: NormalizedConfig) -> Block:
    clahe, whole = config.clahe, Box.of_shape(*picture.shape[:2])
    if not clahe.apply:
        return lambda box: picture[box.slices]
    grid = TileGrid(whole.height, whole.width, *clahe.tiles)
    counts: Any = 0
    for box in strips(whole.height, whole.width, config.strip_rows):
        include = region.read(box) if clahe.statistics == "roi" else None
        counts = counts + count_channels(picture[box.slices], box=box, grid=grid, space=clahe.space, include=include)
    tables = channel_tables(counts, clip_limit=clahe.clip_limit, grid=grid)
    return lambda box: np.asarray(
        equalise_block(picture[box.slices], box=box, grid=grid, tables=tables, space=clahe.space), dtype=np.uint8
    )


def _sharpened(picture: Bytes, equalised: Block, config: NormalizedConfig) -> Block:
    if not config.gaussian.apply:
        return equalised
    sigma, step, whole = config.gaussian.sigma, config.difference, Box.of_shape(*picture.shape[:2])

    def source(box: Box) -> Bytes:
        return picture[box.slices] if step.of == "original" and step.apply else equalised(box)

    def block(box: Box) -> Bytes:
        outer = box.grow(gaussian_halo(sigma), whole)
        haloed = source(outer)
        blurred = gaussian_blur(haloed, outer=outer, box=box, sigma=sigma)
        if not step.apply:
            return blurred
        inner = haloed[box.shift(-outer.y0, -outer.x0).slices]
        return difference(inner, blurred=blurred, omega=step.omega, theta=step.theta, offset=step.offset)

    return block


def block_chain(picture: Bytes, *, region: Region, config: NormalizedConfig) -> Block:
    """The configured chain as a function from a box of the image to its pixels ``(h, w, 3)``.

    Parameters
    ----------
    picture
        ``(h, w, 3)`` RGB, already rescaled.
    region
        Field of view (fundus) or tissue (histology).
    config
        The steps and their parameters.

    Returns
    -------
    Callable
        Pure; the same pixels for any partition of the image into boxes.
    """
    if config.chain == "histology":
        # Stain normalisation has the one method `none` so far: the pixels stay what the scanner gave.
        return lambda box: picture[box.slices]
    enhanced = _sharpened(picture, _equalised(picture, region, config), config)
    if config.outside == "keep":
        return enhanced
    return lambda box: keep_outside(enhanced(box), region.read(box))
