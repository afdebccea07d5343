"""What does a block lend to its neighbours, and which blocks are finished? Small files beside an unfinished store.

The sums of a block reach over its border to the right, below, and at the corner. Each of the three strips has exactly
one reader: the next block in that direction. It is written to a file before the block is finished and deleted when the
reader is. So a run that was killed knows which blocks it need not compute again: those that are finished and whose
strips are either read or still there.
"""

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.lib.format import header_data_from_array_1_0, write_array_header_1_0
from numpy.typing import NDArray

from pipeline.geometry import Box
from pipeline.probability.plan import Block, WindowPlan

__all__ = ["Ledger", "Side", "lends", "lent", "strip"]

Side = Literal["right", "below", "corner"]

SIDES: tuple[Side, ...] = ("right", "below", "corner")
"""The fixed order in which a block adds what it is lent: from its left, from above, from above left."""

_STEP: dict[Side, tuple[int, int]] = {"right": (0, 1), "below": (1, 0), "corner": (1, 1)}


def strip(plan: WindowPlan, block: Block, side: Side) -> Box:
    """The pixels outside its core that a block reaches on one side; an empty box where there are none."""
    core, reach = plan.core(block), plan.reach(block)
    y = (core.y1, reach.y1) if side != "right" else (core.y0, core.y1)
    x = (core.x1, reach.x1) if side != "below" else (core.x0, core.x1)
    return Box(y[0], x[0], y[1], x[1])


@dataclass(frozen=True, slots=True)
class Ledger:
    """Strips and marks of one store in a folder of its own, which is deleted when the store is finished."""

    folder: Path

    def is_done(self, block: Block) -> bool:
        """Whether the block is in the store, at every level."""
        return self._mark(block).exists()

    def set_done(self, block: Block) -> None:
        """Record that the block is in the store."""
        self._mark(block).touch()

    def has(self, block: Block, side: Side) -> bool:
        """Whether the strip of a block lies here."""
        return self._strip(block, side).exists()

    def keep(self, block: Block, side: Side, sums: NDArray[np.float32]) -> None:
        """Write a strip ``(class, y, x)``; a kill leaves all of it or nothing under its name."""
        path = self._strip(block, side)
        temporary = path.with_suffix(".new")
        whole = np.ascontiguousarray(sums)
        with temporary.open("wb") as stream:
            write_array_header_1_0(stream, header_data_from_array_1_0(whole))
            stream.write(whole.data)  # at once: np.save hands it to the C library, which takes it in small pieces
        os.replace(temporary, path)

    def load(self, block: Block, side: Side) -> NDArray[np.float32]:
        """Read a strip."""
        return np.asarray(np.load(self._strip(block, side)), dtype=np.float32)

    def drop(self, block: Block, side: Side) -> None:
        """Delete a strip that was read for the last time."""
        self._strip(block, side).unlink(missing_ok=True)

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

    def _strip(self, block: Block, side: Side) -> Path:
        return self.folder / f"{block.row}_{block.column}.{side}.npy"


def lends(plan: WindowPlan, block: Block, *, evaluated: NDArray[np.bool_]) -> Iterator[tuple[Side, Block]]:
    """The sides on which a block lends something, and who reads it; nothing where all its windows are skipped."""
    if any(evaluated[window.row, window.column] for window in plan.windows(block)):
        for side in SIDES:
            if strip(plan, block, side).area:
                dy, dx = _STEP[side]
                yield side, Block(block.row + dy, block.column + dx)


def lent(plan: WindowPlan, block: Block, *, evaluated: NDArray[np.bool_]) -> Iterator[tuple[Side, Block]]:
    """What a block is lent and by whom, in the order in which it is added."""
    for side in SIDES:
        dy, dx = _STEP[side]
        source = Block(block.row - dy, block.column - dx)
        if source.row >= 0 and source.column >= 0 and (side, block) in lends(plan, source, evaluated=evaluated):
            yield side, source
