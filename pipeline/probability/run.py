"""How are all windows evaluated once, in memory that does not grow with the image? Block by block, with Dask.

A block is read once, its windows go through the network in fixed batches, and what they add beyond the block is lent
to its neighbours (``overhang``). When all that lend to a block have done so, its sums are completed in fixed order,
divided once and handed to the writer. Neither the order of the blocks nor the number of workers enters any sum.

A block may start only when the one ``workers`` places before it is finished, so at most ``workers`` of them are in
memory. The order of the blocks is row-major, and a block is lent to only by earlier ones: nothing waits in a circle.
"""

import logging
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import dask
import numpy as np
from dask.delayed import delayed
from numpy.typing import NDArray

from pipeline.errors import ModelError, explain
from pipeline.geometry import Box
from pipeline.probability.finish import Fused
from pipeline.probability.fuse import accumulate, are_probabilities, fused, merge
from pipeline.probability.overhang import Ledger, lends, lent, strip
from pipeline.probability.plan import Block, Window, WindowPlan
from pipeline.probability.window import ReadImage, read_windows

__all__ = ["Predictor", "Run", "Sums", "Write", "run"]

logger = logging.getLogger(__name__)

Sums: TypeAlias = dict[str, NDArray[np.float32]]
"""Fusion → sums ``(class, y, x)`` over the reach of a block; empty where all its windows are skipped."""
Write: TypeAlias = Callable[[str, Fused, Box], None]
"""Takes a fusion, its map of a block, and the pixels of the block."""


class Predictor(Protocol):
    """What gives probabilities for windows; it may be called from several threads at once."""

    def __call__(self, windows: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Map windows ``(n, 3, window, window)`` to probabilities ``(n, class, window, window)``."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """One pass over the windows of one image."""

    name: str
    """The image, for messages."""
    plan: WindowPlan
    """The windows."""
    evaluated: NDArray[np.bool_]
    """One flag per window of the grid; the others are skipped."""
    classes: int
    """Maps that the predictor gives."""
    read: ReadImage
    """Gives the pixels of a box."""
    predictor: Predictor
    """Gives the probabilities."""
    write: Write
    """Takes finished blocks; called once for each fusion and block, from several threads."""
    ledgers: Mapping[str, Ledger]
    """Fusion → where its overhangs and marks lie. All fusions come from the same windows."""

    def is_done(self, block: Block) -> bool:
        """Whether a block is finished in every store."""
        return all(ledger.is_done(block) for ledger in self.ledgers.values())

    def is_owed(self, block: Block) -> bool:
        """Whether an unfinished neighbour needs what this block lends, and it is not there."""
        return any(
            not self.is_done(reader) and not all(ledger.has(block, side) for ledger in self.ledgers.values())
            for side, reader in lends(self.plan, block, evaluated=self.evaluated)
        )

    def compute(self, block: Block) -> Sums:
        """Evaluate the windows of a block once; lend the overhangs out; return the sums."""
        windows = tuple(each for each in self.plan.windows(block) if self.evaluated[each.row, each.column])
        if not windows:
            return {}
        reach = self.plan.reach(block)
        sums = {fusion: np.zeros((self.classes, reach.height, reach.width), np.float32) for fusion in self.ledgers}
        for batch, tiles in self._predicted(windows):
            for window, tile in zip(batch, tiles, strict=True):
                for fusion, target in sums.items():
                    y, x = window.y - reach.y0, window.x - reach.x0
                    accumulate(fusion, target, tile, y=y, x=x, owned=self.plan.owned(window))
        self._lend(block, sums)
        return sums

    def finish(self, block: Block, sums: Sums) -> None:
        """Complete the sums of a block with what it is lent, divide, write, record."""
        core, sources = self.plan.core(block), list(lent(self.plan, block, evaluated=self.evaluated))
        if sums or sources:  # Where no window reaches, the store's fill value is the result.
            for fusion, ledger in self.ledgers.items():
                total = sums[fusion] if sums else np.zeros((self.classes, core.height, core.width), np.float32)
                for side, source in sources:
                    merge(fusion, total, ledger.load(source, side), y=0, x=0)
                self.write(fusion, fused(fusion, total, plan=self.plan, evaluated=self.evaluated, box=core), core)
        for ledger in self.ledgers.values():
            ledger.set_done(block)
        for ledger in self.ledgers.values():
            for side, source in sources:
                ledger.drop(source, side)
        logger.info("%s: block %d, %d finished", self.name, block.row, block.column)

    def _predicted(self, windows: tuple[Window, ...]) -> Iterator[tuple[tuple[Window, ...], NDArray[np.float32]]]:
        for batch, tiles in read_windows(self.read, self.plan, windows):
            result = self.predictor(tiles)
            self._check(batch, result)
            yield batch, result

    def _lend(self, block: Block, sums: Sums) -> None:
        reach = self.plan.reach(block)
        for side, reader in lends(self.plan, block, evaluated=self.evaluated):
            if self.is_done(reader):  # Killed before this block was finished, but after its reader was: nobody waits.
                continue
            y, x = strip(self.plan, block, side).shift(-reach.y0, -reach.x0).slices
            for fusion, ledger in self.ledgers.items():
                ledger.keep(block, side, sums[fusion][:, y, x])

    def _check(self, batch: tuple[Window, ...], result: NDArray[np.float32]) -> None:
        side = self.plan.window
        if result.shape != (len(batch), self.classes, side, side) or result.dtype != np.float32:
            raise ModelError(
                explain("The network gives maps of another shape.", where=self.name,
                        found=f"{result.shape} {result.dtype}",
                        expected=f"{(len(batch), self.classes, side, side)} float32",
                        remedy="Use a model that was trained for the classes of this data set.")
            )  # fmt: skip
        if not are_probabilities(np.ascontiguousarray(result)):
            bad = next(window for window, tile in zip(batch, result, strict=True) if not _in_range(tile))
            raise ModelError(
                explain("The network gives no probabilities.", where=f"{self.name}, window at y {bad.y}, x {bad.x}",
                        found="NaN, infinity, or values outside 0 to 1", expected="numbers from 0 to 1",
                        remedy="Use precision float32, or train the model again.")
            )  # fmt: skip


def _in_range(tile: NDArray[np.float32]) -> bool:
    return are_probabilities(np.ascontiguousarray(tile))


def run(task: Run, *, workers: int) -> None:
    """Evaluate what is not finished, on ``workers`` threads; the result is the same for every number of them.

    Parameters
    ----------
    task
        The pass. What its ledgers hold from a run that was killed is not done again.
    workers
        Threads, and blocks in memory at a time.

    Raises
    ------
    ModelError
        For a network that gives NaN, infinity, or another shape.
    """
    with ThreadPoolExecutor(workers) as pool:
        dask.compute(*_graph(task, in_flight=workers), scheduler="threads", pool=pool, optimize_graph=False)


def _graph(task: Run, *, in_flight: int) -> list[Any]:
    """What ends each unfinished block, in row-major order.

    Dask keeps a result until all that depend on it have run. The readers of an overhang therefore depend on ``lend``,
    which stands for the block without its sums, and the sums go to ``finish`` alone.
    """
    blocks = task.plan.blocks
    lenders: dict[Block, Any] = {}
    ends: list[Any] = []
    compute = delayed(lambda number, _after: task.compute(blocks[number]), pure=False)
    finish = delayed(lambda number, sums, _after: task.finish(blocks[number], sums), pure=False)
    lend = delayed(lambda _sums: None, pure=False)
    for number, block in enumerate(blocks):
        done = task.is_done(block)
        if done and not task.is_owed(block):
            continue
        sums = compute(number, ends[-in_flight] if len(ends) >= in_flight else None)
        lenders[block] = lend(sums)
        sources = [source for _, source in lent(task.plan, block, evaluated=task.evaluated)]
        before = [lenders[each] for each in (block, *sources) if each in lenders]
        ends.append(lenders[block] if done else finish(number, sums, before))
    return ends
