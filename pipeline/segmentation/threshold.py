"""Threshold fitting per class: the probability from which a pixel counts as lesion, by highest Dice.

The Dice is that of the pooled pixels of the validation images. A class that they lack, or that the network never sees,
keeps the default, and the fit says why.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from pipeline.arrays.metrics import Histogram, dice_curve

__all__ = ["ThresholdFit", "best_threshold", "fit_thresholds"]


@dataclass(frozen=True, slots=True)
class ThresholdFit:
    """Threshold of one class and where it comes from."""

    threshold: float
    """A pixel is predicted if its probability is at least this; exactly a float16 number."""
    dice: float
    """Dice of the cleaned masks over the pooled validation pixels at this threshold; NaN if these hold no truth of the
    class."""
    positives: int
    """Truth pixels behind the fit."""
    fitted: bool
    """Whether the threshold comes from the data; otherwise it is the default."""
    reason: str
    """Why the threshold was not fitted; empty where it was."""

    @classmethod
    def given(cls, threshold: float, *, reason: str) -> Self:
        """Fit of a threshold that was given, not fitted."""
        return cls(threshold, math.nan, 0, fitted=False, reason=reason)

    def as_dict(self) -> dict[str, float | int | bool | str | None]:
        """Fit as JSON can hold it; an undefined Dice is null."""
        dice = None if math.isnan(self.dice) else self.dice
        return {
            "threshold": self.threshold,
            "dice": dice,
            "positives": self.positives,
            "fitted": self.fitted,
            "reason": self.reason,
        }


def best_threshold(histogram: Histogram, *, default: float = 0.5) -> tuple[float, float]:
    """Threshold of the highest Dice, and that Dice.

    Returns
    -------
    tuple
        Threshold above 0 and Dice: ``(default, nan)`` without truth; ``(default, 0.0)`` if all truth has probability 0,
        because predicting every pixel is no segmentation.

    Notes
    -----
    Of equal Dice the lowest threshold wins. All thresholds between two neighbouring probabilities give the same mask;
    their middle is taken, rounded to float16, so that a comparison in any precision gives that mask.
    """
    if not histogram[1].any():
        return default, math.nan
    thresholds, dice = dice_curve(histogram)
    thresholds, dice = np.append(0.0, thresholds[thresholds > 0]), np.append(0.0, dice[thresholds > 0])
    best = int(np.argmax(dice))
    if best == 0:
        return default, 0.0
    below, value = thresholds[best - 1], thresholds[best]
    middle = float(np.float16((below + value) / 2))
    return middle if middle > below else float(value), float(dice[best])


def fit_thresholds(histograms: Mapping[str, NDArray[np.int64]], *, default: float = 0.5) -> dict[str, ThresholdFit]:
    """Thresholds of all classes, fitted to pooled histograms.

    Parameters
    ----------
    histograms
        For each class code the sum of ``metrics.probability_histogram`` over the validation images,
        ``(2, 15361)``.
    default
        The threshold of classes that cannot be fitted, in (0, 1].

    Returns
    -------
    dict
        One fit per class, in the order of ``histograms``.
    """
    return {code: _fit(histogram, default=default) for code, histogram in histograms.items()}


def _fit(histogram: NDArray[np.int64], *, default: float) -> ThresholdFit:
    positives = int(histogram[1].sum())
    threshold, dice = best_threshold(histogram, default=default)
    reason = ""
    if positives == 0:
        reason = "The validation images hold no truth of this class."
    elif dice == 0:
        reason = "Every truth pixel of this class has probability 0."
    return ThresholdFit(threshold, dice, positives, not reason, reason)
