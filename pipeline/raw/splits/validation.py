"""Validation and test groups of the patient split: drawn independently for each group, then corrected by class.

Each group draws its own number, and the groups with the lowest numbers validate, as many as come nearest to the
configured share. So adding images to known groups moves none, and a new group moves at most one other. Then groups
change sides until each class is in training, and in validation too if two groups have it, with the same number of
groups or as close as possible.
"""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations, product

import numpy as np
from numpy.typing import NDArray

from pipeline.seeds import stream

__all__ = ["GroupFacts", "drawn_number", "groups_to_test", "nearest_count", "validating_groups"]

SIDES = 1000
"""Weight of an empty side relative to a class missing on one side."""
SIDED = 3
"""Least number of groups with a class for it to be in training, validation and test."""
FEW = 12
"""Most groups for which every choice is tried."""
MOST_TRIED, MOST_PAIRED = 2000, 100
"""Numbers of groups, nearest to the share first, that may change sides singly, and in pairs."""
LACK = 1 << 16
"""Weight of a missing class relative to one group too many or too few."""
MOST_FLAGS = 1 << 22
"""Sides of groups in memory at a time while moves are compared."""


@dataclass(frozen=True, slots=True)
class GroupFacts:
    """Facts of a group that the patient split depends on."""

    group: str
    """Patient."""
    classes: frozenset[str]
    """Codes that occur in any image of the group."""
    side: str = ""
    """``train`` or ``validation`` if fixed by a table; empty if drawn."""


def drawn_number(group: str, *, seed: int, part: str = "split") -> float:
    """Random number in [0, 1) of a group, different for each drawn part."""
    return float(stream(seed, "raw", part, group).random())


def nearest_count(share: float, total: int) -> int:
    """Number of groups nearest to a share, at least one on each side; halves are rounded up.

    Examples
    --------
    >>> [nearest_count(0.2, total) for total in (2, 6, 8, 12)]
    [1, 1, 2, 2]
    """
    return min(max(math.floor(share * total + 0.5), 1), total - 1)


def groups_to_test(groups: Sequence[GroupFacts], *, share: float, seed: int) -> frozenset[str]:
    """Test groups of the patient split, where nothing else defines them.

    A class must be in the test set only if three groups have it, because training and validation come first.

    Parameters
    ----------
    groups
        Groups with truth; those fixed by a table are not drawn.
    share
        Share of test groups, 0 for none.
    seed
        Seed of the run.
    """
    counts = Counter(code for each in groups for code in each.classes)
    common = frozenset(code for code, count in counts.items() if count >= SIDED)
    asked = [replace(each, classes=each.classes & common, side="train" if each.side else "") for each in groups]
    return validating_groups(asked, share=share, seed=seed, part="test", left=2)


@dataclass(frozen=True, slots=True)
class _Aim:
    """Aim for a choice of groups."""

    wanted: int
    """Groups that validate."""
    left: int
    """Least number of groups of each class on the other side."""


def _held(groups: Sequence[GroupFacts]) -> NDArray[np.int64]:
    """``(group, class + 1)``: which classes a group holds; the last column stands for being there at all."""
    codes = sorted({code for each in groups for code in each.classes})
    return np.array([[*(code in each.classes for code in codes), True] for each in groups], dtype=np.int64)


def _missing(held: NDArray[np.int64], chosen: NDArray[np.bool_], *, left: int) -> NDArray[np.int64]:
    """Score of each choice ``(choice, group)``, 0 is best.

    It counts classes with fewer than ``left`` training groups, and classes of two or more groups that are not in
    validation. An empty side counts as much as very many classes.
    """
    total, validate = held.sum(axis=0), chosen.astype(np.int64) @ held
    weight = np.array([1] * (held.shape[1] - 1) + [SIDES])
    lacks = (total - validate < np.minimum(total, left)).astype(np.int64) + ((validate == 0) & (total > 1))
    return np.asarray(lacks @ weight, dtype=np.int64)


def validating_groups(
    groups: Sequence[GroupFacts], *, share: float, seed: int, part: str = "split", left: int = 1
) -> frozenset[str]:
    """Validation groups of the patient split.

    Parameters
    ----------
    groups
        Groups outside the test, in any order.
    share
        Share of validation groups; with 0 only those fixed by a table.
    seed
        Seed of the run.
    part
        Address of the numbers.
    left
        Least number of groups of each class outside validation, if it has that many.

    Returns
    -------
    frozenset
        With at least two groups and a share above 0, some group validates and some group trains, unless a table fixes
        it otherwise.
    """
    fixed = frozenset(each.group for each in groups if each.side == "validation")
    if share == 0 or len(groups) < 2:
        return fixed
    number = {each.group: drawn_number(each.group, seed=seed, part=part) for each in groups}
    ordered = sorted(groups, key=lambda each: (number[each.group], each.group))
    free = [each.group for each in ordered if not each.side]
    wanted = nearest_count(share, len(groups))
    chosen = {*fixed, *free[: max(wanted - len(fixed), 0)]}
    places = [at for at, each in enumerate(ordered) if not each.side]
    # Those nearest to the share first, because a slightly different share would have moved them.
    places.sort(key=lambda at: (abs(number[ordered[at].group] - share), at))
    start = np.array([each.group in chosen for each in ordered])
    corrected = _corrected(_held(ordered), start, places=places, aim=_Aim(wanted, left))
    return frozenset(each.group for each, validates in zip(ordered, corrected, strict=True) if validates)


def _corrected(
    held: NDArray[np.int64], chosen: NDArray[np.bool_], *, places: Sequence[int], aim: _Aim
) -> NDArray[np.bool_]:
    """Let groups change sides as long as fewer classes are missing, then as long as their number gets closer to the target.

    With few groups the smallest best set changes sides; else one at a time, or two where one would give a wrong number
    of groups.
    """
    score = int(_score(held, chosen[None], aim=aim)[0])
    while score >= LACK:
        best, after = score, chosen
        ways = (_every,) if len(places) <= FEW else (_single, _pairs)
        for way in ways:
            found, changed = _best(held, chosen, moves=way(held, chosen, places, aim), aim=aim)
            if found < best:
                best, after = found, changed
            if best % LACK == 0 and best < score:
                break
        if best == score:
            break
        score, chosen = best, after
    return _recounted(held, chosen, places=places, aim=aim)


def _recounted(
    held: NDArray[np.int64], chosen: NDArray[np.bool_], *, places: Sequence[int], aim: _Aim
) -> NDArray[np.bool_]:
    score = int(_score(held, chosen[None], aim=aim)[0])
    while score % LACK:
        moves = _flags([(place,) for place in places[:MOST_TRIED]], len(chosen))
        best, after = _best(held, chosen, moves=moves, aim=aim)
        if best >= score:
            break
        score, chosen = best, after
    return chosen


def _score(held: NDArray[np.int64], chosen: NDArray[np.bool_], *, aim: _Aim) -> NDArray[np.int64]:
    """Score of each choice ``(choice, group)``: missing classes, then the error in the number of groups."""
    away = np.minimum(np.abs(chosen.sum(axis=1) - aim.wanted), LACK - 1)
    return np.asarray(LACK * _missing(held, chosen, left=aim.left) + away, dtype=np.int64)


def _flags(moves: Sequence[Sequence[int]], count: int) -> NDArray[np.bool_]:
    """``(move, group)``: which groups change sides."""
    found = np.zeros((len(moves), count), dtype=bool)
    for row, move in zip(found, moves, strict=True):
        row[list(move)] = True
    return found


def _every(held: NDArray[np.int64], chosen: NDArray[np.bool_], places: Sequence[int], aim: _Aim) -> NDArray[np.bool_]:
    del held, aim
    sizes = range(1, len(places) + 1)
    return _flags([move for size in sizes for move in combinations(places, size)], len(chosen))


def _useful(held: NDArray[np.int64], chosen: NDArray[np.bool_], places: Sequence[int], aim: _Aim) -> list[int]:
    """Groups with a missing class; a single move, or one of a pair, must be among them."""
    total, validate = held.sum(axis=0), chosen.astype(np.int64) @ held
    wanted = (total - validate < np.minimum(total, aim.left)) | ((validate == 0) & (total > 1))
    return [at for at in places if held[at][wanted].any()]


def _single(held: NDArray[np.int64], chosen: NDArray[np.bool_], places: Sequence[int], aim: _Aim) -> NDArray[np.bool_]:
    return _flags([(place,) for place in _useful(held, chosen, places, aim)[:MOST_TRIED]], len(chosen))


def _pairs(held: NDArray[np.int64], chosen: NDArray[np.bool_], places: Sequence[int], aim: _Aim) -> NDArray[np.bool_]:
    first, second = _useful(held, chosen, places, aim)[:MOST_PAIRED], places[:MOST_PAIRED]
    return _flags([pair for pair in product(first, second) if pair[0] != pair[1]], len(chosen))


def _best(
    held: NDArray[np.int64], chosen: NDArray[np.bool_], *, moves: NDArray[np.bool_], aim: _Aim
) -> tuple[int, NDArray[np.bool_]]:
    """The first of the moves ``(move, group)`` after which the score is lowest: that score, and the choice."""
    best, choice = LACK * SIDES**2, chosen
    size = max(1, MOST_FLAGS // len(chosen))
    for start in range(0, len(moves), size):
        after = moves[start : start + size] ^ chosen
        score = _score(held, after, aim=aim)
        at = int(score.argmin())
        if score[at] < best:
            best, choice = int(score[at]), after[at]
    return best, choice
