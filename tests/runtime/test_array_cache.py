"""Arrays are kept within bounds, and each is made once for all who ask at the same time."""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.runtime.array_cache import ArrayCache


def piece(size: int) -> np.ndarray:
    return np.zeros(size, np.uint8)


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(1, 400)), max_size=60), st.integers(0, 1000))
def test_the_cache_never_holds_more_than_its_limit(asked, limit):
    cache, sizes = ArrayCache(limit), {}
    for number, size in asked:
        size = sizes.setdefault(number, size)
        assert len(cache.get((0, number), lambda size=size: piece(size))) == size
        assert cache.held <= limit


def test_what_was_used_last_is_kept():
    cache, decoded = ArrayCache(300), []

    def get(number):
        return cache.get((0, number), lambda: decoded.append(number) or piece(100))

    for number in (0, 1, 2, 0, 3, 0, 1):
        get(number)
    assert decoded == [0, 1, 2, 3, 1]


def test_threads_that_ask_for_one_piece_share_one_decode():
    cache, decoded, gate = ArrayCache(10**6), [], threading.Barrier(8)

    def decode():
        decoded.append(1)
        return piece(10)

    def ask(_):
        gate.wait()
        return cache.get((0, 0), decode)

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(ask, range(8)))
    assert len(decoded) == 1
    assert all(each is found[0] for each in found)


def test_a_failure_reaches_all_who_wait_and_is_not_kept():
    cache = ArrayCache(10**6)

    def fail():
        raise ValueError("broken")

    for _ in range(2):
        with pytest.raises(ValueError, match="broken"):
            cache.get((0, 0), fail)
    assert cache.get((0, 0), lambda: piece(3)).size == 3


def test_an_array_that_is_made_of_others_in_the_cache_counts_as_used_last():
    cache = ArrayCache(300)
    cache.get("whole", lambda: np.concatenate([cache.get(part, lambda: piece(100)) for part in "ab"])[:100])
    cache.get("c", lambda: piece(100))
    cache.get("whole", lambda: pytest.fail("it is there"))
    made = []
    cache.get("a", lambda: made.append("a") or piece(100))
    assert made == ["a"]
