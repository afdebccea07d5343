"""Quotas: apportionment by largest remainder, and the limits of images and groups."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

__all__ = ["Caps", "GroupRoom", "apportion", "spread"]


@dataclass(frozen=True, slots=True)
class Caps:
    """Quotas of one image and of one group: the most boxes from each for one side."""

    image: int | None
    """Boxes of one image; None for no limit."""
    group: int | None
    """Boxes of one group."""


def apportion(total: int, weights: Sequence[int | Fraction]) -> tuple[int, ...]:
    """Apportionment by largest remainder: integers in proportion to weights with a given sum; ties go to the first.

    Parameters
    ----------
    total
        Sum to be apportioned, at least 0.
    weights
        At least 0 each; if all are 0, all results are 0.

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


@dataclass(frozen=True, slots=True)
class GroupRoom:
    """Room of the groups: the number that each may still give."""

    groups: Mapping[str, str]
    """Image → group; an image without an entry is its own group."""
    most: int | None = None
    """Most of one group; None for no limit."""
    taken: Mapping[str, int] = field(default_factory=dict)
    """Image → number given before, which counts."""

    def group(self, image_id: str) -> str:
        """Group of an image."""
        return self.groups.get(image_id, image_id)

    def left(self, given: Mapping[str, int]) -> dict[str, int]:
        """Room left, by group, after what its images have given; empty without a limit."""
        if self.most is None:
            return {}
        left: dict[str, int] = {}
        for each in (given, self.taken):
            for image_id, count in each.items():
                left[self.group(image_id)] = left.get(self.group(image_id), self.most) - count
        return {group: max(count, 0) for group, count in left.items()}

    def fitted(self, wishes: Mapping[str, int], *, free: Mapping[str, int]) -> dict[str, int]:
        """Requests of images, reduced in proportion where those of a group exceed its room."""
        fitted = dict(wishes)
        for group, room in free.items():
            members = [image_id for image_id in wishes if self.group(image_id) == group]
            if sum(wishes[image_id] for image_id in members) > room:
                shares = apportion(room, [wishes[image_id] for image_id in members])
                fitted |= dict(zip(members, shares, strict=True))
        return fitted


def spread(
    total: int, *, weights: Mapping[str, int], capacity: Mapping[str, int], rooms: GroupRoom | None = None
) -> dict[str, int]:
    """Apportionment with capacities, in proportion to weights; the excess of one goes to the others.

    Parameters
    ----------
    total
        What is to be shared out.
    weights
        Image → weight.
    capacity
        Image → most it can give.
    rooms
        Room of the groups of the images.

    Returns
    -------
    dict
        Image → number, in text order. They add up to the total, or to the allowed maximum if that is less.
    """
    given, limits = dict.fromkeys(sorted(weights), 0), rooms or GroupRoom({})
    while (left := total - sum(given.values())) > 0:
        free = limits.left(given)
        open_ids = [key for key in given if given[key] < capacity[key] and free.get(limits.group(key), 1)]
        if not open_ids:
            break
        wishes = apportion(left, [max(weights[image_id], 1) for image_id in open_ids])
        taken = {key: min(wish, capacity[key] - given[key]) for key, wish in zip(open_ids, wishes, strict=True)}
        for image_id, count in limits.fitted(taken, free=free).items():
            given[image_id] += count
    return given
