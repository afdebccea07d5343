"""Room is handed on, never to two at once, and only what was taken here is taken back."""

import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.probability.fusion.buffers import Buffers


def test_room_that_was_given_back_is_used_again_also_for_less() -> None:
    buffers = Buffers()
    first = buffers.take((2, 30, 40))
    first.fill(7)
    buffers.give(first)
    again = buffers.take((3, 20, 30))
    assert np.shares_memory(first, again)
    assert again.flags.c_contiguous
    assert again.shape == (3, 20, 30)
    assert not np.shares_memory(again, buffers.take((3, 20, 30)))


def test_room_that_is_too_small_is_not_kept() -> None:
    buffers = Buffers()
    small = buffers.take((2, 3))
    buffers.give(small)
    assert not np.shares_memory(small, buffers.take((20, 30)))
    assert not np.shares_memory(small, buffers.take((2, 3)))


def test_the_smallest_that_fits_is_taken() -> None:
    buffers = Buffers()
    large, small = buffers.take((100,)), buffers.take((50,))
    buffers.give(large)
    buffers.give(small)
    assert np.shares_memory(buffers.take((40,)), small)


@pytest.mark.parametrize(
    "other",
    [
        np.zeros(400, np.float32),
        np.zeros(400, np.float32).reshape(20, 20),
        np.zeros(1600, np.uint8).view(np.float32).reshape(20, 20),  # so come arrays from another process
        np.frombuffer(bytearray(1600), np.float32).reshape(20, 20),
        np.frombuffer(bytes(1600), np.float32),
        Buffers().take((20, 20)),
    ],
    ids=["owner", "view", "bytes below", "writeable buffer", "fixed buffer", "of others"],
)
def test_what_was_not_taken_here_is_left_alone(other: NDArray[np.float32]) -> None:
    buffers = Buffers()
    buffers.give(other)
    found = buffers.take((10, 10))
    assert found.dtype == np.float32
    assert not np.shares_memory(found, other)


def test_room_is_taken_back_once() -> None:
    buffers = Buffers()
    room = buffers.take((9,))
    buffers.give(room)
    buffers.give(room)
    first, second = buffers.take((9,)), buffers.take((9,))
    assert np.shares_memory(first, room)
    assert not np.shares_memory(first, second)
