"""Validation groups of the patient split: drawn for each group on its own, then corrected by class.

A group validates where a number drawn for it alone is below the validation share, so adding images moves no other
group. Two corrections serve small data sets, and only they can move a group when images are added. The number of
validating groups is kept between half and one and a half times the share. And groups change sides until each class
trains, and validates too where two groups hold it.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, product

import numpy as np
from numpy.typing import NDArray

from pipeline.seeds import stream

__all__ = ["GroupFacts", "drawn_number", "validating_groups"]

SIDES = 1000
"""What an empty side weighs against a class that is missing on one."""
FEW = 12
"""Groups of which every choice is tried."""
MOST_TRIED, MOST_PAIRED = 2000, 100
"""Groups, nearest to the share first, that may change sides alone, and two at a time."""
MOST_FLAGS = 1 << 22
"""Sides of groups that are held at a time while moves are compared."""


@dataclass(frozen=True, slots=True)
class GroupFacts:
    """Facts of a group that the patient split depends on."""

    group: str
    """Patient."""
    classes: frozenset[str]
    """Codes that occur in any image of the group."""
    side: str = ""
    """``train`` or ``validation`` where a table fixed it; empty where it is to be drawn."""


def drawn_number(group: str, *, seed: int) -> float:
    """Random number in [0, 1) that belongs to a group."""
    return float(stream(seed, "raw", "split", group).random())


def _held(groups: Sequence[GroupFacts]) -> NDArray[np.int64]:
    """``(group, class + 1)``: which classes a group holds; the last column stands for being there at all."""
    codes = sorted({code for each in groups for code in each.classes})
    return np.array([[*(code in each.classes for code in codes), True] for each in groups], dtype=np.int64)


def _missing(held: NDArray[np.int64], chosen: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Score of each choice ``(choice, group)``, 0 is best.

    It counts classes that do not train, and classes that two groups hold and that do not validate. A side without any
    group counts as much as very many classes.
    """
    total, validate = held.sum(axis=0), chosen.astype(np.int64) @ held
    weight = np.array([1] * (held.shape[1] - 1) + [SIDES])
    lacks = (validate == total).astype(np.int64) + ((validate == 0) & (total > 1))
    return np.asarray(lacks @ weight, dtype=np.int64)


def validating_groups(groups: Sequence[GroupFacts], *, share: float, seed: int) -> frozenset[str]:
    """Validation groups of the patient split.

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
    """Let groups change sides as long as that leaves less missing.

    Of few groups those fewest that leave least; else one at a time, or two where one would leave the bounds of the
    number of groups.
    """
    score = int(_score(held, chosen[None], bounds=bounds)[0])
    while score > 1:
        best, after = score, chosen
        ways = (_every,) if len(places) <= FEW else (_single, _pairs)
        for way in ways:
            found, changed = _best(held, chosen, moves=way(held, chosen, places), bounds=bounds)
            if found < best:
                best, after = found, changed
            if best % 2 == 0 and best < score:
                break
        if best == score:
            break
        score, chosen = best, after
    return chosen


def _score(held: NDArray[np.int64], chosen: NDArray[np.bool_], *, bounds: tuple[int, int]) -> NDArray[np.int64]:
    """Score of each choice ``(choice, group)``: what it lacks; odd where the number of groups is outside the bounds."""
    count = chosen.sum(axis=1)
    outside = (count < bounds[0]) | (count > bounds[1])
    return np.asarray(2 * _missing(held, chosen) + outside, dtype=np.int64)


def _flags(moves: Sequence[Sequence[int]], count: int) -> NDArray[np.bool_]:
    """``(move, group)``: which groups change sides."""
    found = np.zeros((len(moves), count), dtype=bool)
    for row, move in zip(found, moves, strict=True):
        row[list(move)] = True
    return found


def _every(held: NDArray[np.int64], chosen: NDArray[np.bool_], places: Sequence[int]) -> NDArray[np.bool_]:
    del held
    sizes = range(1, len(places) + 1)
    return _flags([move for size in sizes for move in combinations(places, size)], len(chosen))


def _useful(held: NDArray[np.int64], chosen: NDArray[np.bool_], places: Sequence[int]) -> list[int]:
    """Places that hold what is missing; of one move, or of two together, one must be among them."""
    total, validate = held.sum(axis=0), chosen.astype(np.int64) @ held
    wanted = (validate == total) | ((validate == 0) & (total > 1))
    return [at for at in places if held[at][wanted].any()]


def _single(held: NDArray[np.int64], chosen: NDArray[np.bool_], places: Sequence[int]) -> NDArray[np.bool_]:
    return _flags([(place,) for place in _useful(held, chosen, places)[:MOST_TRIED]], len(chosen))


def _pairs(held: NDArray[np.int64], chosen: NDArray[np.bool_], places: Sequence[int]) -> NDArray[np.bool_]:
    first, second = _useful(held, chosen, places)[:MOST_PAIRED], places[:MOST_PAIRED]
    return _flags([pair for pair in product(first, second) if pair[0] != pair[1]], len(chosen))


def _best(
    held: NDArray[np.int64], chosen: NDArray[np.bool_], *, moves: NDArray[np.bool_], bounds: tuple[int, int]
) -> tuple[int, NDArray[np.bool_]]:
    """The first of the moves ``(move, group)`` after which the score is lowest: that score, and the choice."""
    best, choice = SIDES**2, chosen
    size = max(1, MOST_FLAGS // len(chosen))
    for start in range(0, len(moves), size):
        after = moves[start : start + size] ^ chosen
        score = _score(held, after, bounds=bounds)
        at = int(score.argmin())
        if score[at] < best:
            best, choice = int(score[at]), after[at]
    return best, choice
