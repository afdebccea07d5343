"""Area under the ROC curve from a histogram, and the histogram of images by their largest probability."""

import math

import numpy as np
from numpy.typing import NDArray

from pipeline.arrays.metrics import HISTOGRAM_BINS, Histogram

__all__ = ["highest_probability", "images_histogram", "roc_auc"]


def roc_auc(histogram: Histogram) -> float:
    """Area under the ROC curve: share of correctly ordered pairs of one element with and one without truth.

    Ties count half, as in the rank-sum statistic of Mann and Whitney. NaN where one of the two sides is empty.

    References
    ----------
    .. [1] J. Hanley, B. McNeil, The Meaning and Use of the Area under a Receiver Operating Characteristic (ROC) Curve,
       Radiology 143, 1982.
    """
    negatives, positives = (int(side.sum()) for side in histogram)
    if not negatives or not positives:
        return math.nan
    occurring = histogram[:, histogram.any(axis=0)].astype(np.float64)
    below = np.cumsum(occurring[0]) - occurring[0] / 2
    return float((occurring[1] / positives) @ (below / negatives))


def highest_probability(histogram: Histogram) -> float:
    """Largest probability of an image, 0…1; 0 where no pixel counts."""
    highest = np.flatnonzero(histogram.any(axis=0)).max(initial=0)
    return float(np.uint16(highest).view(np.float16))


def images_histogram(highest: NDArray[np.float64], held: NDArray[np.bool_]) -> Histogram:
    """Histogram of images by their largest probability, without and with truth; histograms of groups of images add up."""
    bins = highest.astype(np.float16).view(np.uint16)
    return np.stack([np.bincount(bins[side], minlength=HISTOGRAM_BINS) for side in (~held, held)])
