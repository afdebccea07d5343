"""Relaxation of the rules of a balanced sampling with a short side: the rules, their order, and the words for it.

First the minimum distance between patches is relaxed, then the quotas per image and group; then places are drawn again
with another jitter. Each rule is relaxed no further than needed, and the ratio never.
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
"""Divisors of the distance, tried in order, before it is set to 0."""
WIDER = (2, 4, 8)
"""Factors of the quotas, tried in order, before they are dropped."""
ROUNDS = (2, 4, 8)
"""Numbers of draws per place, tried in order."""


@dataclass(frozen=True, slots=True)
class Eased:
    """Rules of one side, original or relaxed."""

    distance: int
    """Least pixels between the centres of two patches of one image."""
    caps: Caps
    """Quotas."""
    rounds: int = 1
    """Number of draws of each place, each with another jitter."""


def as_asked(side: str, sampling: BalancedSampling) -> Eased:
    """Rules of a side from the configuration."""
    distance = sampling.positive_distance if side == "positives" else spacing(sampling)
    return Eased(distance, caps_of(sampling))


def _steps(first: Eased) -> Iterator[Eased]:
    """Relaxed rules, each further than the one before."""
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
    """Rules relaxed step by step until a side offers enough, or the last ones that offered more than those before.

    Parameters
    ----------
    wanted
        Boxes asked for.
    first
        The original rules.
    most
        Number of boxes under the original rules.
    offered
        Number of boxes under given rules.
    """
    best = first
    for step in _steps(first):
        if most >= wanted:
            break
        if (found := offered(step)) > most:
            best, most = step, found
    return best


def gave_way(side: str, *, first: Eased, last: Eased) -> tuple[dict[str, Any], list[str]]:
    """Relaxed rules of one side: original and relaxed values, and the same in words; both empty where nothing changed."""
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
