"""Trivial answers to a segmentation task, no class anywhere and a class everywhere, by counts alone.

They are what a model has to beat: where a class covers 60 % of the region, marking all of it has a Dice of 0.75. Counts of
trivial answers add up over blocks and images like any others.
"""

import math
from dataclasses import dataclass
from typing import Literal, TypeAlias

from pipeline.arrays.metrics import Counts

__all__ = ["NEARLY_ALL", "Region", "Verdict", "dice_everywhere", "everywhere", "nowhere", "trivial_dice", "verdict"]

NEARLY_ALL = 0.95
"""Share of the region from which on a class is everywhere."""

Verdict: TypeAlias = Literal["nowhere", "everywhere", "not_above"]
"""What makes a model none: its class is predicted nowhere, or everywhere, or its Dice is not above that of a trivial answer."""


@dataclass(frozen=True, slots=True)
class Region:
    """Region of interest as far as one class is concerned; regions of images add up."""

    pixels: int = 0
    """Pixels of the region that count."""
    truth: int = 0
    """Truth pixels inside it."""
    predicted: int = 0
    """Predicted pixels inside it."""

    def __add__(self, other: "Region") -> "Region":
        return Region(self.pixels + other.pixels, self.truth + other.truth, self.predicted + other.predicted)


def everywhere(counts: Counts, region: Region) -> Counts:
    """Counts of the answer that marks every pixel of the region and none beyond.

    Parameters
    ----------
    counts
        Of any prediction on the same pixels.
    region
        The region; only its pixels and its truth are looked at.
    """
    beyond, free = counts.truth - region.truth, region.pixels - region.truth
    total = counts.truth + counts.fp + counts.tn
    return Counts(region.truth, free, beyond, total - region.pixels - beyond)


def dice_everywhere(counts: Counts, region: Region) -> float:
    """Dice of the answer that marks all of the region, or all of the picture where that is better.

    The picture is better where much of the truth lies beyond the region.
    """
    picture = Counts(counts.truth, counts.fp + counts.tn, 0, 0)
    return max(everywhere(counts, region).dice, picture.dice)


def nowhere(counts: Counts) -> Counts:
    """Counts of the answer that marks no pixel; from those of any prediction on the same pixels."""
    return Counts(0, 0, counts.truth, counts.fp + counts.tn)


def trivial_dice(counts: Counts, region: Region) -> float:
    """Dice of the better trivial answer; NaN without truth."""
    return max(dice_everywhere(counts, region), nowhere(counts).dice) if counts.truth else math.nan


def verdict(counts: Counts, region: Region) -> Verdict | None:
    """Verdict on a prediction that is no better than a trivial answer; None where it is, and for a class without truth.

    Examples
    --------
    >>> half = Region(pixels=100, truth=60, predicted=99)
    >>> verdict(Counts(tp=60, fp=39, fn=0, tn=1), half)
    'everywhere'
    """
    if not counts.truth:
        return None
    if not counts.tp + counts.fp:
        return "nowhere"
    enough = NEARLY_ALL * region.pixels
    if region.pixels and region.predicted >= enough > region.truth:
        return "everywhere"
    return None if counts.dice > trivial_dice(counts, region) else "not_above"
