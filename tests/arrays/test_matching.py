"""Lesion-wise matching against SciPy's components of the whole image, for any blocks and thresholds."""

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from numpy.typing import NDArray
from scipy.ndimage import label

from pipeline.arrays.matching import THRESHOLDS, LesionMatcher, Matching
from pipeline.geometry import aligned_boxes
from pipeline.seeds import stream

Mask = NDArray[np.bool_]
EIGHT = np.ones((3, 3))


def matched(truth: Mask, probability: NDArray[np.float32], *, cut: float, block: int, match: float) -> Matching:
    """The matching of an image that comes in square blocks."""
    matcher = LesionMatcher(truth.shape[1], match=match)
    for box in aligned_boxes(*truth.shape, block):
        part = probability[box.slices]
        matcher.add(box, truth[box.slices], part >= cut, part)
    return matcher.result()


def enough(part: int, area: int, match: float) -> bool:
    return part > 0 and part * 1000 >= round(match * 1000) * area


def expected_found(truth: Mask, mask: Mask, match: float) -> tuple[list[bool], list[bool]]:
    """Lesions found, and components of the prediction that are false, of the whole image at once."""
    lesions, count = label(truth, EIGHT)
    parts, number = label(mask, EIGHT)
    found = [enough(int(mask[lesions == n].sum()), int((lesions == n).sum()), match) for n in range(1, count + 1)]
    false = [not enough(int(truth[parts == n].sum()), int((parts == n).sum()), match) for n in range(1, number + 1)]
    return found, false


@settings(max_examples=25, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.tuples(st.integers(1, 40), st.integers(1, 40)),
    st.integers(1, 41),
    st.sampled_from([0.0, 0.2, 0.5, 1.0]),
    st.sampled_from([0.1, 0.4, 0.6]),
)
def test_lesions_are_matched_as_in_the_whole_image(
    seed: int, size: tuple[int, int], block: int, match: float, density: float
) -> None:
    random = stream(seed, "tests", "matching")
    truth = random.random(size) < density
    probability = (random.random(size) * 0.6 + 0.4 * truth).astype(np.float32)
    result = matched(truth, probability, cut=0.5, block=block, match=match)
    mask = probability >= 0.5

    found, false = expected_found(truth, mask, match)
    assert sorted(result.found.tolist()) == sorted(found)
    lesions, count = label(truth, EIGHT)
    parts, number = label(mask, EIGHT)
    assert result.area.tolist() == np.bincount(lesions.ravel(), minlength=count + 1)[1:].tolist()
    assert result.predicted_area.tolist() == np.bincount(parts.ravel(), minlength=number + 1)[1:].tolist()
    assert result.found.tolist() == found
    assert result.false.tolist() == false
    assert result.covered.tolist() == [int(mask[lesions == n].sum()) for n in range(1, count + 1)]
    assert result.pieces.tolist() == [len(set(parts[lesions == n]) - {0}) for n in range(1, count + 1)]
    assert result.joined.tolist() == [len(set(lesions[parts == n]) - {0}) for n in range(1, number + 1)]
    for n, (y, x) in enumerate(result.shapes.centre.tolist(), start=1):
        assert (y, x) == pytest.approx(np.argwhere(lesions == n).mean(axis=0))
    for at, threshold in enumerate(THRESHOLDS):
        found, false = expected_found(truth, probability >= np.float32(threshold), match)
        assert (result.froc_found[at], result.froc_false[at]) == (sum(found), sum(false))


def test_a_fifth_of_35_pixels_is_7() -> None:
    truth = np.ones((5, 7), np.bool_)
    probability = np.zeros((5, 7), np.float32)
    probability[0] = 1
    assert matched(truth, probability, cut=0.5, block=8, match=0.2).found.tolist() == [True]
    probability[0, 0] = 0
    assert matched(truth, probability, cut=0.5, block=8, match=0.2).found.tolist() == [False]


def test_an_image_without_lesions_counts_false_components() -> None:
    empty, probability = np.zeros((6, 6), np.bool_), np.zeros((6, 6), np.float32)
    probability[1, 1] = probability[4, 4] = 0.9
    result = matched(empty, probability, cut=0.5, block=3, match=0.2)
    assert (len(result.found), result.false.sum()) == (0, 2)
    assert result.froc_false.tolist() == [2 if threshold <= 0.9 else 0 for threshold in THRESHOLDS]


def test_two_components_split_a_lesion_and_one_joins_two() -> None:
    truth = np.zeros((5, 9), np.bool_)
    truth[0] = truth[4, :3] = truth[4, 6:] = True
    probability = np.zeros((5, 9), np.float32)
    probability[0, :3] = probability[0, 6:] = probability[4] = 1
    result = matched(truth, probability, cut=0.5, block=4, match=0.2)
    assert result.pieces.tolist() == [2, 1, 1]
    assert result.joined.tolist() == [1, 1, 2]
