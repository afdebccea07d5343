"""Memory and rate of normalising slides of three sizes, up to 40 000 × 40 000 pixels."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import tifffile
from numpy.typing import NDArray

from benchmarks.normalized.process import measured
from pipeline.raw.phantom.histology import histology_phantom

__all__ = ["section", "write_slide"]

SIDES = (10_000, 20_000, 40_000)
CELL, TILE = 4096, 512
GLASS = (243, 241, 244)


def _cell() -> NDArray[np.uint8]:
    """A phantom of 2048 pixels with its mirrors: it can be laid side by side without edges."""
    half = histology_phantom(0, size=CELL // 2, seed=5).image
    wide = np.concatenate([half, half[:, ::-1]], axis=1)
    return np.concatenate([wide, wide[::-1]])


def _tiles(side: int) -> Iterator[NDArray[np.uint8]]:
    """Tiles of an oval of tissue on glass, row by row; only one of them is in memory."""
    cell = _cell()
    for y in range(0, side, TILE):
        for x in range(0, side, TILE):
            # Each row of cells is shifted, so that no two tiles of a column are equal.
            rows = np.arange(y, y + TILE) % CELL
            columns = (np.arange(x, x + TILE) + 977 * (y // CELL)) % CELL
            tile = cell[rows][:, columns]
            away = ((np.arange(y, y + TILE) / side - 0.5) / 0.46)[:, None] ** 2
            tile[away + ((np.arange(x, x + TILE) / side - 0.5) / 0.46)[None, :] ** 2 > 1] = GLASS
            yield tile


def write_slide(path: Path, side: int) -> None:
    """A tiled JPEG BigTIFF of ``side`` × ``side`` pixels, without a pyramid."""
    tifffile.imwrite(
        path,
        _tiles(side),
        shape=(side, side, 3),
        dtype=np.uint8,
        tile=(TILE, TILE),
        compression="jpeg",
        compressionargs={"level": 85},
        photometric="rgb",
        bigtiff=True,
    )


def section(sides: tuple[int, ...] = SIDES) -> str:
    """The Markdown section."""
    rows = ["| slide | file, MB | seconds | Mpx/s | of which the estimate, s | peak, MB |", "|---|---|---|---|---|---|"]
    cv2.setNumThreads(2)
    for side in sides:
        with tempfile.TemporaryDirectory(dir=Path.cwd()) as name:
            path = Path(name) / "slide.tif"
            write_slide(path, side)
            size = path.stat().st_size / 1e6
            found = measured("ours", path, Path(name), runs=1)
        seconds, estimate, peak = (float(found[key]) for key in ("seconds", "estimate", "peak"))
        rows.append(
            f"| {side}×{side} | {size:.0f} | {seconds:.1f} | {side * side / 1e6 / seconds:.0f} | {estimate:.1f} | {peak:.0f} |"
        )
        print(rows[-1])
    head = (
        "A phantom slide as tiled JPEG TIFF without a pyramid → `stain.json` → OME-Zarr with pyramid and tissue mask, "
        "2 workers, in a process of its own; the file is read twice for its thumbnail, once for the stains, once for the pixels."
    )
    return "\n".join([head, "", *rows])
