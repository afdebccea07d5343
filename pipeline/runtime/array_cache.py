"""Cache of arrays, limited in bytes: the least recently used are dropped, and each is made once for all threads."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from typing import Any

from numpy.typing import NDArray

__all__ = ["ArrayCache"]


class ArrayCache:
    """Least-recently-used cache of at most ``limit`` bytes, for several threads."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._lock = threading.Lock()
        self._arrays: OrderedDict[Hashable, Future[NDArray[Any]]] = OrderedDict()
        self.held = 0
        """Bytes in the cache."""

    def get(self, key: Hashable, make: Callable[[], NDArray[Any]]) -> NDArray[Any]:
        """Array of a key, made if it is not cached. Other threads that request it wait, and get an error in making it too."""
        with self._lock:
            future = self._arrays.get(key)
            mine = future is None
            if future is None:
                future = self._arrays[key] = Future()
            else:
                self._arrays.move_to_end(key)
        if mine:
            self._fill(key, future, make)
        return future.result()

    def _fill(self, key: Hashable, future: "Future[NDArray[Any]]", make: Callable[[], NDArray[Any]]) -> None:
        try:
            array = make()
        except BaseException as error:
            with self._lock:
                del self._arrays[key]
            future.set_exception(error)
            raise
        future.set_result(array)
        with self._lock:
            self._arrays.move_to_end(key)  # Arrays made on the way to it came later.
            self.held += array.nbytes
            while self.held > self._limit:
                old = next((each for each, found in self._arrays.items() if found.done()), key)
                self.held -= self._arrays.pop(old).result().nbytes
