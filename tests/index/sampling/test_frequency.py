"""Quotas follow the frequencies as promised and add up exactly."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.config import GuidedSampling
from pipeline.errors import SamplingError
from pipeline.index.candidates import Lesions
from pipeline.index.sampling.frequency import Rooms, apportion, class_quotas, eligible, frequencies, make_plan, spread

COUNTS = st.lists(st.integers(0, 1000), min_size=1, max_size=6)
TOTALS = st.integers(0, 3000)


def lesions(*areas):
    return Lesions(np.arange(len(areas)), np.array(areas, np.int64), *np.zeros((6, len(areas)), np.int64))


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
@given(total=TOTALS, counts=COUNTS, beta=st.floats(0, 4))
def test_class_quotas_add_up_to_the_total_over_the_classes_present(total, counts, beta):
    frequency = dict(zip("ABCDEF", counts, strict=False))
    quotas = class_quotas(frequency, total=total, beta=beta)
    assert list(quotas) == list(frequency)
    assert sum(quotas.values()) == (total if any(counts) else 0)
    assert all(quotas[code] == 0 for code, count in frequency.items() if count == 0)


@settings(max_examples=50, deadline=None)
@given(counts=st.lists(st.integers(1, 1000), min_size=2, max_size=5), beta=st.floats(0, 3))
def test_quotas_are_in_proportion_to_frequency_to_the_power_of_one_minus_beta(counts, beta):
    quotas = class_quotas(dict(zip("ABCDE", counts, strict=False)), total=100_000, beta=beta)
    weights = [count ** (1 - beta) for count in counts]
    for quota, weight in zip(quotas.values(), weights, strict=True):
        assert math.isclose(quota, 100_000 * weight / sum(weights), abs_tol=1.001)


def test_beta_keeps_the_natural_frequency_equalises_or_favours_the_rare():
    frequency = {"MA": 60, "HE": 30, "SE": 10, "OD": 0}
    assert class_quotas(frequency, total=1000, beta=0) == {"MA": 600, "HE": 300, "SE": 100, "OD": 0}
    assert class_quotas(frequency, total=1000, beta=1) == {"MA": 334, "HE": 333, "SE": 333, "OD": 0}
    assert class_quotas(frequency, total=900, beta=2) == {"MA": 100, "HE": 200, "SE": 600, "OD": 0}
    assert class_quotas(frequency, total=9, beta=1000.5) == {"MA": 0, "HE": 0, "SE": 9, "OD": 0}


def test_frequency_counts_components_pixels_or_images():
    images = {"i": {"MA": lesions(3, 5), "HE": lesions()}, "j": {"MA": lesions(7), "HE": lesions(2)}}
    assert frequencies(images, codes=("MA", "HE"), by="components") == {"MA": 3, "HE": 1}
    assert frequencies(images, codes=("MA", "HE"), by="pixels") == {"MA": 15, "HE": 2}
    assert frequencies(images, codes=("MA", "HE"), by="images") == {"MA": 2, "HE": 1}


def test_the_area_filter_includes_both_limits():
    assert eligible(lesions(1, 2, 3, 4, 5), least_area=2, most_area=4).area.tolist() == [2, 3, 4]
    assert eligible(lesions(1, 2, 3), least_area=0, most_area=None).area.tolist() == [1, 2, 3]


def test_image_quotas_follow_what_anchors_are_drawn_among_and_ties_go_by_image_id():
    images = {"j": {"MA": lesions(9)}, "i": {"MA": lesions(1)}, "k": {"MA": lesions(2, 2, 2, 2)}}
    by_components = make_plan(images, codes=("MA",), sampling=GuidedSampling(strategy="guided", total=7))
    assert {key: quota["MA"] for key, quota in by_components.quotas.items()} == {"i": 1, "j": 1, "k": 5}
    tied = make_plan(images, codes=("MA",), sampling=GuidedSampling(strategy="guided", total=10))  # 1.67, 1.67, 6.67
    assert {key: quota["MA"] for key, quota in tied.quotas.items()} == {"i": 2, "j": 2, "k": 6}
    by_pixels = make_plan(images, codes=("MA",), sampling=GuidedSampling(strategy="guided", total=18, anchors="pixels"))
    assert {key: quota["MA"] for key, quota in by_pixels.quotas.items()} == {"i": 1, "j": 9, "k": 8}
    assert (by_components.population, by_pixels.population) == ({"MA": 6}, {"MA": 18})


def test_background_is_taken_from_the_total_before_the_classes():
    sampling = GuidedSampling(strategy="guided", total=10, background_share=0.3)
    plan = make_plan({"i": {"MA": lesions(4), "HE": lesions(1)}}, codes=("MA", "HE"), sampling=sampling)
    assert plan.requested == {"MA": 4, "HE": 3, "background": 3}


def test_nothing_to_draw_is_an_error_that_says_what_to_do():
    with pytest.raises(SamplingError, match=r"1 training images without a component of MA(.|\n)*Use strategy grid"):
        make_plan({"i": {"MA": lesions()}}, codes=("MA",), sampling=GuidedSampling(strategy="guided"))


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
    out = spread(total, weights=weights, capacity=capacity, rooms=Rooms(groups, most, taken))
    rooms = []
    for group in set(groups.values()):
        members = [key for key in weights if groups[key] == group]
        room = max(most - sum(taken[key] for key in members), 0)
        assert sum(out[key] for key in members) <= room
        rooms.append(min(room, sum(capacity[key] for key in members)))
    assert all(0 <= out[key] <= capacity[key] for key in weights)
    assert sum(out.values()) == min(total, sum(rooms))


def test_a_full_group_is_shared_by_its_images_in_proportion():
    rooms = Rooms({"a": "p", "b": "p", "c": "q"}, 8)
    out = spread(40, weights={"a": 30, "b": 10, "c": 10}, capacity={"a": 99, "b": 99, "c": 99}, rooms=rooms)
    assert out == {"a": 6, "b": 2, "c": 8}


def test_quotas_per_image_group_and_component_limit_each_class_alone():
    images = {key: {"MA": lesions(1, 1, 1), "HE": lesions(2)} for key in "ijk"}
    groups = {"i": "p", "j": "p", "k": "q"}

    def quotas(**limits):
        sampling = GuidedSampling(strategy="guided", total=60, **limits)
        plan = make_plan(images, codes=("MA", "HE"), sampling=sampling, groups=groups)
        return {code: [plan.quotas[key][code] for key in "ijk"] for code in ("MA", "HE")}

    assert quotas() == {"MA": [10, 10, 10], "HE": [10, 10, 10]}
    assert quotas(most_per_image=4) == {"MA": [4, 4, 4], "HE": [4, 4, 4]}
    assert quotas(most_per_group=8) == {"MA": [4, 4, 8], "HE": [4, 4, 8]}
    assert quotas(most_per_component=2) == {"MA": [6, 6, 6], "HE": [2, 2, 2]}
