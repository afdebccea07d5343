"""Cleaning of masks: small connected components are removed, then holes are filled, on masks of any height.

Regions are 8-connected, the background between them 4-connected. The order is fixed: too small regions inside a hole
are removed before the hole is filled, and filling never saves a region from removal.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.arrays.components import ComponentTable, component_table, select
from pipeline.arrays.raster import Raster
from pipeline.errors import ConfigurationError
from pipeline.geometry import BLOCK, Box, strips

__all__ = ["CleanMask", "clean"]


@dataclass(frozen=True, slots=True, eq=False)
class _Selection:
    """Some of the components of a mask."""

    table: ComponentTable
    keep: NDArray[np.bool_]

    def of(self, index: int, mask: NDArray[np.generic]) -> NDArray[np.bool_]:
        return select(self.table, index, mask, keep=self.keep)


@dataclass(frozen=True, slots=True, eq=False)
class CleanMask:
    """Cleaned mask, computed again from its source whenever it is read."""

    source: Raster[np.generic]
    boxes: tuple[Box, ...]
    """The strips in which it is computed."""
    regions: _Selection | None = None
    """Components kept of the source; all by default."""
    holes: _Selection | None = None
    """Holes that are filled."""

    @property
    def removed_regions(self) -> int:
        """Number of components of the source that were too small."""
        return 0 if self.regions is None else int(np.count_nonzero(~self.regions.keep))

    @property
    def filled_holes(self) -> int:
        """Number of holes that were filled."""
        return 0 if self.holes is None else int(np.count_nonzero(self.holes.keep))

    def read(self, box: Box) -> NDArray[np.bool_]:
        """Cleaned mask of a box, ``(height, width)``.

        Notes
        -----
        Whole strips are computed, so full-width boxes aligned with strips are cheapest.
        """
        parts = [
            self._strip(index)[max(box.y0 - strip.y0, 0) : box.y1 - strip.y0, box.x0 : box.x1]
            for index, strip in enumerate(self.boxes)
            if strip.y0 < box.y1 and box.y0 < strip.y1
        ]
        return np.concatenate(parts) if parts else np.zeros((box.height, box.width), dtype=bool)

    def _strip(self, index: int) -> NDArray[np.bool_]:
        mask = self.source.read(self.boxes[index]).astype(bool, copy=False)
        kept = mask if self.regions is None else self.regions.of(index, mask)
        return kept if self.holes is None else kept | self.holes.of(index, ~kept)


def clean(
    mask: Raster[np.generic],
    *,
    minimum_area: int,
    fill_holes: bool,
    largest_hole: int | None = None,
    rows: int = BLOCK,
) -> CleanMask:
    """Removal of small components and hole filling, in this order.

    Parameters
    ----------
    mask
        Non-zero values are inside. It is read twice here, and again on each read of the result.
    minimum_area
        Pixels. 8-connected regions of fewer are removed; 0 and 1 keep all.
    fill_holes
        Whether holes are filled: 4-connected background that does not touch the image border.
    largest_hole
        Pixels. Larger holes stay; without it none is too large. Regions inside a hole do not count.
    rows
        Rows of a strip. They change the memory needed, never the result.

    Raises
    ------
    ConfigurationError
        An area is negative.
    """
    if minimum_area < 0 or (largest_hole is not None and largest_hole < 0):
        raise ConfigurationError(
            "An area is negative.",
            where="segmentation.clean",
            found=f"minimum area {minimum_area}, largest hole {largest_hole}",
            expected="at least 0 pixels",
            remedy="Give areas in pixels of the image that was segmented.",
        )
    cleaned = CleanMask(mask, tuple(strips(*mask.shape, rows)))
    if minimum_area > 1:
        table = component_table(mask, rows=rows, connectivity=8)
        cleaned = CleanMask(mask, cleaned.boxes, _Selection(table, table.area >= minimum_area))
    if not fill_holes:
        return cleaned
    return CleanMask(mask, cleaned.boxes, cleaned.regions, _holes(cleaned, largest_hole=largest_hole, rows=rows))


def _holes(mask: CleanMask, *, largest_hole: int | None, rows: int) -> _Selection:
    background = Raster(mask.source.shape, lambda box: ~mask.read(box))
    table = component_table(background, rows=rows, connectivity=4)
    fill = ~table.touches_border(*background.shape)
    return _Selection(table, fill if largest_hole is None else fill & (table.area <= largest_hole))
