"""Elongation of regions: that of scikit-image, whatever the place, and numbers for those that have no width."""

import math

import numpy as np
import pytest
from skimage.measure import regionprops

from pipeline.arrays.runs import Runs, runs_of
from pipeline.arrays.shapes import elongations, moments
from pipeline.seeds import stream


def elongation(runs: Runs) -> float:
    return float(elongations(moments(runs).sum(axis=1, keepdims=True))[0])


@pytest.mark.parametrize("seed", range(5))
def test_the_elongation_is_that_of_scikit_image(seed: int) -> None:
    mask = stream(seed, "tests", "shapes").random((7 + seed, 12)) < 0.6
    [region] = regionprops(mask.astype(int))
    assert elongation(runs_of(mask)) == pytest.approx(region.axis_major_length / region.axis_minor_length)


def test_a_line_is_endless_and_a_single_pixel_is_round() -> None:
    assert elongation(runs_of(np.ones((1, 9), np.bool_))) == math.inf
    assert elongation(runs_of(np.eye(6, dtype=np.bool_))) == math.inf
    assert elongation(runs_of(np.ones((1, 1), np.bool_))) == 1
    assert elongation(runs_of(np.ones((4, 4), np.bool_))) == pytest.approx(1)


def test_squares_that_pass_64_bits_change_nothing() -> None:
    """A rectangle of 50 000 × 90 000 pixels far from the corner: the sum of the squares of its rows is beyond 2⁶³."""
    rows = np.arange(50_000, 100_000, dtype=np.int64) * 200_001 + 100_000
    runs = Runs(rows, rows + 90_000, 200_001)
    assert 50_000 * 90_000 * 75_000**2 > 2**63
    assert elongation(runs) == pytest.approx(math.sqrt((90_000**2 - 1) / (50_000**2 - 1)), rel=1e-12)
