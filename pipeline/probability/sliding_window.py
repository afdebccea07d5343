"""Sliding-window inference over one image, block by block: read, predict, sum, exchange halos, divide, write.

A block is read once, and its windows go through the network in fixed batches. The sums that they add beyond the block
are its halo, which goes to its neighbours. When a block has received all halos, they are added in a fixed order, and
the sums are divided once and passed to the writer. No sum depends on the order of the blocks or the number of workers.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from pipeline.arrays.raster import Raster
from pipeline.errors import ModelError
from pipeline.geometry import Box
from pipeline.probability.fusion.accumulate import HostSums, NewAccumulator, Place, Sums, SumsLayout, Tiles
from pipeline.probability.fusion.finish import Fused
from pipeline.probability.fusion.fuse import add_halo, empty_sums, fused
from pipeline.probability.fusion.halo import Side, halo_box, received_halos, sent_halos
from pipeline.probability.fusion.journal import Journal
from pipeline.probability.fusion.logits import Activation
from pipeline.probability.fusion.memory_pool import MemoryPool
from pipeline.probability.plan import Block, Window, WindowPlan
from pipeline.probability.window import read_windows
from pipeline.stores.shard_file import StoredShard

__all__ = ["Predictor", "SlidingWindow", "Write", "count_nothing"]

Write: TypeAlias = Callable[[str, Fused, Box], Iterable[StoredShard]]
"""Takes a fusion, its map of a block, and the pixels of the block."""


class Predictor(Protocol):
    """Predictor of maps from windows; several threads may call it at once."""

    def __call__(self, windows: NDArray[np.uint8]) -> Tiles:
        """Map windows ``(n, 3, window, window)`` to maps ``(n, map, window, window)`` as the accumulator takes them."""
        ...


def count_nothing(windows: int) -> None:
    """Progress callback that does nothing."""


def check_nothing() -> None:
    """Check that does nothing, for stores that nobody else writes."""


@dataclass(frozen=True, slots=True, eq=False)
class SlidingWindow:
    """Sliding-window inference: one pass over the windows of one image, with image, networks and stores opened in this process."""

    name: str
    """The image, for messages."""
    plan: WindowPlan
    """The windows."""
    evaluated: NDArray[np.bool_]
    """One flag per window of the grid; the others are skipped."""
    maps: int
    """Number of maps that the predictor gives: the classes, and background where logits are fused."""
    image: Raster[np.uint8]
    """The image ``(3, y, x)``."""
    predictors: tuple[Predictor, ...]
    """One predictor for each device; blocks go to them in turn."""
    write: Write
    """Takes finished blocks and gives their shards; called once for each fusion and block, from several threads."""
    journals: Mapping[str, Journal]
    """Fusion → journal of its store. All fusions come from the same windows."""
    activation: Activation = "none"
    """Activation that turns fused values into probabilities."""
    accumulators: tuple[NewAccumulator, ...] = (HostSums,)
    """Accumulators of a block's sums, each on the device of the predictor at the same position."""
    count: Callable[[int], None] = count_nothing
    """Called after every batch with the number of windows evaluated."""
    check_ours: Callable[[], None] = check_nothing
    """Called before each write; raises where another job has taken over the stores and journals."""
    inside: Raster[np.uint8] | None = None
    """Field of view or tissue ``(y, x)``; maps are 0 outside it. None keeps the maps outside."""
    pool: MemoryPool = field(default_factory=MemoryPool)
    """Memory reused from block to block."""

    def is_done(self, block: Block) -> bool:
        """Test for a finished block: whether every store has it."""
        return all(journal.is_done(block) for journal in self.journals.values())

    def lacks_halo(self, block: Block) -> bool:
        """Test for a missing halo: whether an unfinished neighbour needs this block's, and the journal lacks it."""
        return any(
            not self.is_done(receiver) and not all(journal.has_halo(block, side) for journal in self.journals.values())
            for side, receiver in sent_halos(self.plan, block, evaluated=self.evaluated)
        )

    def windows(self, block: Block) -> tuple[Window, ...]:
        """The windows of a block that are not skipped."""
        return tuple(each for each in self.plan.windows(block) if self.evaluated[each.row, each.column])

    def compute(self, block: Block) -> Sums:
        """Sums of a block, whose windows are evaluated once, and its halos for the neighbours.

        A scheduler may ask again after losing a worker with the result; finished work is not repeated.
        """
        windows = self.windows(block)
        if not windows or (self.is_done(block) and not self.lacks_halo(block)):
            return {}
        sums = self._summed(block, windows)
        self.check_ours()
        self._send_halos(block, sums)
        return sums

    def finish(self, block: Block, sums: Sums) -> None:
        """Completion of a block: add the received halos to its sums, divide, write, and mark it finished in the journals."""
        sources = list(received_halos(self.plan, block, evaluated=self.evaluated))
        self.check_ours()
        if not self.is_done(block):
            shards: dict[str, Iterable[StoredShard]] = {}
            if sums or sources:  # Where no window reaches, the result is the store's fill value.
                shards = self._write(block, sums, sources)
                self.check_ours()
            for fusion, journal in self.journals.items():
                journal.set_done(block, shards.get(fusion, ()))
        for journal in self.journals.values():
            for side, source in sources:
                journal.delete_halo(source, side)

    def _write(self, block: Block, sums: Sums, sources: list[tuple[Side, Block]]) -> dict[str, Iterable[StoredShard]]:
        core = self.plan.core(block)
        shape = self.maps, core.height, core.width
        shards: dict[str, Iterable[StoredShard]] = {}
        for fusion, journal in self.journals.items():
            total = sums[fusion] if sums else empty_sums(fusion, shape, activation=self.activation, pool=self.pool)
            for side, source in sources:
                add_halo(fusion, total, journal.read_halo(source, side))
            done = fused(fusion, total, plan=self.plan, evaluated=self.evaluated, box=core, activation=self.activation)
            if self.inside is not None:
                done = done.inside(self.inside.read(core) != 0)
            shards[fusion] = self.write(fusion, done, core)
            self.pool.give(total)
        return shards

    def _summed(self, block: Block, windows: tuple[Window, ...]) -> Sums:
        reach, turn = self.plan.reach(block), self.plan.number(block)
        predictor = self.predictors[turn % len(self.predictors)]
        shape = self.maps, reach.height, reach.width
        target = self.accumulators[turn % len(self.accumulators)](
            SumsLayout(tuple(self.journals), shape, self.activation, self.pool)
        )
        for batch, pixels in read_windows(self.image, self.plan, windows):
            tiles = predictor(pixels)
            self._check_shape(len(batch), tiles)
            if (wrong := target.wrong(tiles)) is not None:
                raise self._no_probabilities(batch[wrong])
            target.add(tiles, [Place(each.y - reach.y0, each.x - reach.x0, self.plan.owned(each)) for each in batch])
            self.count(len(batch))
        return target.sums()

    def _send_halos(self, block: Block, sums: Sums) -> None:
        reach = self.plan.reach(block)
        for side, receiver in sent_halos(self.plan, block, evaluated=self.evaluated):
            if self.is_done(receiver):  # A job was killed after its receiver was finished, before this block was.
                continue
            y, x = halo_box(self.plan, block, side).shift(-reach.y0, -reach.x0).slices
            for fusion, journal in self.journals.items():
                journal.write_halo(block, side, sums[fusion][:, y, x])

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
