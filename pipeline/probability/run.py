"""How are all windows evaluated once, in memory that does not grow with the image? Block by block, with Dask.

A block is read once, its windows go through the network in fixed batches, and what they add beyond the block is lent
to its neighbours (``overhang``). When all that lend to a block have done so, its sums are completed in fixed order,
divided once and handed to the writer. Neither the order of the blocks nor the number of workers enters any sum.

A block may start only when the one ``workers`` places before it is finished, so at most ``workers`` of them are in
memory. The order of the blocks is row-major, and a block is lent to only by earlier ones: nothing waits in a circle.
"""

import logging
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

import dask
import dask.threaded
import numpy as np
from numpy.typing import NDArray

from pipeline.errors import ModelError
from pipeline.geometry import Box
from pipeline.probability.fusion.accumulate import HostSums, NewAccumulator, Place, Room, Sums, Tiles
from pipeline.probability.fusion.buffers import Buffers
from pipeline.probability.fusion.finish import Fused
from pipeline.probability.fusion.fuse import empty_sums, fused, merge
from pipeline.probability.fusion.halo import Ledger, lends, lent, strip
from pipeline.probability.fusion.logits import Activation
from pipeline.probability.plan import Block, Window, WindowPlan
from pipeline.probability.window import ReadImage, read_windows

__all__ = ["Key", "Predictor", "Run", "Write", "blocks_graph", "nobody", "run", "windows_done"]

logger = logging.getLogger(__name__)

Write: TypeAlias = Callable[[str, Fused, Box], None]
"""Takes a fusion, its map of a block, and the pixels of the block."""
Key: TypeAlias = tuple[str, int]
"""Name of a task of a graph."""
Call: TypeAlias = Callable[[int], tuple[Any, ...]]
"""Gives for the number of a block a function and its first arguments."""


class Predictor(Protocol):
    """What gives maps for windows; it may be called from several threads at once."""

    def __call__(self, windows: NDArray[np.uint8]) -> Tiles:
        """Map windows ``(n, 3, window, window)`` to maps as the accumulator of the run takes them."""
        ...


def nobody(windows: int) -> None:
    """Counts nothing."""


def always_ours() -> None:
    """Nobody else writes there."""


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """One pass over the windows of one image."""

    name: str
    """The image, for messages."""
    plan: WindowPlan
    """The windows."""
    evaluated: NDArray[np.bool_]
    """One flag per window of the grid; the others are skipped."""
    maps: int
    """Maps that the predictor gives: of the classes, and of background where its logits are fused."""
    read: ReadImage
    """Gives the pixels of a box."""
    predictors: tuple[Predictor, ...]
    """Give the maps; one for each device, to which the blocks go in turn."""
    write: Write
    """Takes finished blocks; called once for each fusion and block, from several threads."""
    ledgers: Mapping[str, Ledger]
    """Fusion → where its overhangs and marks lie. All fusions come from the same windows."""
    activation: Activation = "none"
    """What turns fused values into probabilities."""
    room: tuple[NewAccumulator, ...] = (HostSums,)
    """Makes room for the sums of a block, on the device of the predictor in the same place."""
    count: Callable[[int], None] = nobody
    """Is told of every batch how many windows were evaluated."""
    check_ours: Callable[[], None] = always_ours
    """Called before anything is written: raises where another run has taken over the stores and ledgers."""
    buffers: Buffers = field(default_factory=Buffers)
    """Room that blocks hand on."""

    def is_done(self, block: Block) -> bool:
        """Whether a block is finished in every store."""
        return all(ledger.is_done(block) for ledger in self.ledgers.values())

    def is_owed(self, block: Block) -> bool:
        """Whether an unfinished neighbour needs what this block lends, and it is not there."""
        return any(
            not self.is_done(reader) and not all(ledger.has(block, side) for ledger in self.ledgers.values())
            for side, reader in lends(self.plan, block, evaluated=self.evaluated)
        )

    def windows(self, block: Block) -> tuple[Window, ...]:
        """The windows of a block that are evaluated."""
        return tuple(each for each in self.plan.windows(block) if self.evaluated[each.row, each.column])

    def compute(self, block: Block) -> Sums:
        """Evaluate the windows of a block once; lend the overhangs out; return the sums.

        A scheduler may ask again, because a worker was lost with the answer: what is finished is not done again.
        """
        windows = self.windows(block)
        if not windows or (self.is_done(block) and not self.is_owed(block)):
            return {}
        sums = self._summed(block, windows)
        self.check_ours()
        self._lend(block, sums)
        return sums

    def finish(self, block: Block, sums: Sums) -> None:
        """Complete the sums of a block with what it is lent, divide, write, record."""
        sources = list(lent(self.plan, block, evaluated=self.evaluated))
        self.check_ours()
        if not self.is_done(block):
            if sums or sources:  # Where no window reaches, the store's fill value is the result.
                self._write(block, sums, sources)
                self.check_ours()
            for ledger in self.ledgers.values():
                ledger.set_done(block)
        for ledger in self.ledgers.values():
            for side, source in sources:
                ledger.drop(source, side)

    def _write(self, block: Block, sums: Sums, sources: list[tuple[Any, Block]]) -> None:
        core = self.plan.core(block)
        shape = self.maps, core.height, core.width
        for fusion, ledger in self.ledgers.items():
            total = (
                sums[fusion] if sums else empty_sums(fusion, shape, activation=self.activation, buffers=self.buffers)
            )
            for side, source in sources:
                merge(fusion, total, ledger.load(source, side), y=0, x=0)
            done = fused(fusion, total, plan=self.plan, evaluated=self.evaluated, box=core, activation=self.activation)
            self.write(fusion, done, core)
            self.buffers.give(total)

    def _summed(self, block: Block, windows: tuple[Window, ...]) -> Sums:
        reach, turn = self.plan.reach(block), self.plan.number(block)
        predictor = self.predictors[turn % len(self.predictors)]
        shape = self.maps, reach.height, reach.width
        target = self.room[turn % len(self.room)](Room(tuple(self.ledgers), shape, self.activation, self.buffers))
        for batch, pixels in read_windows(self.read, self.plan, windows):
            tiles = predictor(pixels)
            self._check_shape(len(batch), tiles)
            if (wrong := target.wrong(tiles)) is not None:
                raise self._no_probabilities(batch[wrong])
            target.add(tiles, [Place(each.y - reach.y0, each.x - reach.x0, self.plan.owned(each)) for each in batch])
            self.count(len(batch))
        return target.sums()

    def _lend(self, block: Block, sums: Sums) -> None:
        reach = self.plan.reach(block)
        for side, reader in lends(self.plan, block, evaluated=self.evaluated):
            if self.is_done(reader):  # Killed before this block was finished, but after its reader was: nobody waits.
                continue
            y, x = strip(self.plan, block, side).shift(-reach.y0, -reach.x0).slices
            for fusion, ledger in self.ledgers.items():
                ledger.keep(block, side, sums[fusion][:, y, x])

    def _check_shape(self, windows: int, result: Tiles) -> None:
        expected = windows, self.maps, self.plan.window, self.plan.window
        if tuple(result.shape) != expected or not str(result.dtype).endswith("float32"):
            raise ModelError(
                "The network gives maps of another shape.",
                where=self.name,
                found=f"{tuple(result.shape)} {result.dtype}",
                expected=f"{expected} float32",
                remedy="Use a model that was trained for the classes of this data set.",
            )

    def _no_probabilities(self, bad: Window) -> ModelError:
        return ModelError(
            "The network gives no probabilities.",
            where=f"{self.name}, window at y {bad.y}, x {bad.x}",
            found="NaN, infinity, or values outside 0 to 1",
            expected="numbers from 0 to 1",
            remedy="Use precision float32, or train the model again.",
        )


def windows_done(task: Run) -> int:
    """Windows that an earlier run evaluated and that need not be evaluated again."""
    return sum(
        len(task.windows(block)) for block in task.plan.blocks if task.is_done(block) and not task.is_owed(block)
    )


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
    blocks = task.plan.blocks

    def compute(number: int, _after: object) -> Sums:
        return task.compute(blocks[number])

    def finish(number: int, sums: Sums, _after: object) -> None:
        task.finish(blocks[number], sums)

    graph, ends = blocks_graph(task, compute=lambda _: (compute,), finish=lambda _: (finish,), in_flight=workers)
    if workers == 1:  # here, where torch's threads are: called from another thread, a network took a twentieth longer
        dask.get(graph, list(ends.values()))
        return
    with ThreadPoolExecutor(workers) as pool:
        dask.threaded.get(graph, list(ends.values()), pool=pool)


def _stands_for(_sums: Sums) -> None:
    pass


def blocks_graph(
    task: Run, *, compute: Call, finish: Call, in_flight: int, name: str = "block"
) -> tuple[dict[Key, Any], dict[Block, Key]]:
    """A Dask graph of all unfinished blocks, and what ends each of them, in row-major order.

    Dask keeps a result until all that depend on it have run. The readers of an overhang therefore depend on ``lend``,
    which stands for the block without its sums, and the sums go to ``finish`` alone. The graph is one plain mapping:
    with an object for each task, each would hold all before it, and a slide of a thousand blocks a million of them.

    Parameters
    ----------
    task
        The pass.
    compute
        Gives for the number of a block a function, and what it is given before that number and what must be over →
        sums.
    finish
        The same, for one that is given the number, the sums, and what must be over → None.
    in_flight
        Blocks in memory at a time.
    name
        Of the tasks; a scheduler that runs several graphs tells them apart by it.
    """
    graph: dict[Key, Any] = {}
    ends: dict[Block, Key] = {}
    earlier: list[Key] = []
    for number, block in enumerate(task.plan.blocks):
        done = task.is_done(block)
        if done and not task.is_owed(block):
            continue
        sums, lend, end = (f"{name}-compute", number), (f"{name}-lend", number), (f"{name}-finish", number)
        graph[sums] = (*compute(number), number, earlier[-in_flight] if len(earlier) >= in_flight else None)
        graph[lend] = (_stands_for, sums)
        if not done:
            sources = [task.plan.number(source) for _, source in lent(task.plan, block, evaluated=task.evaluated)]
            before = [(f"{name}-lend", each) for each in (number, *sources) if (f"{name}-lend", each) in graph]
            graph[end] = (*finish(number), number, sums, before)
        ends[block] = lend if done else end
        earlier.append(ends[block])
    return graph, ends
