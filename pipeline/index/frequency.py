"""How many patches of each class, and from which image? Compensated frequencies, apportioned exactly.

1. The frequency f_c of class c is counted over the training images, among the components that may give anchors.
2. N_c is proportional to f_c^(1−β) over the classes that are present, by largest remainder.
3. N_c is split over the training images in proportion to what they hold, by largest remainder.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from pipeline.config import GuidedSampling
from pipeline.errors import SamplingError, explain
from pipeline.index.candidates import Lesions

__all__ = [
    "BACKGROUND",
    "Eligible",
    "Plan",
    "apportion",
    "class_quotas",
    "eligible",
    "frequencies",
    "make_plan",
    "spread",
]

BACKGROUND = "background"
"""Target class of patches drawn without any truth."""

Eligible = Mapping[str, Mapping[str, Lesions]]
"""Image → class code → components that may give anchors."""

EXACT_EXPONENT = 8
"""Up to this size a whole exponent is taken as an exact fraction."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be drawn."""

    frequencies: Mapping[str, int]
    """Class → f_c."""
    population: Mapping[str, int]
    """Class → what an anchor is drawn among in all training images: components or pixels."""
    requested: Mapping[str, int]
    """Class → N_c, and the number of background patches."""
    quotas: Mapping[str, Mapping[str, int]]
    """Image → class → patches."""


def apportion(total: int, weights: Sequence[int | Fraction]) -> tuple[int, ...]:
    """Whole numbers in proportion to weights that add up to the total: largest remainder, ties to the first.

    Parameters
    ----------
    total
        What is to be shared out, at least 0.
    weights
        At least 0 each; where all are 0, everybody gets 0.

    Examples
    --------
    >>> apportion(10, [1, 1, 1])
    (4, 3, 3)
    """
    whole = sum(weights, Fraction(0))
    if not whole:
        return (0,) * len(weights)
    exact = [Fraction(weight) * total / whole for weight in weights]
    shares = [int(share) for share in exact]
    first = sorted(range(len(shares)), key=lambda at: (shares[at] - exact[at], at))
    for at in first[: total - sum(shares)]:
        shares[at] += 1
    return tuple(shares)


def eligible(lesions: Lesions, *, least_area: int, most_area: int | None) -> Lesions:
    """The components whose area lies between two limits, both included."""
    keep = lesions.area >= least_area
    if most_area is not None:
        keep &= lesions.area <= most_area
    return lesions.select(keep)


def frequencies(images: Eligible, *, codes: Sequence[str], by: str) -> dict[str, int]:
    """How frequent each class is.

    Parameters
    ----------
    images
        Training images.
    codes
        Class codes.
    by
        ``components``, ``pixels`` (their area), or ``images`` that hold at least one component.
    """
    return {code: sum(_amount(lesions[code], by=by) for lesions in images.values()) for code in codes}


def _amount(lesions: Lesions, *, by: str) -> int:
    if by == "pixels":
        return int(lesions.area.sum())
    return len(lesions) if by == "components" else int(len(lesions) > 0)


def class_quotas(frequency: Mapping[str, int], *, total: int, beta: float) -> dict[str, int]:
    """N_c ∝ f_c^(1−β) over the classes present, adding up to the total; ties go to the class named first.

    Parameters
    ----------
    frequency
        Class → f_c, in class order. A class of frequency 0 gets nothing.
    total
        Patches of all classes together.
    beta
        0 keeps the natural frequency, 1 gives equal numbers, more favours the rare.
    """
    exponent, present = 1.0 - beta, [count for count in frequency.values() if count]
    if exponent.is_integer() and abs(exponent) <= EXACT_EXPONENT:
        weights = [Fraction(count) ** int(exponent) if count else Fraction(0) for count in frequency.values()]
    else:
        # Relative to the class with the largest weight: no exponent can overflow.
        base = max(present, default=1) if exponent > 0 else min(present, default=1)
        weights = [Fraction(float(count / base) ** exponent) if count else Fraction(0) for count in frequency.values()]
    return dict(zip(frequency, apportion(total, weights), strict=True))


def make_plan(images: Eligible, *, codes: Sequence[str], sampling: GuidedSampling) -> Plan:
    """What guided sampling draws from each training image, background aside.

    Parameters
    ----------
    images
        Training images with the components that may give anchors.
    codes
        Class codes in order.
    sampling
        How to draw.

    Raises
    ------
    SamplingError
        Where no training image holds anything to draw.
    """
    background = round(sampling.total * sampling.background_share)
    frequency = frequencies(images, codes=codes, by=sampling.frequency)
    drawn = sampling.total - background
    if drawn and not any(frequency.values()):
        raise SamplingError(
            explain("There is no lesion to draw patches for.", where="strategy guided",
                    found=f"{len(images)} training images without a component of {', '.join(codes)} of allowed area",
                    expected="at least one component in the training images",
                    remedy="Use strategy grid, another split, or wider least_area and most_area.")
        )  # fmt: skip
    number = class_quotas(frequency, total=drawn, beta=sampling.beta)
    ids = sorted(images)
    quotas: dict[str, dict[str, int]] = {image_id: {} for image_id in ids}
    for code in codes:
        amounts = [_amount(images[image_id][code], by=sampling.anchors) for image_id in ids]
        for image_id, quota in zip(ids, apportion(number[code], amounts), strict=True):
            quotas[image_id][code] = quota
    population = frequencies(images, codes=codes, by=sampling.anchors)
    return Plan(frequency, population, {**number, BACKGROUND: background}, quotas)


def spread(total: int, *, weights: Mapping[str, int], capacity: Mapping[str, int]) -> dict[str, int]:
    """Share a number out in proportion to weights, nobody above the capacity; what one lacks goes to the others.

    Parameters
    ----------
    total
        What is to be shared out.
    weights
        Image → weight.
    capacity
        Image → most it can give.

    Returns
    -------
    dict
        Image → number. They add up to the total, or to the whole capacity where that is less.
    """
    given = dict.fromkeys(sorted(weights), 0)
    left = min(total, sum(capacity[image_id] for image_id in given))
    while left:
        open_ids = [image_id for image_id in given if given[image_id] < capacity[image_id]]
        wishes = apportion(left, [max(weights[image_id], 1) for image_id in open_ids])
        for image_id, wish in zip(open_ids, wishes, strict=True):
            taken = min(wish, capacity[image_id] - given[image_id])
            given[image_id] += taken
            left -= taken
    return given
