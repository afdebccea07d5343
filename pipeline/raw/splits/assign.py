"""Patient split: train, validation and test by group. A table, a held-out centre and the official test come first.

The split of an image is fixed by the user's table, then by the held-out centre, then by the official test set. If none
of them defines a test set, it is drawn, as is the rest. A group with images fixed to two splits is refused. If only a
table lists some of its images, the others follow.
"""

from collections.abc import Collection, Mapping, Sequence
from difflib import get_close_matches
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pipeline.config import RawConfig
from pipeline.counts import first_names
from pipeline.errors import ConfigurationError, ManifestError, PipelineError
from pipeline.raw.datasets.entry import ImageEntry
from pipeline.raw.datasets.tables import dropped_zeros, lookup_column
from pipeline.raw.splits.folds import assign_folds
from pipeline.raw.splits.validation import GroupFacts, groups_to_test, validating_groups
from pipeline.words import LEARNED_SPLITS, SPLITS, TRUTH_SPLITS

__all__ = ["assign_splits", "check_splits", "given_splits"]

TABLE, CENTRE, OFFICIAL = "raw.splits_csv", "raw.holdout_centre", "the official test of the manifest"
TEST_SHARE, LEAST_TESTED = 0.2, 10
"""Default share of test groups, and the least number of groups for it, below which no interval is given."""
SHOWN = 10
"""Most images named in a message."""


def assign_splits(
    images: pd.DataFrame, *, codes: Sequence[str], config: RawConfig, seed: int, given: Mapping[str, str] | None = None
) -> pd.DataFrame:
    """Patient split of a table of images: its columns ``split`` and ``fold``.

    Parameters
    ----------
    images
        Columns image_id, group_id, centre, official_test, annotated, rejected, pixels_<CODE>.
    codes
        Class codes.
    config
        Validation and test shares, folds, and the held-out centre.
    seed
        Seed of the run.
    given
        Splits fixed by the user's table, image id → split. Rejected images are always left out.

    Raises
    ------
    ConfigurationError
        The table has an unknown image or split, or needs truth of an image without any; no image is from the centre;
        the table or the centre puts a group into two splits.
    ManifestError
        A group lies both in the official test set and outside it.
    """
    given = given or {}
    _check_table(images, given, where=str(config.splits_csv))
    _check_centre(images, config.holdout_centre)
    demands = [_demand(row, given=given, centre=config.holdout_centre) for row in images.to_dict("records")]
    side, reason = ([each[at] for each in demands] for at in (0, 1))
    demanded = images.assign(side=side, reason=reason)
    used = demanded[demanded["side"].isin(("", *TRUTH_SPLITS))]
    sides = {
        str(group): _side_of_group(str(group), part, table=config.splits_csv)
        for group, part in used.groupby("group_id")
    }
    sides |= dict.fromkeys(_testing(used, sides, codes=codes, config=config, seed=seed), "test")
    drawn = used[used["group_id"].map(sides) != "test"]
    facts = _facts(drawn, sides, codes=codes)
    validating = validating_groups(facts, share=config.validation_share, seed=seed)
    fold = assign_folds(facts, folds=config.folds, seed=seed)

    def split(group: str, demanded: str) -> str:
        if demanded in ("rejected", "predict"):
            return demanded
        return sides[group] or ("validation" if group in validating else "train")

    groups = images["group_id"].astype(str)
    splits = [split(group, each) for group, each in zip(groups, side, strict=True)]
    numbers = [fold[group] if each in LEARNED_SPLITS else -1 for group, each in zip(groups, splits, strict=True)]
    return images.assign(split=splits, fold=pd.array(numbers, dtype="int8"))


def _testing(
    used: pd.DataFrame, sides: Mapping[str, str], *, codes: Sequence[str], config: RawConfig, seed: int
) -> frozenset[str]:
    """Groups drawn for the test set; none if it is already defined."""
    share = config.test_share
    if share is None:
        share = TEST_SHARE if len(sides) >= LEAST_TESTED and config.splits_csv is None else 0.0
    if "test" in sides.values() or not share:
        return frozenset()
    return groups_to_test(_facts(used, sides, codes=codes), share=share, seed=seed)


def given_splits(config: RawConfig) -> dict[str, str]:
    """Splits fixed by the user's table, image id → split; empty without a table."""
    return lookup_column(Path(config.splits_csv), column="split") if config.splits_csv else {}


def check_splits(
    entries: Sequence[ImageEntry],
    *,
    codes: Sequence[str],
    config: RawConfig,
    seed: int,
    known: pd.DataFrame | None = None,
    unfit: Collection[str] = (),
) -> dict[str, str]:
    """Splits before a run, fixed by the table, the held-out centre and the official test set, or drawn.

    Parameters
    ----------
    entries
        All images. Those without a file are skipped if nothing is known, because groups and centres of phantoms come
        with their pixels.
    codes, config, seed
        As for ``assign_splits``.
    known
        Contents of images: columns image_id, rejected and pixels_<CODE>, and for phantoms group_id and centre.
    unfit
        Images that are known to be left out where the contents of the others are not known.

    Returns
    -------
    dict
        Image id → split. If nothing is known, every image counts as having every class, and a run may choose other
        groups for validation or test.

    Raises
    ------
    ConfigurationError, ManifestError
        As from ``assign_splits``.
    """
    facts = ("image_id", "centre", "official_test", "annotated")
    rows = [
        {**{name: getattr(entry, name) for name in facts}, "group_id": entry.group}
        for entry in entries
        if entry.image or known is not None
    ]
    if not rows:
        return {}
    frame = pd.DataFrame(rows)
    if known is None:  # Contents of the other images refuse nothing, so each gets every class.
        rejected = np.where(frame["image_id"].isin(list(unfit)), "left out", "")
        frame = frame.assign(rejected=rejected, **{f"pixels_{code}": 1 for code in codes})
    else:
        phantoms = any(entry.image is None for entry in entries)
        frame = frame.drop(columns=["group_id", "centre"]) if phantoms else frame
        frame = frame.merge(known[[name for name in known if name == "image_id" or name not in frame]], on="image_id")
    found = assign_splits(frame, codes=codes, config=config, seed=seed, given=given_splits(config))
    return dict(zip(found["image_id"].astype(str), found["split"].astype(str), strict=True))


def _demand(row: Mapping[Any, Any], *, given: Mapping[str, str], centre: str | None) -> tuple[str, str]:
    """The fixed split of an image, empty where it is free, and the source that fixes it."""
    if row["rejected"]:
        return "rejected", ""
    if row["image_id"] in given:
        return given[row["image_id"]], TABLE
    if not row["annotated"]:
        return "predict", ""
    if centre is not None and row["centre"] == centre:
        return "test", CENTRE
    return ("test", OFFICIAL) if row["official_test"] else ("", "")


def _facts(images: pd.DataFrame, sides: Mapping[str, str], *, codes: Sequence[str]) -> list[GroupFacts]:
    held = images.groupby("group_id")[[f"pixels_{code}" for code in codes]].max() > 0
    return [
        GroupFacts(
            str(group),
            frozenset(code for code, holds in zip(codes, row, strict=True) if holds),
            side=sides[str(group)],
        )
        for group, row in zip(held.index, held.to_numpy(), strict=True)
    ]


def _side_of_group(group: str, images: pd.DataFrame, *, table: str | None) -> str:
    """The fixed split of a group; empty where it is free."""
    demanded = images[images["side"] != ""]
    sides, reasons = set(demanded["side"]), set(demanded["reason"])
    stays = len(demanded) < len(images) and reasons - {TABLE}
    if len(sides) > 1 or (sides and stays):
        raise _leak(group, images, reasons=reasons, table=table)
    return next(iter(sides), "")


def _leak(group: str, images: pd.DataFrame, *, reasons: set[str], table: str | None) -> PipelineError:
    parts = []
    where = " and ".join(f"{each} ({table})" if each == TABLE else each for each in sorted(reasons))
    for side in sorted(set(images["side"])):
        part = images[images["side"] == side]
        names = part["image_id"].astype(str).tolist()
        parts.append(f"{side or 'not in the test'}: {first_names(names, most=SHOWN)}")
    configured = reasons & {TABLE, CENTRE}
    remedy = {
        TABLE: "Give all images of this patient the same split in the table.",
        CENTRE: "Hold out another centre, or fix the splits of this patient's images by raw.splits_csv.",
        OFFICIAL: "Correct the pattern or table of the groups, or the pattern of the test, in the manifest.",
    }[TABLE if TABLE in reasons else CENTRE if CENTRE in reasons else OFFICIAL]
    kind = ConfigurationError if configured else ManifestError
    return kind(
        f"Patient {group} would lie in two splits.",
        where=where,
        found="; ".join(parts),
        expected="all images of a patient on one side",
        remedy=remedy,
    )


def _check_table(images: pd.DataFrame, given: Mapping[str, str], *, where: str) -> None:
    unknown, unnamed = (sorted(a - b) for a, b in permutations((set(given), set(images["image_id"].astype(str)))))
    wrong = [f"unknown image {name}" for name in unknown]
    wrong += [f"{name}: {split!r}" for name, split in sorted(given.items()) if split not in SPLITS]
    plain = images[(images["rejected"] == "") & ~images["annotated"]]["image_id"]
    wrong += [
        f"{name}: {given[name]}, but nobody annotated it"
        for name in sorted(plain)
        if given.get(name, "predict") in TRUTH_SPLITS
    ]
    if wrong:
        raise ConfigurationError(
            "The table of splits does not fit.",
            where=where,
            found="; ".join(wrong[:SHOWN]),
            expected=f"ids of this data set, and {', '.join(SPLITS)}; images without truth only predict",
            remedy=f"{dropped_zeros(unknown, unnamed)}Correct these rows.",
        )


def _check_centre(images: pd.DataFrame, centre: str | None) -> None:
    known = sorted(set(images["centre"].astype(str)) - {""}) if centre is not None else []
    if centre is None or centre in known:
        return
    near = get_close_matches(centre, known, n=1, cutoff=0.0)
    raise ConfigurationError(
        "No image is from the centre that is to be held out.",
        where="raw.holdout_centre",
        found=centre,
        expected=f"one of {', '.join(known)}" if known else "a centre; no image of this data set names its own",
        remedy=f"Write {near[0]!r}." if near else "Say in the manifest how the centre is found, or set it to null.",
    )
