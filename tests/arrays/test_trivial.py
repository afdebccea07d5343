"""Trivial answers have the counts of the masks that they stand for, and a model that gives one is found out."""

import math

import numpy as np
import pytest

from pipeline.arrays.metrics import Counts, counts
from pipeline.arrays.trivial import Region, dice_everywhere, everywhere, nowhere, trivial_dice, verdict
from pipeline.seeds import stream


def region_of(roi, truth, mask):
    return Region(int(roi.sum()), int((roi & truth).sum()), int((roi & mask).sum()))


@pytest.mark.parametrize("case", range(6))
def test_counts_of_trivial_answers_are_those_of_their_masks(case):
    rng = stream(case, "tests", "trivial")
    roi, truth, mask = (rng.random((9, 13)) < share for share in (0.7, rng.random(), rng.random()))
    found, region = counts(truth, mask), region_of(roi, truth, mask)
    assert everywhere(found, region) == counts(truth, roi)
    assert nowhere(found) == counts(truth, np.zeros_like(truth))


def test_trivial_answers_of_images_add_up_to_those_of_all_their_pixels():
    rng = stream(0, "tests", "trivial", "sum")
    pictures = [tuple(rng.random((8, 8)) < share for share in (0.8, 0.5, 0.4)) for _ in range(5)]
    found = [(counts(truth, mask), region_of(roi, truth, mask)) for roi, truth, mask in pictures]
    total, region = sum((c for c, _ in found), Counts()), sum((r for _, r in found), Region())
    parts = sum((everywhere(c, r) for c, r in found), Counts())
    assert everywhere(total, region) == parts


def test_marking_everything_has_the_dice_that_follows_from_the_share_of_the_truth():
    found, region = Counts(tp=10, fp=0, fn=50, tn=40), Region(pixels=100, truth=60, predicted=10)
    assert trivial_dice(found, region) == pytest.approx(2 * 0.6 / 1.6)


def test_marking_the_picture_counts_where_truth_lies_beyond_the_region():
    found = Counts(tp=60, fp=40)  # a model that marks everything, and no better than that
    assert dice_everywhere(found, Region(pixels=60, truth=40, predicted=60)) == found.dice == 0.75
    assert verdict(found, Region(pixels=60, truth=59, predicted=40)) == "not_above"
    inside = Region(pixels=80, truth=60)
    assert dice_everywhere(found, inside) == everywhere(found, inside).dice > 0.75


@pytest.mark.parametrize(
    ("found", "region", "expected"),
    [
        (
            Counts(tp=60, fp=39, tn=1),
            Region(100, 60, 99),
            "everywhere",
        ),  # above the trivial Dice, and none all the same
        (Counts(tp=20, fn=40, tn=40), Region(100, 60, 20), "not_above"),
        (Counts(fn=60, tn=40), Region(100, 60, 0), "nowhere"),
        (Counts(tp=55, fp=5, fn=5, tn=35), Region(100, 60, 60), None),
        (Counts(tp=90, fn=8, tn=2), Region(100, 98, 90), "not_above"),  # nearly all is truth: marking it all is better
        (Counts(tp=98, fp=1, tn=1), Region(100, 98, 99), None),
        (Counts(tp=4, fp=700, tn=296), Region(1000, 4, 704), "hardly_above"),  # 0.0113, marking everything 0.008
        (Counts(tp=3, fp=300, fn=1, tn=696), Region(1000, 4, 303), None),  # 0.0195: a poor model, and none the less one
        (Counts(fp=99, tn=1), Region(100, 0, 99), None),  # an absent class has no Dice that could be compared
    ],
)
def test_verdict(found, region, expected):
    assert verdict(found, region) == expected


def test_without_truth_there_is_no_trivial_dice():
    assert math.isnan(trivial_dice(Counts(tn=5), Region(5, 0, 0)))
