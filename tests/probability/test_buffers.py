"""Room is handed on, never to two at once, and only what was taken here is taken back."""

import numpy as np

from pipeline.probability.buffers import Buffers


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


def test_what_cannot_be_written_to_is_left_alone() -> None:
    buffers, fixed = Buffers(), np.zeros(9, np.float32)
    fixed.setflags(write=False)
    buffers.give(fixed)
    buffers.give(np.frombuffer(bytes(400), np.float32).reshape(10, 10))
    assert buffers.take((9,)).flags.writeable
    assert not np.shares_memory(buffers.take((9,)), fixed)
