"""Where does a block find room for its sums? In the memory of a block that is finished.

Memory that is asked for anew comes page by page and cleared, which takes longer than all that is added up in it.
"""

from threading import Lock

import numpy as np
from numpy.typing import NDArray

__all__ = ["Buffers"]


class Buffers:
    """Float32 memory that goes from block to block; several threads may ask."""

    def __init__(self) -> None:
        """Nothing yet."""
        self._free: list[NDArray[np.float32]] = []
        self._lock = Lock()

    def take(self, shape: tuple[int, ...]) -> NDArray[np.float32]:
        """A contiguous array whose values are what an earlier user left there."""
        size = int(np.prod(shape))
        with self._lock:
            fitting = [at for at, each in enumerate(self._free) if each.size >= size]
            if fitting:
                flat = self._free.pop(min(fitting, key=lambda at: self._free[at].size))
                return flat[:size].reshape(shape)
            if self._free:
                self._free.pop()  # too small: it goes, and a larger one takes its place
        return np.empty(size, np.float32).reshape(shape)

    def give(self, array: NDArray[np.float32]) -> None:
        """Take back an array of ``take``, which nobody may use any more; other arrays are left alone."""
        flat = array if array.base is None else array.base
        if isinstance(flat, np.ndarray) and flat.ndim == 1 and flat.base is None and flat.flags.writeable:
            with self._lock:
                self._free.append(flat)
