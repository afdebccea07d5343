"""The ratio is exact, the quotas are kept, and every image gives the first of its boxes."""

import heapq
from fractions import Fraction

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipeline.index.sampling.candidate_pool import CandidatePool
from pipeline.index.sampling.draw import available, counts_in_ratio, draw_from_pools
from pipeline.index.sampling.quota import Caps

CAP = st.none() | st.integers(0, 6)


def pool(keys):
    ordered = np.sort(np.asarray(keys, np.float64))
    return CandidatePool(ordered, np.zeros((len(ordered), 4), np.int64), np.ones(len(ordered)))


@given(
    total=st.integers(0, 200),
    ratio=st.tuples(st.integers(0, 6), st.integers(0, 6)).filter(any),
    positives=st.integers(0, 200),
    negatives=st.integers(0, 200),
)
def test_the_sides_stand_exactly_in_the_ratio_and_no_larger_numbers_do(total, ratio, positives, negatives):
    first, second = counts_in_ratio(total, ratio=ratio, positives=positives, negatives=negatives)
    assert first * ratio[1] == second * ratio[0]
    assert (first <= positives, second <= negatives, first + second <= total) == (True, True, True)
    larger = [
        (p, n)
        for p in range(first, min(positives, total) + 1)
        for n in range(second, min(negatives, total - p) + 1)
        if p * ratio[1] == n * ratio[0] and p + n > first + second
    ]
    assert not larger


def greedy(pools, *, wanted, groups, caps, taken):
    """One box after the other, the one of the lowest key whose image and group may still give."""
    count = dict.fromkeys(pools, 0)
    image = {key: sum(each.get(key, 0) for each in taken) for key in pools}
    group = {}
    for key, used in image.items():
        group[groups[key]] = group.get(groups[key], 0) + used
    queue = [(value, key) for key, each in pools.items() for value in each.key]
    heapq.heapify(queue)
    while queue and sum(count.values()) < wanted:
        _, key = heapq.heappop(queue)
        full = caps.image is not None and image[key] >= caps.image
        if not full and (caps.group is None or group[groups[key]] < caps.group):
            count[key] += 1
            image[key] += 1
            group[groups[key]] += 1
    return count


@given(
    keys=st.lists(st.lists(st.floats(-3, 3, width=16), max_size=8, unique=True), min_size=1, max_size=5),
    wanted=st.integers(0, 30),
    caps=st.builds(Caps, CAP, CAP),
    before=st.lists(st.integers(0, 3), min_size=5, max_size=5),
)
def test_the_choice_is_the_greedy_one_over_all_images(keys, wanted, caps, before):
    pools = {f"i{at}": pool(each) for at, each in enumerate(keys)}
    groups = {key: f"g{at // 2}" for at, key in enumerate(pools)}
    taken = [dict(zip(pools, before, strict=False))]
    chosen = draw_from_pools(pools, wanted=wanted, groups=groups, caps=caps, taken=taken)
    assert chosen == greedy(pools, wanted=wanted, groups=groups, caps=caps, taken=taken)
    assert list(chosen) == sorted(pools)


@given(
    keys=st.lists(st.lists(st.floats(-3, 3, width=16), max_size=8, unique=True), min_size=1, max_size=5),
    caps=st.builds(Caps, CAP, CAP),
)
def test_what_is_available_can_be_chosen_and_no_more(keys, caps):
    pools = {f"i{at}": pool(each) for at, each in enumerate(keys)}
    groups = {key: f"g{at // 2}" for at, key in enumerate(pools)}
    there = available({key: len(each) for key, each in pools.items()}, groups=groups, caps=caps)
    assert sum(draw_from_pools(pools, wanted=1000, groups=groups, caps=caps).values()) == there
    assert sum(draw_from_pools(pools, wanted=there, groups=groups, caps=caps).values()) == there


def test_without_quotas_the_images_share_in_proportion_to_what_they_hold():
    random = np.random.Generator(np.random.PCG64(1))
    pools = {"a": pool(random.standard_exponential(3000)), "b": pool(random.standard_exponential(1000))}
    chosen = draw_from_pools(pools, wanted=1000, groups={"a": "a", "b": "b"}, caps=Caps(None, None))
    assert abs(Fraction(chosen["a"], 1000) - Fraction(3, 4)) < Fraction(5, 100)
