import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipeline.seeds import derived_seed, stream

KEYS = st.lists(st.one_of(st.text(max_size=5), st.integers(-5, 5)), max_size=4).map(tuple)


@given(st.integers(0, 2**32), KEYS)
def test_the_same_key_gives_the_same_stream(seed, key):
    assert np.array_equal(stream(seed, *key).integers(1 << 30, size=4), stream(seed, *key).integers(1 << 30, size=4))


@given(KEYS, KEYS)
def test_different_keys_give_different_streams(first, second):
    same = [(type(part), part) for part in first] == [(type(part), part) for part in second]
    equal = np.array_equal(stream(0, *first).integers(1 << 60, size=4), stream(0, *second).integers(1 << 60, size=4))
    assert equal == same


def test_parts_of_a_key_do_not_run_together():
    assert derived_seed(0, "ab", "c") != derived_seed(0, "a", "bc")


def test_a_number_and_its_text_are_two_keys():
    assert derived_seed(0, 1) != derived_seed(0, "1")


def test_streams_are_the_same_on_every_machine():
    assert stream(0, "index", "IDRiD_01").integers(1000, size=3).tolist() == GOLDEN


GOLDEN = [696, 621, 581]
