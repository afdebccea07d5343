"""Each class trains and validates wherever that is possible, and added groups move nobody who need not move."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.raw.splits.validation import GroupFacts, groups_to_test, nearest_count, validating_groups

CODES = ("A", "B", "C")


def facts(most):
    names = st.text("abcdefghij", min_size=1, max_size=3)
    return st.dictionaries(names, st.sets(st.sampled_from(CODES)), min_size=2, max_size=most).map(
        lambda each: [GroupFacts(name, frozenset(classes)) for name, classes in each.items()]
    )


GROUPS = facts(25)
SHARES = st.sampled_from([0.1, 0.2, 0.34, 0.5])


def unmet(groups, validating):
    """Classes that do not train, or that two groups hold and that do not validate; an empty side weighs a thousand."""
    lacks = [code for code in CODES if any(code in each.classes for each in groups)]
    sides = [[each for each in groups if (each.group in validating) is side] for side in (False, True)]
    trained, validated = ({code for each in side for code in each.classes} for side in sides)
    several = {code for code in lacks if sum(code in each.classes for each in groups) > 1}
    return sum((code not in trained) + (code in several - validated) for code in lacks) + 1000 * sides.count([])


def least_unmet(groups):
    """The best of all choices, tried one by one."""
    free = [each for each in groups if not each.side]
    fixed = {each.group for each in groups if each.side == "validation"}
    return min(
        unmet(groups, fixed | {each.group for each, chosen in zip(free, choice, strict=True) if chosen})
        for choice in product([False, True], repeat=len(free))
    )


def test_what_is_missing_is_counted():
    groups = [GroupFacts("a", frozenset("AB")), GroupFacts("b", frozenset("A")), GroupFacts("c", frozenset())]
    assert unmet(groups, {"b"}) == 0
    assert unmet(groups, {"a"}) == 1  # B, of which there is one group, does not train
    assert unmet(groups, {"c"}) == 1  # A does not validate
    assert unmet(groups, set()) >= 1000
    assert unmet(groups, {"a", "b", "c"}) >= 1000


@given(GROUPS, SHARES, st.integers(0, 3))
def test_some_group_validates_and_some_group_trains(groups, share, seed):
    chosen = validating_groups(groups, share=share, seed=seed)
    assert 0 < len(chosen) < len(groups)
    assert chosen <= {each.group for each in groups}


@given(GROUPS, SHARES)
def test_the_order_of_the_groups_does_not_matter(groups, share):
    assert validating_groups(groups, share=share, seed=0) == validating_groups(groups[::-1], share=share, seed=0)


@given(facts(9), SHARES, st.integers(0, 3))
def test_no_other_choice_has_more_classes_where_they_are_wanted(groups, share, seed):
    assert unmet(groups, validating_groups(groups, share=share, seed=seed)) == least_unmet(groups)


@given(facts(8), SHARES, st.integers(0, 3))
def test_the_number_of_groups_is_as_near_to_the_share_as_the_classes_allow(groups, share, seed):
    names = [each.group for each in groups]
    choices = [
        {name for name, chosen in zip(names, flags, strict=True) if chosen}
        for flags in product([0, 1], repeat=len(names))
    ]
    best = least_unmet(groups)
    wanted = nearest_count(share, len(groups))
    nearest = min(abs(len(choice) - wanted) for choice in choices if unmet(groups, choice) == best)
    assert abs(len(validating_groups(groups, share=share, seed=seed)) - wanted) == nearest


@pytest.mark.parametrize(("total", "expected"), [(6, 1), (8, 2), (9, 2), (30, 6)])
def test_a_fifth_of_few_patients_is_a_fifth(total, expected):
    for seed in range(20):
        groups = [GroupFacts(f"g{at}", frozenset(CODES)) for at in range(total)]
        assert len(validating_groups(groups, share=0.2, seed=seed)) == expected


def test_a_class_that_three_groups_hold_trains_validates_and_tests():
    for seed in range(20):
        groups = [GroupFacts(f"g{at}", frozenset("A")) for at in range(9)]
        groups += [GroupFacts(f"soft{at}", frozenset("AB")) for at in range(3)]
        test = groups_to_test(groups, share=0.2, seed=seed)
        rest = [each for each in groups if each.group not in test]
        validation = validating_groups(rest, share=0.2, seed=seed)
        sides = [test, validation, {each.group for each in rest} - validation]
        assert [len(side & {"soft0", "soft1", "soft2"}) for side in sides] == [1, 1, 1]
        assert len(test) == 2


def test_a_class_of_two_groups_keeps_both_out_of_the_test_only_where_others_can_test():
    groups = [GroupFacts(f"g{at}", frozenset("A")) for at in range(10)]
    assert groups_to_test(groups, share=0.0, seed=0) == frozenset()
    fixed = [GroupFacts(f"g{at}", frozenset("A"), "train") for at in range(9)] + groups[9:]
    assert groups_to_test(fixed, share=0.2, seed=0) <= {"g9"}


@given(facts(8), st.data(), SHARES)
def test_what_a_table_fixed_stays_and_the_rest_makes_the_best_of_it(groups, data, share):
    sides = data.draw(
        st.lists(st.sampled_from(["", "", "train", "validation"]), min_size=len(groups), max_size=len(groups))
    )
    groups = [GroupFacts(each.group, each.classes, side) for each, side in zip(groups, sides, strict=True)]
    chosen = validating_groups(groups, share=share, seed=0)
    assert all((each.group in chosen) == (each.side == "validation") for each in groups if each.side)
    assert unmet(groups, chosen) == least_unmet(groups)


def test_a_class_of_few_groups_is_on_both_sides_and_one_of_a_single_group_trains():
    for seed in range(30):
        groups = [GroupFacts(f"g{at}", frozenset("A")) for at in range(30)]
        groups += [
            GroupFacts("soft1", frozenset("AB")),
            GroupFacts("soft2", frozenset("AB")),
            GroupFacts("only", frozenset("AC")),
        ]
        chosen = validating_groups(groups, share=0.2, seed=seed)
        assert len(chosen & {"soft1", "soft2"}) == 1
        assert "only" not in chosen
        assert len(chosen) == 7


@given(st.integers(40, 80), st.integers(0, 5))
def test_adding_a_group_moves_one_other_group_at_most(count, seed):
    groups = [GroupFacts(f"g{at}", frozenset(CODES)) for at in range(count)]
    before = validating_groups(groups, share=0.3, seed=seed)
    after = validating_groups([*groups, GroupFacts("new", frozenset(CODES))], share=0.3, seed=seed)
    assert len(before ^ (after - {"new"})) <= 1


@pytest.mark.parametrize("share", [0.0, 0.2])
def test_one_group_or_no_share_validates_only_what_is_fixed(share):
    assert validating_groups([GroupFacts("a", frozenset())], share=share, seed=0) == frozenset()
    fixed = [GroupFacts("a", frozenset(), "validation"), GroupFacts("b", frozenset())]
    assert validating_groups(fixed, share=0.0, seed=0) == {"a"}
