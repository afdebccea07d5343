"""Memory is handed on, never to two at once, and only what was taken here is taken back."""

import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.probability.fusion.memory_pool import MemoryPool


def test_memory_that_was_given_back_is_used_again_also_for_less() -> None:
    pool = MemoryPool()
    first = pool.take((2, 30, 40))
    first.fill(7)
    pool.give(first)
    again = pool.take((3, 20, 30))
    assert np.shares_memory(first, again)
    assert again.flags.c_contiguous
    assert again.shape == (3, 20, 30)
    assert not np.shares_memory(again, pool.take((3, 20, 30)))


def test_memory_that_is_too_small_is_not_kept() -> None:
    pool = MemoryPool()
    small = pool.take((2, 3))
    pool.give(small)
    assert not np.shares_memory(small, pool.take((20, 30)))
    assert not np.shares_memory(small, pool.take((2, 3)))


def test_the_smallest_that_fits_is_taken() -> None:
    pool = MemoryPool()
    large, small = pool.take((100,)), pool.take((50,))
    pool.give(large)
    pool.give(small)
    assert np.shares_memory(pool.take((40,)), small)


@pytest.mark.parametrize(
    "other",
    [
        np.zeros(400, np.float32),
        np.zeros(400, np.float32).reshape(20, 20),
        np.zeros(1600, np.uint8).view(np.float32).reshape(20, 20),  # so come arrays from another process
        np.frombuffer(bytearray(1600), np.float32).reshape(20, 20),
        np.frombuffer(bytes(1600), np.float32),
        MemoryPool().take((20, 20)),
    ],
    ids=["owner", "view", "bytes below", "writeable buffer", "fixed buffer", "of others"],
)
def test_what_was_not_taken_here_is_left_alone(other: NDArray[np.float32]) -> None:
    pool = MemoryPool()
    pool.give(other)
    found = pool.take((10, 10))
    assert found.dtype == np.float32
    assert not np.shares_memory(found, other)


def test_memory_is_taken_back_once() -> None:
    pool = MemoryPool()
    memory = pool.take((9,))
    pool.give(memory)
    pool.give(memory)
    first, second = pool.take((9,)), pool.take((9,))
    assert np.shares_memory(first, memory)
    assert not np.shares_memory(first, second)
