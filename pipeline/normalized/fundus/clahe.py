"""Contrast-limited adaptive histogram equalisation (CLAHE), block by block.

Two passes over the blocks of an image, in any partition:

1. `tile_histograms` gives a block's part of the grey-value histograms of the tiles. `tile_tables` clips, redistributes
   and accumulates their sum over all blocks into one lookup table per tile.
2. `interpolate` maps each block through the tables of the four tiles around each pixel.

The result equals ``cv2.createCLAHE(clip_limit, (tiles_x, tiles_y)).apply`` on the whole image, pixel for pixel, for
8 and 16 bit. Every step repeats its integer counts and the order of its float32 operations.

References
----------
K. Zuiderveld, "Contrast limited adaptive histogram equalization", Graphics Gems IV, 1994, 474-485.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import ConfigurationError, GeometryError
from pipeline.geometry import Box
from pipeline.normalized.fundus.clahe_kernels import Grey, add_counts, blend_tables, fill_tables

__all__ = ["Grey", "TileGrid", "interpolate", "tile_histograms", "tile_tables"]


@dataclass(frozen=True, slots=True)
class TileGrid:
    """Tile grid of CLAHE: equal rectangles over the image, or over the image extended to a multiple of them."""

    height: int
    """Rows of the image, at least 1."""
    width: int
    """Columns of the image, at least 1."""
    tiles_y: int
    """Tiles from top to bottom, at least 1."""
    tiles_x: int
    """Tiles from left to right, at least 1."""

    def __post_init__(self) -> None:
        if min(self.height, self.width, self.tiles_y, self.tiles_x) < 1:
            raise ConfigurationError(
                "An image cannot be tiled.",
                where="normalized.fundus.clahe.TileGrid",
                found=f"{self.height}×{self.width} pixels, {self.tiles_y}×{self.tiles_x} tiles",
                expected="at least one pixel and one tile along each axis",
                remedy="Correct the tile grid of the CLAHE step.",
            )

    @property
    def is_exact(self) -> bool:
        """Test for an exact grid, whose tiles divide both axes without extension."""
        return self.height % self.tiles_y == 0 and self.width % self.tiles_x == 0

    # If one axis does not divide, both are extended; an axis that divides by a whole pixel per tile.
    @property
    def extended_height(self) -> int:
        """Rows after mirroring at the bottom border."""
        return self.height if self.is_exact else self.height + self.tiles_y - self.height % self.tiles_y

    @property
    def extended_width(self) -> int:
        """Columns after mirroring at the right border."""
        return self.width if self.is_exact else self.width + self.tiles_x - self.width % self.tiles_x

    @property
    def tile_height(self) -> int:
        """Rows of a tile."""
        return self.extended_height // self.tiles_y

    @property
    def tile_width(self) -> int:
        """Columns of a tile."""
        return self.extended_width // self.tiles_x


def tile_histograms(
    block: Grey, *, box: Box, grid: TileGrid, include: NDArray[np.bool_] | None = None
) -> NDArray[np.int64]:
    """Tile histograms of one block. Their sum over any partition is that of the whole image.

    Parameters
    ----------
    block
        ``(y, x)``, the pixels of ``box``. A pixel that is mirrored into the extension counts there too.
    box
        Where the block lies in the image.
    grid
        The tiles of the image.
    include
        ``(y, x)``, pixels of the block that count; all by default. With a mask the result differs from OpenCV: the area
        of a tile is its number of counted pixels, which are few at the rim of the mask.

    Returns
    -------
    NDArray
        ``(tiles_y, tiles_x, bins)`` with 256 bins for 8 bit and 65 536 for 16 bit.

    Raises
    ------
    GeometryError
        Where block, box, mask and grid do not fit together.
    """
    _check_block(block, box=box, grid=grid)
    if include is not None and include.shape != block.shape:
        raise _misfit("The mask is not of the size of its block.", found=include.shape, expected=block.shape)
    histograms = np.zeros((grid.tiles_y, grid.tiles_x, _bins(block)), np.int64)
    rows = _runs(grid.height, grid.extended_height, tile=grid.tile_height, first=box.y0, end=box.y1)
    columns = _runs(grid.width, grid.extended_width, tile=grid.tile_width, first=box.x0, end=box.x1)
    mask = None if include is None else np.ascontiguousarray(include)
    add_counts(np.ascontiguousarray(block), mask, rows, columns, histograms)
    return histograms


def tile_tables(histograms: NDArray[np.int64], *, clip_limit: float, grid: TileGrid) -> Grey:
    """Lookup table of each tile: its histogram clipped, redistributed, accumulated and scaled.

    Parameters
    ----------
    histograms
        ``(tiles_y, tiles_x, bins)``, the sum of `tile_histograms` over the image.
    clip_limit
        Highest bin as a multiple of the mean bin, 0 for no limit. A bin always keeps at least one pixel.
    grid
        The tiles of the image.

    Returns
    -------
    NDArray
        ``(tiles_y, tiles_x, bins)`` uint8 for 256 bins, uint16 for 65 536. A tile without counted pixels keeps its
        grey values.

    Raises
    ------
    ConfigurationError
        For a negative clip limit.
    GeometryError
        Where histograms and grid do not fit together.
    """
    if not 0 <= clip_limit < np.inf:
        raise ConfigurationError(
            "The clip limit is not a number from 0.",
            where="normalized.fundus.clahe.tile_tables",
            found=clip_limit,
            expected="0 (no limit) or more; 2 to 4 are usual",
            remedy="Correct the clip limit.",
        )
    if histograms.shape[:2] != (grid.tiles_y, grid.tiles_x) or histograms.shape[2] not in (256, 65536):
        expected = f"({grid.tiles_y}, {grid.tiles_x}, 256 or 65536)"
        raise _misfit("The histograms do not fit the tiles.", found=histograms.shape, expected=expected)
    tables = np.empty(histograms.shape, np.uint8 if histograms.shape[2] == 256 else np.uint16)
    fill_tables(np.ascontiguousarray(histograms, np.int64), float(clip_limit), tables)
    return tables


def interpolate(block: Grey, *, box: Box, grid: TileGrid, tables: Grey) -> Grey:
    """Equalised block: each pixel mapped through the tables of the tiles around it, bilinear between tile centres.

    Parameters
    ----------
    block
        ``(y, x)``, the pixels of ``box``.
    box
        Where the block lies in the image.
    grid
        The tiles of the image.
    tables
        ``(tiles_y, tiles_x, bins)`` of `tile_tables`, of the type of the block.

    Returns
    -------
    NDArray
        ``(y, x)`` of the type of the block; each pixel depends only on its value and its position in the image.

    Raises
    ------
    GeometryError
        Where block, box, tables and grid do not fit together.
    """
    _check_block(block, box=box, grid=grid)
    expected = (grid.tiles_y, grid.tiles_x, _bins(block))
    if tables.shape != expected or tables.dtype != block.dtype:
        found = f"{tables.shape} {tables.dtype}"
        raise _misfit("The tables do not fit the block.", found=found, expected=f"{expected} {block.dtype}")
    above, row_weight = _neighbours(box.y0, box.y1, tile=grid.tile_height)
    left, column_weight = _neighbours(box.x0, box.x1, tile=grid.tile_width)
    result = np.empty(block.shape, block.dtype)
    if block.size:
        corners = _corners(tables, top=int(above[0]), bottom=int(above[-1]))
        offsets = ((left + 1) * tables.shape[2]).astype(np.uint32)
        blend_tables(np.ascontiguousarray(block), corners, above - above[0], row_weight, offsets, column_weight, result)
    return result


def _misfit(what: str, *, found: object, expected: object) -> GeometryError:
    remedy = "Give the block, box and tile grid of one and the same image."
    return GeometryError(what, where="normalized.fundus.clahe", found=found, expected=expected, remedy=remedy)


def _check_block(block: Grey, *, box: Box, grid: TileGrid) -> None:
    if block.shape != (box.height, box.width):
        raise _misfit("The block is not of the size of its box.", found=block.shape, expected=(box.height, box.width))
    if not Box.of_shape(grid.height, grid.width).contains(box):
        raise _misfit("The box leaves the image.", found=box, expected=f"inside {grid.height}×{grid.width}")


def _bins(block: Grey) -> int:
    if block.dtype not in (np.uint8, np.uint16):
        raise _misfit("The grey values are of another type.", found=block.dtype, expected="uint8 or uint16")
    return 256 if block.dtype == np.uint8 else 65536


def _runs(length: int, extended: int, *, tile: int, first: int, end: int) -> NDArray[np.int64]:
    # Rows of (start in the block, pixels, tile): stretches of the extended axis whose source lies in first…end.
    axis = np.arange(extended)
    period = max(2 * (length - 1), 1)
    source = axis % period if length > 1 else np.zeros_like(axis)
    source = np.where(source >= length, period - source, source)
    inside = (source >= first) & (source < end)
    source, owner = source[inside] - first, axis[inside] // tile
    breaks = np.flatnonzero((np.diff(source) != 1) | (np.diff(owner) != 0)) + 1
    starts = np.concatenate(([0], breaks))[: source.size]
    lengths = np.diff(np.append(starts, source.size))
    return np.stack([source[starts], lengths, owner[starts]], axis=1).astype(np.int64)


def _neighbours(first: int, end: int, *, tile: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    # The tile before each pixel (-1 before the first centre) and the weight of the one after it, in float32 throughout.
    position = np.arange(first, end).astype(np.float32) * (np.float32(1) / np.float32(tile)) - np.float32(0.5)
    before = np.floor(position)
    return before.astype(np.int64), position - before


def _corners(tables: Grey, *, top: int, bottom: int) -> NDArray[np.uint32 | np.uint64]:
    # The four tables around each gap between tile centres, packed so that one load fetches all four values.
    packed, bits = (np.uint32, 8) if tables.dtype == np.uint8 else (np.uint64, 16)
    rows = np.arange(top, bottom + 2).clip(0, tables.shape[0] - 1)
    columns = np.arange(-1, tables.shape[1] + 1).clip(0, tables.shape[1] - 1)
    wide = tables[rows][:, columns].astype(packed)
    upper = wide[:, :-1] | wide[:, 1:] << packed(bits)
    corners: NDArray[np.uint32 | np.uint64] = upper[:-1] | upper[1:] << packed(2 * bits)
    return corners.reshape(corners.shape[0], -1)
