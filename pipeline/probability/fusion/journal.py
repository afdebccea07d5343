"""Journal of an unfinished store: marks of finished blocks, and halos on their way, as small files beside it.

A halo is written before its block is finished and deleted once its receiver is. So a job that was killed knows which
blocks need not be computed again: those that are finished and whose halos are either used or still there.
"""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.lib.format import header_data_from_array_1_0, write_array_header_1_0
from numpy.typing import NDArray

from pipeline.probability.fusion.halo import Side
from pipeline.probability.plan import Block

__all__ = ["Journal"]


@dataclass(frozen=True, slots=True)
class Journal:
    """Marks and halos of one store in a folder of its own, which is deleted when the store is finished."""

    folder: Path

    def is_done(self, block: Block) -> bool:
        """Whether the block is in the store, at every level."""
        return self._mark(block).exists()

    def set_done(self, block: Block) -> None:
        """Record that the block is in the store."""
        self._mark(block).touch()

    def has_halo(self, block: Block, side: Side) -> bool:
        """Whether the halo of a block lies here."""
        return self._halo(block, side).exists()

    def write_halo(self, block: Block, side: Side, sums: NDArray[np.float32]) -> None:
        """Write sums ``(map, y, x)`` of a halo; a kill leaves all of it or nothing under its name."""
        path = self._halo(block, side)
        temporary = path.with_suffix(".new")
        whole = np.ascontiguousarray(sums)
        with temporary.open("wb") as stream:
            write_array_header_1_0(stream, header_data_from_array_1_0(whole))
            stream.write(whole.data)  # at once: np.save hands it to the C library, which takes it in small pieces
        os.replace(temporary, path)

    def read_halo(self, block: Block, side: Side) -> NDArray[np.float32]:
        """Sums ``(map, y, x)`` of a halo."""
        return np.asarray(np.load(self._halo(block, side)), dtype=np.float32)

    def delete_halo(self, block: Block, side: Side) -> None:
        """Delete a halo that was read for the last time."""
        self._halo(block, side).unlink(missing_ok=True)

    def open(self, *, fresh: bool) -> None:
        """Make the folder; delete what is in it where the store is a new one."""
        if fresh:
            self.close()
        self.folder.mkdir(parents=True, exist_ok=True)

    def close(self) -> None:
        """Delete the folder."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _mark(self, block: Block) -> Path:
        return self.folder / f"{block.row}_{block.column}.done"

    def _halo(self, block: Block, side: Side) -> Path:
        return self.folder / f"{block.row}_{block.column}.{side}.npy"
