"""Segmentation metrics over pixels: counts, Dice, IoU, average precision, and the curve of Dice over thresholds.

Everything is based on integer counts that add up over blocks and images, so maps of any size are measured exactly. A
probability is one of the 15 361 float16 values in [0, 1], so a histogram over all of them is lossless.

A ratio without a defined value is NaN, never 0 or 1. `Counts` has the one rule for absent classes, which applies to
epochs, learning rates, thresholds and results alike: without truth in the measured pixels there is no Dice, IoU, recall
or AUPR, whatever was predicted; the false-positive area is reported instead. Precision needs a prediction, specificity
a pixel without truth.
"""

import math
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import ModelError

__all__ = [
    "HISTOGRAM_BINS",
    "Counts",
    "Histogram",
    "average_precision",
    "counts",
    "counts_at",
    "dice_curve",
    "probability_histogram",
    "threshold_counts",
    "trapezoid_aupr",
]

Histogram: TypeAlias = NDArray[np.int64]
"""Pixels ``(2, 15361)``: without and with truth, by the bit pattern of their probability."""

_ONE = 0x3C00
_NEGATIVE_ZERO = 0x8000
_TENTHS = np.linspace(0, 1, 11)
HISTOGRAM_BINS = _ONE + 1
"""Number of float16 values from 0 to 1; non-negative ones sort like their bit patterns."""


@dataclass(frozen=True, slots=True)
class Counts:
    """Pixels of one class by truth and prediction; they add up over blocks and images."""

    tp: int = 0
    """Predicted, and truth."""
    fp: int = 0
    """Predicted, without truth."""
    fn: int = 0
    """Truth that was not predicted."""
    tn: int = 0
    """Neither."""

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(self.tp + other.tp, self.fp + other.fp, self.fn + other.fn, self.tn + other.tn)

    @property
    def truth(self) -> int:
        """Truth pixels, found or missed."""
        return self.tp + self.fn

    @property
    def false_positive_area(self) -> int:
        """False-positive area of an absent class: predicted pixels if there is no truth at all, else 0."""
        return 0 if self.truth else self.fp

    @property
    def dice(self) -> float:
        """``2 tp / (2 tp + fp + fn)``; NaN without truth."""
        return _ratio(2 * self.tp, 2 * self.tp + self.fp + self.fn) if self.truth else math.nan

    @property
    def iou(self) -> float:
        """``tp / (tp + fp + fn)``; NaN without truth."""
        return _ratio(self.tp, self.tp + self.fp + self.fn) if self.truth else math.nan

    @property
    def precision(self) -> float:
        """``tp / (tp + fp)``."""
        return _ratio(self.tp, self.tp + self.fp)

    @property
    def recall(self) -> float:
        """``tp / (tp + fn)``."""
        return _ratio(self.tp, self.tp + self.fn)

    @property
    def specificity(self) -> float:
        """``tn / (tn + fp)``; NaN where all pixels are truth."""
        return _ratio(self.tn, self.tn + self.fp)


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else math.nan


def counts(truth: NDArray[np.bool_], prediction: NDArray[np.bool_], within: NDArray[np.bool_] | None = None) -> Counts:
    """Counts of the pixels of two masks of the same shape, only of those ``within`` where given."""
    _same_shape(truth, prediction, within)
    inside = truth.size if within is None else int(np.count_nonzero(within))
    if within is not None:
        truth, prediction = truth & within, prediction & within
    tp = int(np.count_nonzero(truth & prediction))
    fp = int(np.count_nonzero(prediction)) - tp
    fn = int(np.count_nonzero(truth)) - tp
    return Counts(tp, fp, fn, inside - tp - fp - fn)


def probability_histogram(
    probability: NDArray[np.float16], truth: NDArray[np.bool_], within: NDArray[np.bool_] | None = None
) -> Histogram:
    """Histogram of the probabilities, without and with truth. Histograms of blocks and images add up.

    Parameters
    ----------
    probability
        In [0, 1], any shape.
    truth
        Of the same shape.
    within
        Of the same shape: the pixels that count; all by default.

    Returns
    -------
    Histogram
        ``(2, 15361)``. Column ``b`` is the value with float16 bit pattern ``b``.

    Raises
    ------
    ModelError
        Another dtype or shape, or NaN or values outside [0, 1] among the pixels that count.
    """
    _same_shape(truth, probability, within)
    if probability.dtype != np.float16:
        raise _not_a_probability(probability.dtype, "float16")
    bits = np.ascontiguousarray(probability).view(np.uint16)
    bits, truth = (bits.ravel(), truth.ravel()) if within is None else (bits[within], truth[within])
    bits = np.where(bits == _NEGATIVE_ZERO, np.uint16(0), bits)
    if bits.size and (highest := bits.max()) > _ONE:
        raise _not_a_probability(np.uint16(highest).view(np.float16), "numbers in [0, 1]")
    positive = np.bincount(bits[truth], minlength=HISTOGRAM_BINS)
    return np.stack([np.bincount(bits, minlength=HISTOGRAM_BINS) - positive, positive])


def _not_a_probability(found: object, expected: str) -> ModelError:
    return ModelError(
        "A map does not hold probabilities.",
        where="metrics.probability_histogram",
        found=found,
        expected=expected,
        remedy="Apply the network's final activation, and store the map as float16.",
    )


def _same_shape(truth: NDArray[np.bool_], other: NDArray[np.generic], within: NDArray[np.bool_] | None) -> None:
    if other.shape != truth.shape or (within is not None and within.shape != truth.shape):
        raise ModelError(
            "Truth and prediction do not cover the same pixels.",
            where="metrics",
            found=f"{other.shape}, within {None if within is None else within.shape}",
            expected=truth.shape,
            remedy="Compare both on the pixel grid of the normalised image.",
        )


def _from_above(histogram: Histogram) -> NDArray[np.int64]:
    """Pixels without and with truth of at least the probability of each bin, ``(2, bins)``."""
    return np.cumsum(histogram[:, ::-1], axis=1, dtype=np.int64)[:, ::-1]


def counts_at(histogram: Histogram, threshold: float) -> Counts:
    """Counts of a prediction ``probability >= threshold``, exact for any threshold in [0, 1]."""
    values = np.arange(HISTOGRAM_BINS, dtype=np.uint16).view(np.float16)
    first = int(np.searchsorted(values.astype(np.float64), threshold))
    fn, tn = int(histogram[1, :first].sum()), int(histogram[0, :first].sum())
    return Counts(int(histogram[1, first:].sum()), int(histogram[0, first:].sum()), fn, tn)


def average_precision(histogram: Histogram) -> float:
    """Average precision: step-wise area under the precision-recall curve over pooled pixels, the AUPR of IDRiD's paper.

    Notes
    -----
    ``Σ (R_n − R_{n−1}) P_n`` over the distinct probabilities from high to low, without interpolation; pixels of equal
    probability are one step. NaN without truth.

    References
    ----------
    .. [1] P. Porwal et al., IDRiD: Diabetic Retinopathy – Segmentation and Grading Challenge, Medical Image Analysis
       59, 101561, 2020.
    """
    positives = int(histogram[1].sum())
    if positives == 0:
        return math.nan
    fp, tp = _from_above(histogram)
    steps = np.flatnonzero(histogram[1])
    return float(np.sum(histogram[1, steps] * (tp[steps] / (tp[steps] + fp[steps])))) / positives


def threshold_counts(histogram: Histogram) -> NDArray[np.int64]:
    """Counts ``(3, 11)`` for the thresholds 0, 0.1, …, 1: true and false positives above, and truth at or below them.

    Above means greater than the threshold, as in the tables that `trapezoid_aupr` reproduces. Counts of images add up.
    """
    values = np.arange(HISTOGRAM_BINS, dtype=np.uint16).view(np.float16).astype(np.float64)
    first = np.searchsorted(values, _TENTHS, side="right")
    below = np.concatenate([np.zeros((2, 1), np.int64), np.cumsum(histogram, axis=1, dtype=np.int64)], axis=1)[:, first]
    above = histogram.sum(axis=1, dtype=np.int64)[:, None] - below
    return np.stack([above[1], above[0], below[1]])


def trapezoid_aupr(counts: NDArray[np.int64]) -> float:
    """Trapezoid under the precision-recall points of 11 thresholds: the AUPR of IDRiD tables made with mmsegmentation.

    Parameters
    ----------
    counts
        ``(3, 11)``, of `threshold_counts`.

    Notes
    -----
    ``Σ |R_n − R_{n+1}| (P_n + P_{n+1}) / 2`` over the thresholds 0, 0.1, …, 1. A pixel is predicted if its probability
    is greater; precision is 1 where nothing is predicted. NaN without truth. Straight lines join distant points, so it
    exceeds the step-wise `average_precision` of the same map wherever precision falls.

    References
    ----------
    .. [1] Q. Liu et al., M2MRF: Many-to-Many Reassembly of Features for Tiny Lesion Segmentation in Fundus Images,
       arXiv:2111.00193, 2021; its code, ``mmseg/core/evaluation/my_metrics.py``.
    """
    tp, fp, missed = counts.astype(np.float64)
    if not tp[0] + missed[0]:
        return math.nan
    predicted = tp + fp
    precision = np.divide(tp, predicted, out=np.ones_like(tp), where=predicted > 0)
    recall = tp / (tp + missed)
    return float(-np.sum(np.diff(recall) * (precision[1:] + precision[:-1]) / 2))


def dice_curve(histogram: Histogram) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Dice of the prediction ``probability >= threshold`` for each occurring probability, in ascending order."""
    occurring = np.flatnonzero(histogram.sum(axis=0))
    fp, tp = _from_above(histogram)[:, occurring]
    thresholds = occurring.astype(np.uint16).view(np.float16).astype(np.float64)
    return thresholds, 2 * tp / (tp + fp + histogram[1].sum())
