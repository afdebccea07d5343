"""Cache of decoded tiles and strips, shared by the threads that read one file."""

import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeAlias

from numpy.typing import NDArray

from pipeline.runtime.memory import PIECES

__all__ = ["CACHE_BYTES", "PieceCache", "Values"]

Values: TypeAlias = NDArray[Any]
CACHE_BYTES = PIECES
"""Decoded pieces that an open file holds: a row of tiles or some strips of a wide slide."""


class PieceCache:
    """Least-recently-used cache of decoded tiles, limited in bytes. A tile is decoded by one thread only."""

    def __init__(self, limit: int = CACHE_BYTES) -> None:
        self._limit = limit
        self._lock = threading.Lock()
        self._pieces: OrderedDict[tuple[int, int], Future[Values]] = OrderedDict()
        self.held = 0
        """Bytes in the cache."""

    def get(self, key: tuple[int, int], decode: Callable[[], Values]) -> Values:
        """Piece of a key, decoded if it is not held. Other threads that ask for it wait."""
        with self._lock:
            future = self._pieces.get(key)
            mine = future is None
            if future is None:
                future = self._pieces[key] = Future()
            else:
                self._pieces.move_to_end(key)
        if mine:
            self._fill(key, future, decode)
        return future.result()

    def _fill(self, key: tuple[int, int], future: "Future[Values]", decode: Callable[[], Values]) -> None:
        try:
            piece = decode()
        except BaseException as error:
            with self._lock:
                del self._pieces[key]
            future.set_exception(error)
            raise
        future.set_result(piece)
        with self._lock:
            self.held += piece.nbytes
            while self.held > self._limit:
                old = next((each for each, found in self._pieces.items() if found.done()), key)
                self.held -= self._pieces.pop(old).result().nbytes
