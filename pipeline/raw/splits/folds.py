"""Cross-validation folds by patient: equal numbers of groups, rare classes spread, few groups moved by new ones.

Each group has an independently drawn favourite fold. Among the groups with the same rarest class, folds with too many
candidates give away those with the least loss. So a new group moves few others: of 100 groups in 5 folds about two.
Assigning them in turn would move half of them.
"""

from collections.abc import Sequence

import numpy as np

from pipeline.raw.splits.validation import GroupFacts
from pipeline.seeds import stream

__all__ = ["assign_folds"]


def _strata(groups: Sequence[GroupFacts]) -> list[list[str]]:
    """Groups by the rarest class that at least two groups have, the rarest first; then groups without such a class."""
    holders = {code: sum(code in each.classes for each in groups) for each in groups for code in each.classes}
    codes = sorted((code for code, count in holders.items() if count > 1), key=lambda code: (holders[code], code))
    rank = {code: at for at, code in enumerate(codes)}
    strata: list[list[str]] = [[] for _ in range(len(codes) + 1)]
    for each in sorted(groups, key=lambda each: each.group):
        strata[min((rank.get(code, len(rank)) for code in each.classes), default=len(rank))].append(each.group)
    return [stratum for stratum in strata if stratum]


def assign_folds(groups: Sequence[GroupFacts], *, folds: int, seed: int) -> dict[str, int]:
    """Cross-validation fold of each group.

    Parameters
    ----------
    groups
        Groups outside the test, in any order.
    folds
        How many; 0 for none.
    seed
        Seed of the run.

    Returns
    -------
    dict
        Group → fold, −1 without folds. The numbers of groups in any two folds differ by at most one, also among the
        groups with the same rarest class.
    """
    if folds == 0:
        return {each.group: -1 for each in groups}
    found: dict[str, int] = {}
    total = np.zeros(folds, dtype=np.int64)
    for stratum in _strata(groups):
        placed = _placed(stratum, total, seed=seed)
        found |= placed
        total += np.bincount(list(placed.values()), minlength=folds)
    return found


def _placed(groups: Sequence[str], total: np.ndarray, *, seed: int) -> dict[str, int]:
    folds = len(total)
    liking = np.array([stream(seed, "raw", "fold", group).random(folds) for group in groups])
    fold = liking.argmax(axis=1)
    count = np.bincount(fold, minlength=folds)
    # Remaining places go to the folds with the fewest groups so far, among these to the most wanted.
    order = np.lexsort((np.arange(folds), -count, total))
    room = np.full(folds, len(groups) // folds)
    room[order[: len(groups) % folds]] += 1
    while (count > room).any():
        loss = liking[np.arange(len(groups)), fold][:, None] - liking
        loss[~(count > room)[fold]] = np.inf
        loss[:, count >= room] = np.inf
        at, target = np.unravel_index(int(loss.argmin()), loss.shape)
        count[fold[at]] -= 1
        count[target] += 1
        fold[at] = target
    return {group: int(each) for group, each in zip(groups, fold, strict=True)}
