"""Which groups validate? Drawn for each group on its own, then corrected so that each class is on both sides.

A group validates where a number drawn for it (and for nothing else) is below the validation share, so adding images
moves no other group. Two corrections serve small data sets, and only they can move a group when images are added: the
number of validating groups is kept between half and one and a half times the share, and groups change sides until
each class trains, and validates too where two groups hold it.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from pipeline.seeds import stream

__all__ = ["GroupFacts", "drawn_number", "unmet", "validating_groups"]

SIDES = 1000
"""What an empty side weighs against a class that is missing on one."""


@dataclass(frozen=True, slots=True)
class GroupFacts:
    """What the splits depend on."""

    group: str
    """Patient."""
    classes: frozenset[str]
    """Codes that occur in any image of the group."""
    side: str = ""
    """``train`` or ``validation`` where a table fixed it; empty where it is to be drawn."""


def drawn_number(group: str, *, seed: int) -> float:
    """The number in [0, 1) that belongs to a group."""
    return float(stream(seed, "raw", "split", group).random())


def unmet(groups: Sequence[GroupFacts], validating: Iterable[str]) -> int:
    """How much is missing: a class that does not train, or that two groups hold and that does not validate.

    A side without any group counts as much as very many classes.
    """
    held, chosen = _held(groups), set(validating)
    return int(_missing(held, np.array([each.group in chosen for each in groups])[None])[0])


def _held(groups: Sequence[GroupFacts]) -> NDArray[np.int64]:
    """``(group, class + 1)``: which classes a group holds; the last column stands for being there at all."""
    codes = sorted({code for each in groups for code in each.classes})
    return np.array([[*(code in each.classes for code in codes), True] for each in groups], dtype=np.int64)


def _missing(held: NDArray[np.int64], chosen: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Of several choices ``(choice, group)``, what each one lacks."""
    total, validate = held.sum(axis=0), chosen.astype(np.int64) @ held
    weight = np.array([1] * (held.shape[1] - 1) + [SIDES])
    lacks = (validate == total).astype(np.int64) + ((validate == 0) & (total > 1))
    return np.asarray(lacks @ weight, dtype=np.int64)


def validating_groups(groups: Sequence[GroupFacts], *, share: float, seed: int) -> frozenset[str]:
    """The groups that validate.

    Parameters
    ----------
    groups
        Groups outside the test, in any order.
    share
        Expected share of validating groups, 0 for none but those that a table fixed.
    seed
        Seed of the run.

    Returns
    -------
    frozenset
        Where at least two groups are there and the share is above 0, some group validates and some group trains,
        unless a table fixed it otherwise.
    """
    fixed = frozenset(each.group for each in groups if each.side == "validation")
    if share == 0 or len(groups) < 2:
        return fixed
    number = {each.group: drawn_number(each.group, seed=seed) for each in groups}
    ordered = sorted(groups, key=lambda each: (number[each.group], each.group))
    free = [each.group for each in ordered if not each.side]
    least = max(math.floor(share * len(groups) / 2), 1)
    most = min(max(math.ceil(share * len(groups) * 1.5), 1), len(groups) - 1)
    below = len(fixed) + sum(number[group] < share for group in free)
    chosen = {*fixed, *free[: max(min(max(below, least), most) - len(fixed), 0)]}
    places = [at for at, each in enumerate(ordered) if not each.side]
    # Those nearest to the share first: they are the ones that a slightly other share would have moved.
    places.sort(key=lambda at: (abs(number[ordered[at].group] - share), at))
    start = np.array([each.group in chosen for each in ordered])
    corrected = _corrected(_held(ordered), start, places=places, bounds=(least, most))
    return frozenset(each.group for each, validates in zip(ordered, corrected, strict=True) if validates)


def _corrected(
    held: NDArray[np.int64], chosen: NDArray[np.bool_], *, places: Sequence[int], bounds: tuple[int, int]
) -> NDArray[np.bool_]:
    """Change the side of one group, or of two together, as long as that leaves less missing."""
    missing = int(_missing(held, chosen[None])[0])
    while missing:
        for moves in (_single(places), _pairs(held, chosen, places)):
            better = _best(held, chosen, moves=moves, bounds=bounds)
            if better is not None and (found := int(_missing(held, better[None])[0])) < missing:
                chosen, missing = better, found
                break
        else:
            break
    return chosen


def _single(places: Sequence[int]) -> NDArray[np.int64]:
    return np.array(places, dtype=np.int64).reshape(-1, 1)


def _pairs(held: NDArray[np.int64], chosen: NDArray[np.bool_], places: Sequence[int]) -> NDArray[np.int64]:
    # One of the two must hold what is missing.
    total, validate = held.sum(axis=0), chosen.astype(np.int64) @ held
    wanted = (validate == total) | ((validate == 0) & (total > 1))
    first = [at for at in places if held[at][wanted].any()]
    pairs = [pair for pair in product(first, places) if pair[0] != pair[1]]
    return np.array(pairs, dtype=np.int64).reshape(-1, 2)


def _best(
    held: NDArray[np.int64], chosen: NDArray[np.bool_], *, moves: NDArray[np.int64], bounds: tuple[int, int]
) -> NDArray[np.bool_] | None:
    """The move after which least is missing; of equals one that keeps the number of groups, then the first."""
    if not len(moves):
        return None
    size = max(1, (1 << 22) // len(chosen))
    best: tuple[int, int, int] | None = None
    for start in range(0, len(moves), size):
        after = np.repeat(chosen[None], len(moves[start : start + size]), axis=0)
        np.logical_xor.at(after, (np.arange(len(after))[:, None], moves[start : start + size]), True)
        count = after.sum(axis=1)
        outside = (count < bounds[0]) | (count > bounds[1])
        score = 2 * _missing(held, after) + outside
        at = int(np.argmin(score))
        best = min(best or (int(score[at]), start, at), (int(score[at]), start, at))
    if best is None:
        return None
    changed = chosen.copy()
    changed[moves[best[1] + best[2]]] ^= True
    return changed
