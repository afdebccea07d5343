"""Order of patches: even, complete, addressed."""

from collections import Counter

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.model.order import EpochBatches, InOrder, Sides, batches, epoch_rows, sided_rows
from pipeline.model.rows import soft_sides

SIZES = st.integers(1, 40)


@given(rows=SIZES, per_epoch=SIZES, epochs=st.integers(1, 12))
def test_successive_epochs_use_all_rows_evenly(rows: int, per_epoch: int, epochs: int) -> None:
    drawn = [epoch_rows(at, rows=rows, per_epoch=per_epoch, seed=0, name="m") for at in range(epochs)]
    assert all(len(order) == per_epoch for order in drawn)
    used = Counter(np.concatenate(drawn).tolist())
    often = [used[row] for row in range(rows)]
    assert max(often) - min(often) <= 1


def test_a_whole_epoch_is_a_permutation_of_its_own() -> None:
    first, second = (epoch_rows(at, rows=50, per_epoch=None, seed=0, name="m") for at in (0, 1))
    assert sorted(first) == sorted(second) == list(range(50))
    assert first.tolist() != second.tolist()


def test_order_depends_on_seed_and_name_only() -> None:
    base = epoch_rows(3, rows=50, per_epoch=20, seed=0, name="m").tolist()
    assert base == epoch_rows(3, rows=50, per_epoch=20, seed=0, name="m").tolist()
    assert base != epoch_rows(3, rows=50, per_epoch=20, seed=1, name="m").tolist()
    assert base != epoch_rows(3, rows=50, per_epoch=20, seed=0, name="n").tolist()


@given(rows=SIZES, size=st.integers(1, 9))
def test_batches_keep_the_order_and_leave_no_single_row_behind(rows: int, size: int) -> None:
    cut = batches(np.arange(rows), size=size)
    assert [row for batch in cut for row in batch] == list(range(rows))
    assert max(map(len, cut)) <= size + 1
    if size > 1 and rows > 1:
        assert min(map(len, cut)) > 1


def test_epochs_count_on_from_the_one_that_is_resumed() -> None:
    address = {"rows": 9, "size": 4, "per_epoch": 6, "seed": 0, "name": "m"}
    fresh = EpochBatches(**address, first=0)
    iter(fresh)  # made and never used, as a loader does
    epochs = [list(fresh) for _ in range(4)]
    resumed = EpochBatches(**address, first=2)
    assert [list(resumed), list(resumed)] == epochs[2:]
    assert [len(batch) for batch in epochs[0]] == [4, 2]
    assert len(fresh) == 2
    assert {epoch for batch in epochs[3] for epoch, _, _ in batch} == {3}


def test_a_row_that_comes_again_in_an_epoch_is_counted() -> None:
    keys = [key for batch in EpochBatches(rows=3, size=4, per_epoch=8, seed=0, name="m", first=1) for key in batch]
    assert len(set(keys)) == len(keys) == 8
    for row in range(3):
        times = [before for _, at, before in keys if at == row]
        assert times == list(range(len(times)))


def test_validation_is_in_order_each_time() -> None:
    plain = InOrder(5, size=2)
    assert list(plain) == list(plain) == [[(0, 0, 0), (0, 1, 0)], [(0, 2, 0), (0, 3, 0), (0, 4, 0)]]
    assert len(plain) == 2


@pytest.mark.parametrize(("ratio", "size"), [((1, 1), 8), ((1, 3), 8), ((2, 1), 6)])
def test_batches_of_a_soft_sampling_have_the_ratio_and_use_each_side_evenly(ratio, size):
    sides = Sides(np.arange(3), np.arange(3, 40), ratio)
    epochs = [sided_rows(at, sides=sides, length=24, seed=0, name="m") for at in range(5)]
    for order in epochs:
        for batch in batches(order, size=size):
            assert sum(row < 3 for row in batch) * sum(ratio) == len(batch) * ratio[0]
    counts = np.bincount(np.concatenate(epochs), minlength=40)
    for side in (counts[:3], counts[3:]):
        assert side.max() - side.min() <= 1
    assert epochs[3].tolist() == sided_rows(3, sides=sides, length=24, seed=0, name="m").tolist()


def test_only_a_soft_sampling_weights_its_sides():
    rows = pd.DataFrame({"is_positive": [True, True, False]})
    soft = {"config": {"soft": True, "ratio": [1, 1]}}
    found = soft_sides(rows, notes=soft)
    assert (found.first.tolist(), found.second.tolist(), found.ratio) == ([0, 1], [2], (1, 1))
    assert soft_sides(rows, notes={"config": {"soft": False, "ratio": [1, 1]}}) is None
    assert soft_sides(rows, notes={}) is None
    assert soft_sides(rows[:2], notes=soft) is None
