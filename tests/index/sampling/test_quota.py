"""Shares add up exactly, by largest remainder, and nobody gives more than it may."""

from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.index.sampling.quota import GroupRoom, apportion, spread

COUNTS = st.lists(st.integers(0, 1000), min_size=1, max_size=6)
TOTALS = st.integers(0, 3000)


@settings(max_examples=50, deadline=None)
@given(total=TOTALS, weights=COUNTS)
def test_shares_add_up_and_differ_from_the_exact_ones_by_less_than_one(total, weights):
    shares = apportion(total, weights)
    if not sum(weights):
        assert not any(shares)
        return
    assert sum(shares) == total
    assert all(abs(share - Fraction(total * w, sum(weights))) < 1 for share, w in zip(shares, weights, strict=True))


def test_the_largest_remainders_are_rounded_up_and_ties_go_to_the_first():
    assert apportion(10, [1, 1, 1]) == (4, 3, 3)
    assert apportion(7, [10, 25, 65]) == (1, 2, 4)  # exact 0.7, 1.75, 4.55
    assert apportion(2, [1, 1, 1, 1]) == (1, 1, 0, 0)


@settings(max_examples=50, deadline=None)
@given(total=st.integers(0, 60), amounts=st.lists(st.tuples(st.integers(0, 50), st.integers(0, 20)), max_size=6))
def test_what_one_image_lacks_the_others_give(total, amounts):
    weights = {str(at): weight for at, (weight, _) in enumerate(amounts)}
    capacity = {str(at): most for at, (_, most) in enumerate(amounts)}
    given_out = spread(total, weights=weights, capacity=capacity)
    assert sum(given_out.values()) == min(total, sum(capacity.values()))
    assert all(0 <= given_out[key] <= capacity[key] for key in weights)


@settings(max_examples=50, deadline=None)
@given(
    total=st.integers(0, 60),
    amounts=st.lists(st.tuples(st.integers(0, 50), st.integers(0, 20), st.integers(0, 4)), max_size=6),
    most=st.integers(0, 15),
)
def test_no_group_gives_more_than_its_quota_and_nothing_is_left_that_another_could_give(total, amounts, most):
    weights = {str(at): weight for at, (weight, _, _) in enumerate(amounts)}
    capacity = {str(at): held for at, (_, held, _) in enumerate(amounts)}
    taken = {str(at): before for at, (_, _, before) in enumerate(amounts)}
    groups = {key: f"g{int(key) // 2}" for key in weights}
    out = spread(total, weights=weights, capacity=capacity, rooms=GroupRoom(groups, most, taken))
    rooms = []
    for group in set(groups.values()):
        members = [key for key in weights if groups[key] == group]
        room = max(most - sum(taken[key] for key in members), 0)
        assert sum(out[key] for key in members) <= room
        rooms.append(min(room, sum(capacity[key] for key in members)))
    assert all(0 <= out[key] <= capacity[key] for key in weights)
    assert sum(out.values()) == min(total, sum(rooms))


def test_a_full_group_is_shared_by_its_images_in_proportion():
    rooms = GroupRoom({"a": "p", "b": "p", "c": "q"}, 8)
    out = spread(40, weights={"a": 30, "b": 10, "c": 10}, capacity={"a": 99, "b": 99, "c": 99}, rooms=rooms)
    assert out == {"a": 6, "b": 2, "c": 8}
