"""Class-frequency compensation: a quota of patches for each class and image.

1. The frequency f_c of class c is counted over the training images, among the components that may give anchors.
2. N_c is proportional to f_c^(1−β) over the classes that are present, or to given shares, by largest remainder.
3. A class with a largest share takes no more than that; what it leaves goes to the others, in the same proportion.
4. N_c is split over the training images in proportion to what they hold, by largest remainder.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from pipeline.config import GuidedSampling
from pipeline.errors import SamplingError
from pipeline.index.candidates import Lesions
from pipeline.index.sampling.quota import GroupRoom, apportion, spread
from pipeline.words import BACKGROUND

__all__ = [
    "ClassQuotas",
    "Eligible",
    "anchor_weights",
    "class_limits",
    "class_quotas",
    "eligible",
    "frequencies",
    "guided_quotas",
]

Eligible = Mapping[str, Mapping[str, Lesions]]
"""Image → class code → components that may give anchors."""

AREA_STEPS = 2**32
"""Weight of a component of one pixel, where small ones are favoured; sums of integers do not depend on their order."""
EXACT_EXPONENT = 8
"""Largest size for which an integer exponent is computed as an exact fraction."""


@dataclass(frozen=True, slots=True)
class ClassQuotas:
    """Quotas of guided sampling per class and image, and the frequencies behind them."""

    frequencies: Mapping[str, int]
    """Class → f_c."""
    population: Mapping[str, int]
    """Class → number of candidates for anchors in all training images: components, pixels, or the sum of weights."""
    requested: Mapping[str, int]
    """Class → N_c, and the number of background patches."""
    unlimited: Mapping[str, int]
    """Class → N_c before the limits by largest shares."""
    images: Mapping[str, Mapping[str, int]]
    """Image → class → patches."""


def eligible(lesions: Lesions, *, least_area: int, most_area: int | None) -> Lesions:
    """Components with an area between two limits, inclusive."""
    keep = lesions.area >= least_area
    if most_area is not None:
        keep &= lesions.area <= most_area
    return lesions.select(keep)


def frequencies(images: Eligible, *, codes: Sequence[str], by: str) -> dict[str, int]:
    """Frequency f_c of each class.

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


def anchor_weights(lesions: Lesions, sampling: GuidedSampling) -> NDArray[np.int64]:
    """Weight of each component when an anchor is drawn: 1, its area, or its area to a power below 0 in whole steps."""
    if sampling.anchors == "pixels":
        return np.asarray(lesions.area, dtype=np.int64)
    if not sampling.area_power:
        return np.ones(len(lesions), dtype=np.int64)
    steps = AREA_STEPS * lesions.area.astype(np.float64) ** -sampling.area_power
    return np.maximum(np.rint(steps), 1).astype(np.int64)


def class_quotas(
    frequency: Mapping[str, int],
    *,
    total: int,
    beta: float,
    shares: Mapping[str, float] | None = None,
    most: Mapping[str, int] | None = None,
) -> dict[str, int]:
    """Class quotas N_c ∝ f_c^(1−β) over the classes present, adding up to the total; ties go to the class named first.

    Parameters
    ----------
    frequency
        Class → f_c, in class order. A class of frequency 0 gets nothing.
    total
        Patches of all classes together.
    beta
        0 keeps natural frequencies, 1 gives equal numbers, more favours rare classes.
    shares
        Class → its share, used instead of its frequency; a class without a share gets nothing.
    most
        Class → most patches of it; without an entry no limit. The rest goes to the other classes in the same
        proportion, so evenly if β is 1. If all are at their limit, the sum stays below the total.

    Examples
    --------
    >>> class_quotas({"MA": 90, "HE": 20, "OD": 9}, total=100, beta=1, most={"OD": 5})
    {'MA': 48, 'HE': 47, 'OD': 5}
    """
    if shares is None:
        weights = _compensated(frequency, exponent=1.0 - beta)
    else:
        weights = {code: Fraction(str(shares.get(code, 0))) * (count > 0) for code, count in frequency.items()}
    return _limited(weights, total=total, most=most or {})


def _compensated(frequency: Mapping[str, int], *, exponent: float) -> dict[str, Fraction]:
    present = [count for count in frequency.values() if count]
    if exponent.is_integer() and abs(exponent) <= EXACT_EXPONENT:
        return {code: Fraction(count) ** int(exponent) if count else Fraction(0) for code, count in frequency.items()}
    # Relative to the class with the largest weight, so that no exponent can overflow.
    base = max(present, default=1) if exponent > 0 else min(present, default=1)
    return {
        code: Fraction(float(count / base) ** exponent) if count else Fraction(0) for code, count in frequency.items()
    }


def _limited(weights: Mapping[str, Fraction], *, total: int, most: Mapping[str, int]) -> dict[str, int]:
    full: dict[str, int] = {}
    while True:
        free = [code for code in weights if code not in full]
        given = apportion(total - sum(full.values()), [weights[code] for code in free])
        quotas = dict(zip(free, given, strict=True))
        over = {code: most[code] for code, quota in quotas.items() if code in most and quota > most[code]}
        if not over:
            return {code: full.get(code, quotas.get(code, 0)) for code in weights}
        full |= over


def class_limits(sampling: GuidedSampling) -> dict[str, int]:
    """Most patches of each class that ``most_share`` names."""
    return {code: int(Fraction(str(share)) * sampling.total) for code, share in sampling.most_share.items()}


def guided_quotas(
    images: Eligible, *, codes: Sequence[str], sampling: GuidedSampling, groups: Mapping[str, str] | None = None
) -> ClassQuotas:
    """Quotas of each class and training image for guided sampling, without background.

    Parameters
    ----------
    images
        Training images with the components that may give anchors.
    codes
        Class codes in order.
    sampling
        How to draw.
    groups
        Image → group, for the quota of a group.

    Raises
    ------
    SamplingError
        No training image has anything to draw.
    """
    background = round(sampling.total * sampling.background_share)
    frequency = frequencies(images, codes=codes, by=sampling.frequency)
    drawn = sampling.total - background
    limits, shares = class_limits(sampling), sampling.shares or None
    if drawn and not any(frequency.values()):
        raise SamplingError(
            "There is no lesion to draw patches for.",
            where="strategy guided",
            found=f"{len(images)} training images without a component of {', '.join(codes)} of allowed area",
            expected="at least one component in the training images",
            remedy="Use strategy grid, another split, or wider least_area and most_area.",
        )
    unlimited = class_quotas(frequency, total=drawn, beta=sampling.beta, shares=shares)
    number = class_quotas(frequency, total=drawn, beta=sampling.beta, shares=shares, most=limits)
    quotas: dict[str, dict[str, int]] = {image_id: {} for image_id in sorted(images)}
    for code in codes:
        held = {image_id: images[image_id][code] for image_id in quotas}
        weights = {image_id: int(anchor_weights(lesions, sampling).sum()) for image_id, lesions in held.items()}
        capacity = {image_id: _capacity(lesions, sampling=sampling, most=drawn) for image_id, lesions in held.items()}
        rooms = GroupRoom(groups or {}, sampling.most_per_group)
        for image_id, quota in spread(number[code], weights=weights, capacity=capacity, rooms=rooms).items():
            quotas[image_id][code] = quota
    population = {
        code: sum(int(anchor_weights(lesions[code], sampling).sum()) for lesions in images.values()) for code in codes
    }
    return ClassQuotas(frequency, population, {**number, BACKGROUND: background}, unlimited, quotas)


def _capacity(lesions: Lesions, *, sampling: GuidedSampling, most: int) -> int:
    """Capacity: most patches of one class that the quotas allow from an image."""
    limits = [most if len(lesions) else 0]
    if sampling.most_per_image is not None:
        limits.append(sampling.most_per_image)
    if sampling.most_per_component is not None:
        limits.append(sampling.most_per_component * len(lesions))
    return min(limits)
