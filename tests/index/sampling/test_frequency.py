"""Quotas follow the frequencies as promised and add up exactly."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.config import GuidedSampling
from pipeline.errors import SamplingError
from pipeline.index.candidates import Lesions
from pipeline.index.sampling.frequency import (
    AREA_STEPS,
    class_quotas,
    eligible,
    frequencies,
    guided_quotas,
)

COUNTS = st.lists(st.integers(0, 1000), min_size=1, max_size=6)
TOTALS = st.integers(0, 3000)


def lesions(*areas):
    return Lesions(np.arange(len(areas)), np.array(areas, np.int64), *np.zeros((6, len(areas)), np.int64))


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
    by_components = guided_quotas(images, codes=("MA",), sampling=GuidedSampling(strategy="guided", total=7))
    assert {key: quota["MA"] for key, quota in by_components.images.items()} == {"i": 1, "j": 1, "k": 5}
    tied = guided_quotas(
        images, codes=("MA",), sampling=GuidedSampling(strategy="guided", total=10)
    )  # 1.67, 1.67, 6.67
    assert {key: quota["MA"] for key, quota in tied.images.items()} == {"i": 2, "j": 2, "k": 6}
    by_pixels = guided_quotas(
        images, codes=("MA",), sampling=GuidedSampling(strategy="guided", total=18, anchors="pixels")
    )
    assert {key: quota["MA"] for key, quota in by_pixels.images.items()} == {"i": 1, "j": 9, "k": 8}
    assert (by_components.population, by_pixels.population) == ({"MA": 6}, {"MA": 18})


def test_images_of_small_lesions_give_more_where_these_are_favoured():
    images = {"i": {"MA": lesions(1, 1)}, "j": {"MA": lesions(16, 16)}}
    sampling = GuidedSampling(strategy="guided", total=100, area_power=0.5)
    found = guided_quotas(images, codes=("MA",), sampling=sampling)
    assert {key: quota["MA"] for key, quota in found.images.items()} == {"i": 80, "j": 20}
    assert found.population["MA"] == 2 * AREA_STEPS + 2 * AREA_STEPS // 4
    with pytest.raises(ValueError, match="area_power"):
        GuidedSampling(strategy="guided", anchors="pixels", area_power=0.5)


def test_background_is_taken_from_the_total_before_the_classes():
    sampling = GuidedSampling(strategy="guided", total=10, background_share=0.3)
    plan = guided_quotas({"i": {"MA": lesions(4), "HE": lesions(1)}}, codes=("MA", "HE"), sampling=sampling)
    assert plan.requested == {"MA": 4, "HE": 3, "background": 3}


def test_nothing_to_draw_is_an_error_that_says_what_to_do():
    with pytest.raises(SamplingError, match=r"1 training images without a component of MA(.|\n)*Use strategy grid"):
        guided_quotas({"i": {"MA": lesions()}}, codes=("MA",), sampling=GuidedSampling(strategy="guided"))


def test_quotas_per_image_group_and_component_limit_each_class_alone():
    images = {key: {"MA": lesions(1, 1, 1), "HE": lesions(2)} for key in "ijk"}
    groups = {"i": "p", "j": "p", "k": "q"}

    def quotas(**limits):
        sampling = GuidedSampling(strategy="guided", total=60, **limits)
        plan = guided_quotas(images, codes=("MA", "HE"), sampling=sampling, groups=groups)
        return {code: [plan.images[key][code] for key in "ijk"] for code in ("MA", "HE")}

    assert quotas() == {"MA": [10, 10, 10], "HE": [10, 10, 10]}
    assert quotas(most_per_image=4) == {"MA": [4, 4, 4], "HE": [4, 4, 4]}
    assert quotas(most_per_group=8) == {"MA": [4, 4, 8], "HE": [4, 4, 8]}
    assert quotas(most_per_component=2) == {"MA": [6, 6, 6], "HE": [2, 2, 2]}


@settings(max_examples=80, deadline=None)
@given(total=TOTALS, counts=COUNTS, beta=st.floats(0, 2), limits=st.lists(st.integers(0, 500), max_size=6))
def test_limits_bind_and_the_rest_is_divided_as_if_the_bound_classes_were_not_there(total, counts, beta, limits):
    frequency, most = (dict(zip("ABCDEF", values, strict=False)) for values in (counts, limits))
    quotas = class_quotas(frequency, total=total, beta=beta, most=most)
    assert all(quotas[code] <= most.get(code, total) for code in frequency)
    free = {code: count for code, count in frequency.items() if quotas[code] < most.get(code, total + 1)}
    bound = sum(quota for code, quota in quotas.items() if code not in free)
    assert {code: quotas[code] for code in free} == class_quotas(free, total=total - bound, beta=beta)


def test_the_disc_takes_at_most_its_share_and_the_lesions_the_rest_evenly():
    frequency = {"MA": 90, "HE": 40, "EX": 300, "SE": 3, "OD": 9}
    quotas = class_quotas(frequency, total=1000, beta=1, most={"OD": 50})
    assert quotas == {"MA": 238, "HE": 238, "EX": 237, "SE": 237, "OD": 50}
    assert class_quotas(frequency, total=1000, beta=1, most={"OD": 400}) == dict.fromkeys(frequency, 200)


def test_given_shares_count_instead_of_frequencies_and_absent_classes_leave_theirs_to_the_others():
    shares = {"MA": 0.27, "HE": 0.27, "EX": 0.18, "SE": 0.15, "OD": 0.05}
    frequency = {"MA": 90, "HE": 40, "EX": 300, "SE": 3, "OD": 9}
    images = {"i": {code: lesions(*[1] * count) for code, count in frequency.items()}}
    sampling = GuidedSampling(strategy="guided", total=1000, shares=shares, background_share=0.08)
    plan = guided_quotas(images, codes=tuple(frequency), sampling=sampling)
    assert plan.requested == {"MA": 270, "HE": 270, "EX": 180, "SE": 150, "OD": 50, "background": 80}
    without = class_quotas({**frequency, "SE": 0}, total=770, beta=1, shares=shares)
    assert without == {"MA": 270, "HE": 270, "EX": 180, "SE": 0, "OD": 50}


def test_the_largest_share_is_of_the_total_background_included():
    images = {"i": {"MA": lesions(1, 1), "OD": lesions(9)}}
    sampling = GuidedSampling(strategy="guided", total=200, background_share=0.5, most_share={"OD": 0.05})
    plan = guided_quotas(images, codes=("MA", "OD"), sampling=sampling)
    assert (plan.requested, plan.unlimited) == ({"MA": 90, "OD": 10, "background": 100}, {"MA": 50, "OD": 50})
