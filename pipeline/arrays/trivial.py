"""Trivial baselines of a segmentation task, a class nowhere or everywhere, from counts alone.

A model has to beat them: where a class covers 60 % of the region, marking all of it has a Dice of 0.75. Their counts
add up over blocks and images like any others.
"""

import math
from dataclasses import dataclass
from typing import Literal, TypeAlias

from pipeline.arrays.metrics import Counts

__all__ = [
    "NEARLY_ALL",
    "Region",
    "Verdict",
    "dice_everywhere",
    "everywhere",
    "hardly_above",
    "nowhere",
    "trivial_dice",
    "verdict",
]

NEARLY_ALL = 0.95
"""Share of the region from which a class counts as everywhere."""

HARDLY, RARE = 1.5, 0.2
"""Factor up to which a Dice is hardly above a trivial one, and the largest trivial one that is judged so."""

Verdict: TypeAlias = Literal["nowhere", "everywhere", "not_above", "hardly_above"]
"""Verdicts against a model: its class is predicted nowhere or everywhere, or its Dice does not exceed a trivial one, or
hardly so."""


@dataclass(frozen=True, slots=True)
class Region:
    """Region of interest for one class; regions of images add up."""

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
        Counts of any prediction on the same pixels.
    region
        The region; only its pixels and its truth are used.
    """
    beyond, free = counts.truth - region.truth, region.pixels - region.truth
    total = counts.truth + counts.fp + counts.tn
    return Counts(region.truth, free, beyond, total - region.pixels - beyond)


def dice_everywhere(counts: Counts, region: Region) -> float:
    """Dice of the answer that marks the whole region, or the whole image where that is better.

    The image is better where much of the truth lies outside the region.
    """
    picture = Counts(counts.truth, counts.fp + counts.tn, 0, 0)
    return max(everywhere(counts, region).dice, picture.dice)


def nowhere(counts: Counts) -> Counts:
    """Counts of the answer that marks no pixel, from the counts of any prediction on the same pixels."""
    return Counts(0, 0, counts.truth, counts.fp + counts.tn)


def trivial_dice(counts: Counts, region: Region) -> float:
    """Dice of the better trivial answer; NaN without truth."""
    return max(dice_everywhere(counts, region), nowhere(counts).dice) if counts.truth else math.nan


def hardly_above(dice: float, trivial: float) -> bool:
    """Test for a Dice that exceeds a trivial one by less than half of it, where marking everything is a poor answer.

    Of a rare class a network that has learned nothing still gains that much: it leaves out a rim, or vessels.

    Examples
    --------
    >>> hardly_above(0.007, 0.006), hardly_above(0.07, 0.006), hardly_above(0.8, 0.75)
    (True, False, False)
    """
    return trivial <= RARE and trivial < dice < HARDLY * trivial


def verdict(counts: Counts, region: Region) -> Verdict | None:
    """Verdict on a prediction no or hardly better than a trivial answer; None for a better one and for a class without truth.

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
    trivial = trivial_dice(counts, region)
    if counts.dice > trivial:
        return "hardly_above" if hardly_above(counts.dice, trivial) else None
    return "not_above"
