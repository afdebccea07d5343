"""Boundary distances against SciPy's distance transforms of the whole image, by the definitions of MONAI, for any blocks."""

import math

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation, binary_erosion, distance_transform_edt, label

from pipeline.arrays.surface import BorderPixels, Ruler, Surfaces
from pipeline.geometry import aligned_boxes
from pipeline.seeds import stream

Mask = NDArray[np.bool_]
EIGHT = np.ones((3, 3))


def measured(truth: Mask, mask: Mask, *, block: int, ruler: Ruler, ignored: Mask | None = None) -> Surfaces:
    """Boundary distances of an image that comes in square blocks."""
    borders = BorderPixels(*truth.shape)
    for box in aligned_boxes(*truth.shape, block):
        borders.add(box, truth[box.slices], mask[box.slices], None if ignored is None else ignored[box.slices])
    return borders.result(ruler)


def contours_that_meet(edge: Mask, other: Mask) -> Mask:
    number, count = label(edge, EIGHT)
    return np.isin(number, [each for each in range(1, count + 1) if other[number == each].any()])


def eager(truth: Mask, mask: Mask, ruler: Ruler) -> tuple[float, ...]:
    """HD95, surface Dice and signed border distance of the whole image."""
    edges = [each & ~binary_erosion(each) for each in (truth, mask)]
    sampling = ruler.height, ruler.width
    to = [distance_transform_edt(~edge, sampling=sampling) for edge in edges]
    from_truth, from_mask = to[1][edges[0]], to[0][edges[1]]
    near = (from_truth <= ruler.tolerance).sum() + (from_mask <= ruler.tolerance).sum()
    meets = contours_that_meet(edges[0], mask), contours_that_meet(edges[1], truth)
    signed = np.concatenate(
        [np.where(mask, 1, -1)[meets[0]] * to[1][meets[0]], np.where(truth, -1, 1)[meets[1]] * to[0][meets[1]]]
    )
    hd95 = max(np.percentile(from_truth, 95), np.percentile(from_mask, 95))
    return hd95, near / (len(from_truth) + len(from_mask)), signed.mean() if len(signed) else math.nan


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.tuples(st.integers(1, 40), st.integers(1, 40)),
    st.integers(1, 41),
    st.sampled_from([0.02, 0.4, 0.9]),
    st.sampled_from([Ruler(), Ruler(2.0, 1.9, 3.0)]),
)
def test_distances_are_those_of_the_whole_image(
    seed: int, size: tuple[int, int], block: int, density: float, ruler: Ruler
) -> None:
    random = stream(seed, "tests", "surface")
    truth, mask = random.random((2, *size)) < density
    truth, mask = binary_dilation(truth, EIGHT), binary_dilation(mask)
    found = measured(truth, mask, block=block, ruler=ruler)
    assert (found.truth, found.predicted) == tuple(
        np.count_nonzero(each & ~binary_erosion(each)) for each in (truth, mask)
    )
    if truth.any() and mask.any():
        assert (found.hd95, found.dice, found.shift) == pytest.approx(eager(truth, mask, ruler), nan_ok=True)
    else:
        assert math.isnan(found.hd95)
        assert math.isnan(found.shift)
    other = measured(mask, truth, block=block + 1, ruler=ruler)
    assert (other.hd95, other.shift) == pytest.approx((found.hd95, -found.shift), nan_ok=True)


def disc(radius: float, *, size: int = 60) -> Mask:
    y, x = np.mgrid[:size, :size] - size // 2
    return np.hypot(y, x) <= radius


@pytest.mark.parametrize(("radius", "shift"), [(14, 2), (12, 0), (9, -3)])
def test_the_sign_says_grown_or_shrunken(radius: int, shift: float) -> None:
    found = measured(disc(12), disc(radius), block=16, ruler=Ruler(tolerance=abs(shift) + 0.5))
    assert found.shift == pytest.approx(shift, abs=0.35)
    assert found.hd95 == pytest.approx(abs(shift), abs=0.5)
    assert found.dice == 1


def test_missed_lesions_and_false_regions_have_no_part_in_the_sign() -> None:
    truth, mask = disc(6), disc(7)
    alone = measured(truth, mask, block=20, ruler=Ruler())
    truth[2:5, 2:5] = mask[50:55, 50:55] = True
    found = measured(truth, mask, block=20, ruler=Ruler())
    assert found.shift == alone.shift
    assert found.dice < alone.dice


def test_a_side_that_is_empty_goes_by_the_rule_of_absent_classes() -> None:
    empty = np.zeros((20, 20), np.bool_)
    truth = empty.copy()
    truth[5:9, 5:9] = True
    missed, false, nothing = (
        measured(*pair, block=7, ruler=Ruler()) for pair in ((truth, empty), (empty, truth), (empty, empty))
    )
    assert missed.dice == 0
    assert math.isnan(false.dice)
    assert math.isnan(nothing.dice)
    assert all(math.isnan(each.hd95) and math.isnan(each.shift) for each in (missed, false, nothing))
    assert (false.truth, false.predicted, false.predicted_near) == (0, 12, 0)


def test_without_a_tolerance_there_is_no_surface_dice_but_the_distances() -> None:
    found = measured(disc(6), disc(7), block=20, ruler=Ruler(tolerance=math.nan))
    assert math.isnan(found.dice)
    assert found.hd95 >= 1


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 24))
def test_pixels_that_nobody_is_sure_of_make_no_border(seed: int, block: int) -> None:
    random = stream(seed, "tests", "surface", "ignored")
    ignored = np.zeros((24, 24), np.bool_)
    ignored[:, int(random.integers(8, 16)) :] = True
    truth, mask = binary_dilation(random.random((24, 24)) < 0.02, EIGHT), np.ones((24, 24), np.bool_)
    found = measured(truth, mask, block=block, ruler=Ruler(), ignored=ignored)
    kept = ~ignored
    assert found.predicted == np.count_nonzero(~binary_erosion(mask) & kept)
    assert found.truth == np.count_nonzero(truth & kept & ~binary_erosion(truth | ignored))
