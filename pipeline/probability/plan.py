"""Plan of sliding windows and output blocks: the windows, and the block that each belongs to; integers only.

A window belongs to the block in which it starts. It may cross the block's right and lower border by less than a window,
so it reaches the next block at most, because a block is at least as large as a window. Windows of a block are taken in
row-major order, in batches of a fixed size; the last batch of a block may be smaller. So the plan alone decides the
composition of every batch, whatever the number of workers.
"""

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import ConfigurationError
from pipeline.geometry import Box, starts_1d

__all__ = ["Block", "Window", "WindowPlan", "stride_of"]


@dataclass(frozen=True, slots=True, order=True)
class Block:
    """Place of an output shard: row and column, counted in shards."""

    row: int
    column: int


@dataclass(frozen=True, slots=True, order=True)
class Window:
    """Window: one square that the network sees."""

    row: int
    column: int
    """Place in the grid of windows."""
    y: int
    x: int
    """First pixel."""


@lru_cache(maxsize=64)
def _starts(length: int, window: int, stride: int) -> tuple[int, ...]:
    return starts_1d(length, window, stride)


def stride_of(window: int, *, overlap: float) -> int:
    """Pixels between window starts for a share of overlap, at least 1.

    Examples
    --------
    >>> stride_of(512, overlap=0.25)
    384
    """
    return max(1, round(window * (1 - overlap)))


@dataclass(frozen=True, slots=True)
class WindowPlan:
    """Windows over one image, and the blocks that hold them. It can be walked any number of times.

    Raises
    ------
    ConfigurationError
        For a block smaller than the window, or a batch below 1.
    GeometryError
        For sizes below 1, or a stride that leaves gaps.
    """

    height: int
    width: int
    """Pixels of the image."""
    window: int
    """Side of a window. A smaller image is padded below and to the right, and the result is cut."""
    stride: int
    """Pixels between window starts; the last row and column of windows are moved back inside."""
    block: int
    """Side of a block, which is a shard of the output."""
    batch: int = 1
    """Windows of one forward pass."""

    def __post_init__(self) -> None:
        if self.block < self.window or self.batch < 1:
            raise ConfigurationError(
                "The windows do not fit the shards.",
                where="probability: window, storage.shard, batch_size",
                found=f"window {self.window}, shard {self.block}, batch {self.batch}",
                expected="shard >= window, batch >= 1",
                remedy="Choose a larger probability.storage.shard or a smaller window.",
            )
        _starts(self.height, self.window, self.stride), _starts(self.width, self.window, self.stride)

    @property
    def starts_y(self) -> tuple[int, ...]:
        """First rows of the windows."""
        return _starts(self.height, self.window, self.stride)

    @property
    def starts_x(self) -> tuple[int, ...]:
        """First columns of the windows."""
        return _starts(self.width, self.window, self.stride)

    @property
    def grid(self) -> tuple[int, int]:
        """Windows along y and along x."""
        return len(self.starts_y), len(self.starts_x)

    @property
    def blocks(self) -> tuple[Block, ...]:
        """Blocks in row-major order."""
        rows, columns = -(-self.height // self.block), -(-self.width // self.block)
        return tuple(Block(row, column) for row in range(rows) for column in range(columns))

    def number(self, block: Block) -> int:
        """Place of a block among ``blocks``."""
        return block.row * -(-self.width // self.block) + block.column

    def core(self, block: Block) -> Box:
        """Pixels of a block, cut at the image border."""
        y0, x0 = block.row * self.block, block.column * self.block
        return Box(y0, x0, min(y0 + self.block, self.height), min(x0 + self.block, self.width))

    def windows(self, block: Block) -> tuple[Window, ...]:
        """Windows that start in a block, in row-major order; a narrow last block may have none."""
        core = self.core(block)
        return tuple(self._between(core.y0, core.y1, core.x0, core.x1))

    def reach(self, block: Block) -> Box:
        """Core of a block and its halo: all that its windows reach, cut at the image border."""
        core, windows = self.core(block), self.windows(block)
        if not windows:
            return core
        last = windows[-1]
        y1, x1 = min(last.y + self.window, self.height), min(last.x + self.window, self.width)
        return Box(core.y0, core.x0, max(core.y1, y1), max(core.x1, x1))

    def touching(self, box: Box) -> tuple[Window, ...]:
        """Windows that hold a pixel of a box, in row-major order."""
        before = self.window - 1
        return tuple(self._between(box.y0 - before, box.y1, box.x0 - before, box.x1))

    def owned(self, window: Window) -> tuple[int, int]:
        """Rows and columns from its first pixel to the start of the next window: its own pixels where windows do not overlap.

        Where the last row or column of windows was moved back inside, the later window owns the shared pixels, as if it
        had overwritten the earlier ones.
        """
        return self._before_next(self.starts_y, window.row), self._before_next(self.starts_x, window.column)

    def batches(self, windows: tuple[Window, ...]) -> Iterator[tuple[Window, ...]]:
        """Windows in groups of the batch size; the last group may be smaller."""
        for at in range(0, len(windows), self.batch):
            yield windows[at : at + self.batch]

    def all_evaluated(self) -> NDArray[np.bool_]:
        """Mask that skips no window, one flag per window of the grid."""
        return np.ones(self.grid, dtype=bool)

    def _before_next(self, starts: tuple[int, ...], at: int) -> int:
        return starts[at + 1] - starts[at] if at + 1 < len(starts) else self.window

    def _between(self, y0: int, y1: int, x0: int, x1: int) -> Iterator[Window]:
        rows = range(bisect_left(self.starts_y, y0), bisect_left(self.starts_y, y1))
        columns = range(bisect_left(self.starts_x, x0), bisect_left(self.starts_x, x1))
        for row in rows:
            for column in columns:
                yield Window(row, column, self.starts_y[row], self.starts_x[column])
