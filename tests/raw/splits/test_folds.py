"""Folds are even, hold the rare classes, and hardly change when patients are added."""

from hypothesis import given
from hypothesis import strategies as st

from pipeline.raw.splits.folds import assign_folds
from pipeline.raw.splits.validation import GroupFacts

GROUPS = st.dictionaries(
    st.text("abcdefghij", min_size=1, max_size=3), st.sets(st.sampled_from("ABC")), min_size=1, max_size=40
).map(lambda each: [GroupFacts(name, frozenset(classes)) for name, classes in each.items()])


def spread(names, found, folds):
    sizes = [sum(found[name] == fold for name in names) for fold in range(folds)]
    return max(sizes) - min(sizes)


@given(GROUPS, st.integers(2, 6), st.integers(0, 3))
def test_folds_are_even_and_part_the_groups(groups, folds, seed):
    found = assign_folds(groups, folds=folds, seed=seed)
    assert set(found) == {each.group for each in groups}
    assert set(found.values()) <= set(range(folds))
    assert spread(found, found, folds) <= 1
    assert found == assign_folds(groups[::-1], folds=folds, seed=seed)


@given(GROUPS, st.integers(2, 6))
def test_the_holders_of_the_rarest_class_are_spread_evenly(groups, folds):
    holders = {code: [each.group for each in groups if code in each.classes] for code in "ABC"}
    shared = {code: names for code, names in holders.items() if len(names) > 1}
    if shared:
        rarest = min(shared, key=lambda code: (len(shared[code]), code))
        assert spread(shared[rarest], assign_folds(groups, folds=folds, seed=0), folds) <= 1


def test_one_more_group_moves_few_of_the_others():
    groups = [GroupFacts(f"g{at}", frozenset("ABC"[: 1 + at % 3])) for at in range(100)]
    before = assign_folds(groups, folds=5, seed=0)
    moved = []
    for at in range(20):
        after = assign_folds([*groups, GroupFacts(f"new{at}", frozenset("A"))], folds=5, seed=0)
        moved.append(sum(after[name] != fold for name, fold in before.items()))
    assert max(moved) <= 8
    assert sum(moved) / len(moved) <= 4


def test_without_folds_every_group_has_none():
    assert set(assign_folds([GroupFacts("a", frozenset())], folds=0, seed=0).values()) == {-1}


def test_more_folds_than_groups_leave_some_empty():
    found = assign_folds([GroupFacts("a", frozenset()), GroupFacts("b", frozenset())], folds=7, seed=0)
    assert len(set(found.values())) == 2
