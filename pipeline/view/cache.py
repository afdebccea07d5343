"""Cache of arrays: what was asked for last, up to so many bytes, and made once however many ask at a time."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["ArrayCache"]


class ArrayCache:
    """Least recently used arrays, for several threads."""

    def __init__(self, most: int) -> None:
        """Empty cache of at most ``most`` bytes."""
        self._most, self._held = most, 0
        self._lock = Lock()
        self._found: OrderedDict[Hashable, NDArray[Any]] = OrderedDict()
        self._making: dict[Hashable, Future[NDArray[Any]]] = {}

    @property
    def held(self) -> int:
        """Bytes that it holds."""
        return self._held

    def get(self, key: Hashable, make: Callable[[], NDArray[Any]]) -> NDArray[Any]:
        """Array of a key; the first who asks makes it, others wait, and an error is that of all who waited."""
        with self._lock:
            if key in self._found:
                self._found.move_to_end(key)
                return self._found[key]
            future = self._making.get(key)
            own = future is None
            if future is None:
                future = self._making[key] = Future()
        if own:
            self._make(key, make, future)
        return future.result()

    def _make(self, key: Hashable, make: Callable[[], NDArray[Any]], future: Future[NDArray[Any]]) -> None:
        try:
            made = make()
        except BaseException as problem:  # noqa: BLE001 those who wait must not wait for ever
            with self._lock:
                del self._making[key]
            future.set_exception(problem)
            return
        made = np.ascontiguousarray(made)
        with self._lock:
            del self._making[key]
            self._found[key] = made
            self._held += made.nbytes
            while self._held > self._most and len(self._found) > 1:
                _, gone = self._found.popitem(last=False)
                self._held -= gone.nbytes
        future.set_result(made)
