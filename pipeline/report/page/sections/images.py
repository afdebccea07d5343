"""Section on images: what was left out, near-duplicates across splits, flags, images per split."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline.raw.table import leaking_pairs
from pipeline.report.measures.mismatches import Mismatch
from pipeline.report.page.facts import Facts
from pipeline.report.page.stains import Stained
from pipeline.report.page.tables.images import splits_table
from pipeline.report.store_notes import store_notes

__all__ = ["Rejection", "corrected_images", "flags", "flags_by_kind", "images_section", "leaks", "rejections"]

NUMBER = re.compile(r"\d[\d.,]*")


@dataclass(frozen=True, slots=True)
class Rejection:
    """Image that was left out."""

    image_id: str
    file: str
    reason: str


def rejections(table: pd.DataFrame) -> list[Rejection]:
    """Images that were left out, by id."""
    left_out = table[table["rejected"] != ""].sort_values("image_id").to_dict("records")
    return [Rejection(str(row["image_id"]), str(row.get("file", "") or ""), str(row["rejected"])) for row in left_out]


def leaks(table: pd.DataFrame) -> list[str]:
    """Near-duplicates in two splits or folds, in words."""
    folds = (f", fold {fold}" if fold >= 0 else "" for fold in table["fold"])
    place = {
        str(image): f"{image} ({split}{fold})"
        for image, split, fold in zip(table["image_id"], table["split"], folds, strict=True)
    }
    return [f"{place[first]} and {place[other]}" for first, other in leaking_pairs(table)]


def flags(
    normalized: Mapping[str, Path], stained: Iterable[Stained] = (), mismatched: Iterable[Mismatch] = ()
) -> list[tuple[str, str]]:
    """Flagged images: what a stage noted in a store or in stains, and truth in doubt; by id, each note once."""
    found = []
    for image, path in normalized.items():
        found += [(image, str(flag)) for flag in store_notes(path).get("flags", [])]
    found += [(each.image_id, flag) for each in stained for flag in each.stains.flags]
    found += [(each.image_id, flag) for each in mismatched for flag in each.flags]
    return sorted(dict.fromkeys(found), key=lambda pair: pair[0])


def flags_by_kind(found: Sequence[tuple[str, str]]) -> list[tuple[list[str], str]]:
    """Images of each kind of flag and its text, the most frequent first; texts that differ in numbers are of one kind.

    Examples
    --------
    >>> flags_by_kind([("a", "weak: 0.1"), ("b", "weak: 0.2"), ("b", "ink")])
    [(['a', 'b'], 'weak: 0.1'), (['b'], 'ink')]
    """
    kinds: dict[str, tuple[list[str], str]] = {}
    for image, text in found:
        images, _ = kinds.setdefault(NUMBER.sub("#", text), ([], text))
        images.append(image)
    return sorted(kinds.values(), key=lambda kind: -len(kind[0]))


def corrected_images(table: pd.DataFrame) -> list[str]:
    """Images whose truth is a correction, by id; a table without that column has none."""
    origin = table["truth_origin"] if "truth_origin" in table else pd.Series("", index=table.index)
    return sorted(table.loc[(origin == "correction") & (table["rejected"] == ""), "image_id"].astype(str))


def images_section(facts: Facts) -> dict[str, Any]:
    """Content of the section on images."""
    return {
        "images_total": len(facts.table),
        "rejections": rejections(facts.table),
        "leaks": leaks(facts.table),
        "flags": flags_by_kind(flags(facts.inputs.normalized, facts.stained, facts.mismatched)),
        "corrected": corrected_images(facts.table),
        "splits": splits_table(facts.table, facts.record),
    }
