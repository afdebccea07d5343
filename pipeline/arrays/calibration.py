"""Calibration of probabilities, from a histogram: the reliability curve and its mean distance from the diagonal.

Pixels are sorted into 10 bins of equal width by their probability. A bin's confidence is the mean probability of its
pixels; its frequency is the share of them that are truth. In a calibrated map both are equal in every bin.

Sums per bin add up over images. Without truth there is no calibration error, by the common rule for absent classes.
"""

import math
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from pipeline.arrays.metrics import HISTOGRAM_BINS, Histogram

__all__ = ["BINS", "Reliability", "expected_error", "mean_bin_error", "reliability", "reliability_curve"]

Reliability: TypeAlias = NDArray[np.float64]
"""Pixels, truth pixels and sum of probabilities in each bin ``(3, 10)``."""

BINS = 10
"""Bins of probability; a number on an edge belongs to the bin below it."""
_VALUES = np.arange(HISTOGRAM_BINS, dtype=np.uint16).view(np.float16).astype(np.float64)
# Each bin holds what is above its lower edge; the first holds 0 too.
_BEGIN = np.concatenate([[0], np.searchsorted(_VALUES, np.linspace(0, 1, BINS + 1)[1:-1], side="right")])


def reliability(histogram: Histogram) -> Reliability:
    """Sums per bin of a histogram of probabilities."""
    pixels = histogram.sum(axis=0, dtype=np.int64)
    sums = np.stack([pixels, histogram[1], pixels * _VALUES])
    return np.asarray(np.add.reduceat(sums, _BEGIN, axis=1), np.float64)


def reliability_curve(sums: Reliability) -> NDArray[np.float64]:
    """Mean probability, share of truth and number of pixels ``(3, bin)`` of the bins that are not empty."""
    pixels, truth, probability = sums[:, sums[0] > 0]
    return np.stack([probability / pixels, truth / pixels, pixels])


def expected_error(sums: Reliability) -> float:
    """Expected calibration error (ECE): mean of |frequency - confidence| over pixels, 0…1; NaN without truth.

    References
    ----------
    .. [1] C. Guo et al., On Calibration of Modern Neural Networks, ICML 2017.
    """
    if not sums[1].any():
        return math.nan
    return float(np.abs(sums[1] - sums[2]).sum() / sums[0].sum())


def mean_bin_error(sums: Reliability) -> float:
    """Average calibration error (ACE): mean of |frequency - confidence| over the bins that hold a pixel; NaN without truth.

    For a rare class nearly all pixels lie in the lowest bin, which alone decides the ECE; here all bins have equal
    weight.

    References
    ----------
    .. [1] L. Neumann et al., Relaxed Softmax: Efficient Confidence Auto-Calibration for Safe Pedestrian Detection, NIPS
       Workshop on Machine Learning for Intelligent Transportation Systems, 2018.
    """
    if not sums[1].any():
        return math.nan
    confidence, frequency, _ = reliability_curve(sums)
    return float(np.abs(frequency - confidence).mean())
