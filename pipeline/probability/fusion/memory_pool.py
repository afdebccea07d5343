"""Memory pool of blocks: the sums of one lie where those of a finished one lay.

Memory that is asked for anew comes page by page and cleared, which takes longer than all that is added up in it.
"""

from threading import Lock
from weakref import ref

import numpy as np
from numpy.typing import NDArray

__all__ = ["MemoryPool"]


class MemoryPool:
    """Pool of float32 memory that goes from block to block; several threads may ask."""

    def __init__(self) -> None:
        """Nothing yet."""
        self._free: list[NDArray[np.float32]] = []
        self._out: list[ref[NDArray[np.float32]]] = []
        self._lock = Lock()

    def take(self, shape: tuple[int, ...]) -> NDArray[np.float32]:
        """A contiguous array whose values are what an earlier user left there."""
        size = int(np.prod(shape))
        with self._lock:
            flat = self._found(size)
            self._out = [ref(flat), *(each for each in self._out if each() is not None)]
        return flat[:size].reshape(shape)

    def _found(self, size: int) -> NDArray[np.float32]:
        fitting = [at for at, each in enumerate(self._free) if each.size >= size]
        if fitting:
            return self._free.pop(min(fitting, key=lambda at: self._free[at].size))
        if self._free:
            self._free.pop()  # too small: it goes, and a larger one takes its place
        return np.empty(size, np.float32)

    def give(self, array: NDArray[np.float32]) -> None:
        """Take back an array of ``take``, which nobody may use any more; other arrays are left alone.

        Sums that came from another process are such others: below them lie bytes, or memory that is not theirs alone.
        """
        with self._lock:
            out = [(each, flat) for each in self._out if (flat := each()) is not None]
            self._out = [each for each, flat in out if flat is not array.base]
            self._free += [flat for _, flat in out if flat is array.base]
