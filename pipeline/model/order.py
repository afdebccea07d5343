"""Order of the patches in each epoch: a function of seed, model and epoch, not of earlier draws.

Rows form a sequence of cycles, each a new permutation of all rows; an epoch is the next piece of that sequence. With
fewer patches per epoch than rows, an epoch takes the rows that earlier ones left, so all rows are used evenly. Where
batches need another ratio of two sides than the rows have, each side has its own cycles.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from pipeline.seeds import stream

__all__ = ["ALONE", "EpochBatches", "InOrder", "Key", "Part", "Sides", "batches", "epoch_rows", "sided_rows"]

Key: TypeAlias = tuple[int, int, int]
"""Epoch, row, and number of earlier occurrences of the row in this epoch."""


@dataclass(frozen=True, slots=True)
class Part:
    """Part of each batch that a process takes."""

    rank: int = 0
    """Number of the process, from 0; the first one writes."""
    devices: int = 1
    """Processes."""
    port: int = 0
    """Port of this host on which they connect."""

    @property
    def rows(self) -> slice:
        """Rows of a batch that it takes: every n-th for n processes."""
        return slice(self.rank, None, self.devices)

    @property
    def least(self) -> int:
        """Fewest rows of a batch: one for each process, and two for batch normalisation."""
        return max(2, self.devices)


ALONE = Part()
"""One process that takes all rows."""


def epoch_rows(epoch: int, *, rows: int, per_epoch: int | None, seed: int, name: str) -> NDArray[np.int64]:
    """Row numbers of an epoch, in the order of training.

    Parameters
    ----------
    epoch
        From 0.
    rows
        Number of rows, at least 1.
    per_epoch
        Length of an epoch, at least 1; None for ``rows``.
    seed, name
        Address of the order.

    Returns
    -------
    ndarray
        ``(per_epoch,)``.
    """
    length = per_epoch or rows
    first, last = epoch * length // rows, ((epoch + 1) * length - 1) // rows
    cycles = [stream(seed, "model", name, "cycle", at).permutation(rows) for at in range(first, last + 1)]
    start = epoch * length - first * rows
    return np.concatenate(cycles)[start : start + length]


@dataclass(frozen=True, slots=True, eq=False)
class Sides:
    """Two sides of the rows, and their ratio in batches."""

    first: NDArray[np.int64]
    """Row numbers, at least one."""
    second: NDArray[np.int64]
    ratio: tuple[int, int]
    """Parts of the first side and of the second, at least 1 each."""


def sided_rows(epoch: int, *, sides: Sides, length: int, seed: int, name: str) -> NDArray[np.int64]:
    """Row numbers of an epoch, with the exact ratio of sides in any stretch as long as the sum of the ratio's parts.

    Parameters
    ----------
    epoch
        From 0.
    sides
        The rows; a side with too few rows repeats, each cycle a new permutation.
    length
        Rows of an epoch.
    seed, name
        Address of the order.

    Returns
    -------
    ndarray
        ``(length,)``.
    """
    part, whole = sides.ratio[0], sum(sides.ratio)
    number = np.arange(epoch * length, (epoch + 1) * length)
    before = number * part // whole
    is_first = (number + 1) * part // whole > before
    found = np.empty(length, dtype=np.int64)
    for side, which, at in (
        (sides.first, is_first, before[is_first]),
        (sides.second, ~is_first, (number - before)[~is_first]),
    ):
        address = (seed, "model", name, "side", int(which is is_first))
        for cycle in np.unique(at // len(side)):
            order = stream(*address, int(cycle)).permutation(side)
            here = np.flatnonzero(which)[at // len(side) == cycle]
            found[here] = order[at[at // len(side) == cycle] % len(side)]
    return found


def batches(order: NDArray[np.int64], *, size: int, least: int = 2) -> list[list[int]]:
    """Batches of an order; at the end fewer rows than ``least`` join the previous batch.

    Batch normalisation over one patch with deepest features of one pixel has no variance.

    Examples
    --------
    >>> batches(np.arange(5), size=2)
    [[0, 1], [2, 3, 4]]
    """
    cut = [order[at : at + size].tolist() for at in range(0, len(order), size)]
    if size > 1 and len(cut) > 1 and len(cut[-1]) < least:
        cut[-2:] = [cut[-2] + cut[-1]]
    return cut


class EpochBatches:
    """Batches of keys for a data loader; each iteration gives those of the next epoch.

    It counts epochs itself, because a loader may ask for the first batches before the training loop tells the resumed
    epoch; the step checks that both agree. Each key carries its epoch, so reading processes need no state.
    """

    def __init__(
        self,
        *,
        rows: int,
        size: int,
        per_epoch: int | None,
        seed: int,
        name: str,
        first: int,
        sides: Sides | None = None,
        part: Part = ALONE,
    ) -> None:
        self._rows, self._size, self._per_epoch = rows, size, per_epoch
        self._seed, self._name = seed, name
        self._next, self._sides, self._part = first, sides, part

    def __iter__(self) -> Iterator[list[Key]]:
        # A generator, so that an unused iterator does not count: a loader with reading processes makes two for its
        # first epoch.
        epoch, self._next = self._next, self._next + 1
        order = self._order(epoch)
        before: Counter[int] = Counter()
        for batch in batches(order, size=self._size, least=self._part.least):
            keys = []
            for row in batch:
                keys.append((epoch, row, before[row]))
                before[row] += 1
            yield keys[self._part.rows]

    def _order(self, epoch: int) -> NDArray[np.int64]:
        if self._sides is not None:
            length = self._per_epoch or self._rows
            return sided_rows(epoch, sides=self._sides, length=length, seed=self._seed, name=self._name)
        return epoch_rows(epoch, rows=self._rows, per_epoch=self._per_epoch, seed=self._seed, name=self._name)

    def __len__(self) -> int:
        """Batches of any epoch."""
        rows = np.arange(self._per_epoch or self._rows)
        return len(batches(rows, size=self._size, least=self._part.least))


class InOrder:
    """Batches of ``(0, row, 0)`` in the order of the rows, for validation."""

    def __init__(self, rows: int, *, size: int, part: Part = ALONE) -> None:
        cut = batches(np.arange(rows), size=size, least=part.least)
        self._batches = [batch[part.rows] for batch in cut]

    def __iter__(self) -> Iterator[list[Key]]:
        return iter([[(0, row, 0) for row in batch] for batch in self._batches])

    def __len__(self) -> int:
        """Batches."""
        return len(self._batches)
