"""Memory pool of blocks: a block's sums reuse the memory of a finished block's.

The system clears newly allocated memory page by page, which takes longer than all the additions in it.
"""

from threading import Lock
from weakref import ref

import numpy as np
from numpy.typing import NDArray

__all__ = ["MemoryPool"]


class MemoryPool:
    """Pool of float32 memory for blocks; several threads may use it."""

    def __init__(self) -> None:
        """Nothing yet."""
        self._free: list[NDArray[np.float32]] = []
        self._out: list[ref[NDArray[np.float32]]] = []
        self._lock = Lock()

    def take(self, shape: tuple[int, ...]) -> NDArray[np.float32]:
        """A contiguous array with arbitrary values from its earlier use."""
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
            self._free.pop()  # Too small: a larger one replaces it.
        return np.empty(size, np.float32)

    def give(self, array: NDArray[np.float32]) -> None:
        """Take back an array of ``take``, which must not be used any more; other arrays are ignored.

        Sums from another process are such others: they are views of bytes or of shared memory.
        """
        with self._lock:
            out = [(each, flat) for each in self._out if (flat := each()) is not None]
            self._out = [each for each, flat in out if flat is not array.base]
            self._free += [flat for _, flat in out if flat is array.base]
