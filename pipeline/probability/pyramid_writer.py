"""Writer of fused blocks into their stores, at every level of the pyramid."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from pipeline.geometry import Box
from pipeline.probability.fusion.finish import Fused
from pipeline.stores import as_array
from pipeline.stores.shard_file import StoredShard
from pipeline.stores.shards import Shards

__all__ = ["block_writer"]


def _write_level(
    shards: Shards, fused: Fused, *, y0: int, x0: int, half: NDArray[np.float32] | None
) -> tuple[StoredShard, ...]:
    classes, height, width = fused.shape
    codes = np.zeros((classes, *shards.chunk), shards.array.dtype)

    def make(part: Box) -> NDArray[Any]:
        if (part.height, part.width) != shards.chunk:  # The last chunk holds pixels beyond the border.
            codes.fill(0)
        fused.store(part.shift(-y0, -x0), codes=codes, half=half)
        return codes

    return shards.write(Box(y0, x0, y0 + height, x0 + width), make)


def block_writer(groups: Mapping[str, zarr.Group], *, levels: int) -> Callable[[str, Fused, Box], list[StoredShard]]:
    """Writer of a block of a fusion into every level of its store, each computed from the one before; returns the shards."""
    arrays = {
        name: [Shards.of(as_array(group, str(level))) for level in range(levels)] for name, group in groups.items()
    }

    def write(fusion: str, fused: Fused, box: Box) -> list[StoredShard]:
        written: list[StoredShard] = []
        for level, shards in enumerate(arrays[fusion]):
            half = fused.empty_half() if level + 1 < levels else None
            written += _write_level(shards, fused, y0=box.y0 >> level, x0=box.x0 >> level, half=half)
            if half is not None:
                fused = Fused(half, None)
        return written

    return write
