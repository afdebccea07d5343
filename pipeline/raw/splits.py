"""Which images train, validate and test? By group, official test kept, each class on both sides where possible.

A group validates where a number drawn for it (and for nothing else) is below the validation share, so adding images
moves no other group. Two corrections serve small data sets, and only they can move a group when images are added: the
number of validating groups is kept between half and one and a half times the share, and each class that two groups
hold gets at least one on either side, from the rarest class on.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from pipeline.errors import ManifestError, explain
from pipeline.seeds import stream

__all__ = ["SPLITS", "GroupFacts", "assign_folds", "assign_splits", "fixed_splits", "validating_groups"]

SPLITS = ("train", "validation", "test", "predict")


@dataclass(frozen=True, slots=True)
class GroupFacts:
    """What the splits depend on."""

    group: str
    """Patient."""
    classes: frozenset[str]
    """Codes that occur in any image of the group."""


def _number(group: str, *, seed: int) -> float:
    return float(stream(seed, "raw", "split", group).random())


def _rarest_first(groups: Sequence[GroupFacts]) -> list[str]:
    holders = {code: sum(code in each.classes for each in groups) for each in groups for code in each.classes}
    return sorted((code for code, count in holders.items() if count > 1), key=lambda code: (holders[code], code))


def validating_groups(groups: Sequence[GroupFacts], *, share: float, seed: int) -> frozenset[str]:
    """The groups that validate.

    Parameters
    ----------
    groups
        Groups outside the official test, in any order.
    share
        Expected share of validating groups, 0 for none.
    seed
        Seed of the run.

    Returns
    -------
    frozenset
        Empty for share 0 or fewer than two groups; otherwise at least one group validates and one trains.
    """
    if share == 0 or len(groups) < 2:
        return frozenset()
    ordered = sorted(groups, key=lambda each: (_number(each.group, seed=seed), each.group))
    below = sum(_number(each.group, seed=seed) < share for each in ordered)
    least = max(math.floor(share * len(ordered) / 2), 1)
    most = min(max(math.ceil(share * len(ordered) * 1.5), 1), len(ordered) - 1)
    chosen = {each.group for each in ordered[: min(max(below, least), most)]}
    for code in _rarest_first(ordered):
        holders = [each.group for each in ordered if code in each.classes]
        if not chosen.intersection(holders):
            chosen.add(holders[0])
        elif chosen.issuperset(holders):
            chosen.remove(holders[-1])
    return frozenset(chosen) if len(chosen) < len(ordered) else frozenset(chosen - {ordered[-1].group})


def assign_folds(groups: Sequence[GroupFacts], *, folds: int, seed: int) -> dict[str, int]:
    """The validation fold of each group: groups that hold the rarest classes are dealt out first, then the others."""
    if folds == 0:
        return {each.group: -1 for each in groups}
    rank = {code: at for at, code in enumerate(_rarest_first(groups))}
    ordered = sorted(
        groups,
        key=lambda each: (
            min((rank.get(code, len(rank)) for code in each.classes), default=len(rank)),
            _number(each.group, seed=seed),
            each.group,
        ),
    )
    return {each.group: at % folds for at, each in enumerate(ordered)}


def assign_splits(images: pd.DataFrame, *, codes: Sequence[str], share: float, folds: int, seed: int) -> pd.DataFrame:
    """Columns ``split`` and ``fold`` for a table of images.

    Parameters
    ----------
    images
        Columns image_id, group_id, official_test, annotated, rejected, pixels_<CODE>.
    codes
        Class codes.
    share
        Validation share.
    folds
        Number of folds, 0 for none.
    seed
        Seed of the run.

    Raises
    ------
    ManifestError
        A group that lies in the official test and outside it.
    """
    usable = images[(images["rejected"] == "") & images["annotated"]]
    _refuse_leaks(usable)
    columns = [f"pixels_{code}" for code in codes]
    present = usable[~usable["official_test"]].groupby("group_id")[columns].max() > 0
    facts = [
        GroupFacts(str(group), frozenset(code for code, held in zip(codes, row, strict=True) if held))
        for group, row in zip(present.index, present.to_numpy(), strict=True)
    ]
    validating, fold = validating_groups(facts, share=share, seed=seed), assign_folds(facts, folds=folds, seed=seed)

    def split(row: "pd.Series[Any]") -> str:
        if row["rejected"]:
            return "rejected"
        if not row["annotated"]:
            return "predict"
        if row["official_test"]:
            return "test"
        return "validation" if row["group_id"] in validating else "train"

    splits = [split(row) for _, row in images.iterrows()]
    numbers = [
        fold.get(str(group), -1) if each in ("train", "validation") else -1
        for group, each in zip(images["group_id"], splits, strict=True)
    ]
    return images.assign(split=splits, fold=pd.array(numbers, dtype="int8"))


def _refuse_leaks(usable: pd.DataFrame) -> None:
    sides = usable.groupby("group_id")["official_test"].nunique()
    both = sides[sides > 1].index.tolist()
    if both:
        raise ManifestError(
            explain("A patient lies in the official test and outside it.", where="raw/images.parquet, group_id",
                    found=", ".join(map(str, both)), expected="each group on one side",
                    remedy="Correct the pattern or table of the groups, or the pattern of the test, in the manifest.")
        )  # fmt: skip


def fixed_splits(images: pd.DataFrame, *, given: Mapping[str, str], where: str) -> pd.DataFrame:
    """The same, with splits that a user gave for some or all images.

    Raises
    ------
    ManifestError
        An unknown image or split, truth demanded of an image that has none, or a group in two splits.
    """
    unknown = sorted(set(given) - set(images["image_id"]))
    wrong = sorted({name for name in given.values() if name not in SPLITS})
    if unknown or wrong:
        raise ManifestError(
            explain("The table of splits does not fit.", where=where, found=", ".join((unknown + wrong)[:10]),
                    expected=f"ids of this data set and splits {', '.join(SPLITS)}", remedy="Correct these rows.")
        )  # fmt: skip
    wish = images["image_id"].map(given).fillna("")
    free = (images["split"] != "rejected") & (wish != "") & (images["annotated"] | (wish == "predict"))
    result = images.assign(split=images["split"].where(~free, wish))
    used = result[result["split"].isin(("train", "validation", "test"))]
    straddling = used.groupby("group_id")["split"].nunique()
    both = straddling[straddling > 1].index.tolist()
    if both:
        raise ManifestError(
            explain("A patient would lie in two splits.", where=where, found=", ".join(map(str, both[:10])),
                    expected="each group in one split", remedy="Give all images of a patient the same split.")
        )  # fmt: skip
    return result
