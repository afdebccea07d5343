"""Easing of the rules of a balanced sampling whose one side is short: what gives way, in which order, and in which words.

First the minimum distance between patches, then the quotas per image and group, then places are drawn again with another
jitter. Each gives way no further than what is asked for needs, and the ratio never.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.config import BalancedSampling
from pipeline.index.sampling.balanced_pools import spacing
from pipeline.index.sampling.plan import caps_of
from pipeline.index.sampling.quota import Caps

__all__ = ["SIDES", "Eased", "as_asked", "eased_until", "gave_way"]

SIDES = ("positives", "negatives")
"""The two sides of the ratio."""
PARTS = (2, 4, 8)
"""By what the distance is divided, one after the other, before it is 0."""
WIDER = (2, 4, 8)
"""By what the quotas are multiplied, one after the other, before there are none."""
ROUNDS = (2, 4, 8)
"""How often places are drawn, one after the other."""


@dataclass(frozen=True, slots=True)
class Eased:
    """Rules of one side, as they are or eased."""

    distance: int
    """Least pixels between the centres of two patches of one image."""
    caps: Caps
    """Quotas."""
    rounds: int = 1
    """How often each place is drawn, each time with another jitter."""


def as_asked(side: str, sampling: BalancedSampling) -> Eased:
    """Rules of a side as the configuration gives them."""
    distance = sampling.positive_distance if side == "positives" else spacing(sampling)
    return Eased(distance, caps_of(sampling))


def _steps(first: Eased) -> Iterator[Eased]:
    """Eased rules, each further than the one before."""
    caps = first.caps
    if first.distance:
        yield from (Eased(distance, caps) for part in PARTS if (distance := first.distance // part))
        yield Eased(0, caps)
    if caps != Caps(None, None):
        yield from (Eased(0, Caps(_times(caps.image, by), _times(caps.group, by))) for by in WIDER)
        yield Eased(0, Caps(None, None))
    yield from (Eased(0, Caps(None, None), rounds) for rounds in ROUNDS)


def _times(cap: int | None, by: int) -> int | None:
    return None if cap is None else cap * by


def eased_until(wanted: int, *, first: Eased, most: int, offered: Callable[[Eased], int]) -> Eased:
    """Rules that give way step by step until a side offers what is wanted, or the last ones that offer more than those before.

    Parameters
    ----------
    wanted
        Boxes asked for.
    first
        Rules as they are asked for.
    most
        How many boxes there are by them.
    offered
        How many boxes there are by some rules.
    """
    best = first
    for step in _steps(first):
        if most >= wanted:
            break
        if (found := offered(step)) > most:
            best, most = step, found
    return best


def gave_way(side: str, *, first: Eased, last: Eased) -> tuple[dict[str, Any], list[str]]:
    """Rules that gave way on one side: values asked for and taken, and the same in words; both empty where nothing did."""
    changes: Mapping[str, tuple[int | None, int | None, str]] = {
        "distance": (first.distance, last.distance, "the minimum distance from {} to {} pixels"),
        "most_per_image": (first.caps.image, last.caps.image, "the quota per image from {} to {}"),
        "most_per_group": (first.caps.group, last.caps.group, "the quota per group from {} to {}"),
        "draws_per_place": (first.rounds, last.rounds, "the jitter of a place, which is drawn up to {1} times"),
    }
    found = {name: [before, after] for name, (before, after, _) in changes.items() if before != after}
    said = [
        words.format(*(_none(each) for each in found[name])) for name, (_, _, words) in changes.items() if name in found
    ]
    return found, ([f"{side.capitalize()} were short, so this gave way: {', '.join(said)}."] if said else [])


def _none(value: int | None) -> str:
    return "none" if value is None else str(value)
