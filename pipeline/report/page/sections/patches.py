"""Section on patches: for each patch index its counts, plots, tables, contact sheet and patch maps."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline import stores
from pipeline.config.manifest import DatasetRecord
from pipeline.report.page.facts import Facts
from pipeline.report.page.tables.cells import Table, counted
from pipeline.report.page.tables.patches import all_tables, missed_sentence, notes_of, sampling_table
from pipeline.report.pictures import bars
from pipeline.report.pictures.index_pictures import MapShots, page_pictures
from pipeline.report.pictures.patch_sheet import drawn_for
from pipeline.report.pictures.store_pictures import Shot
from pipeline.words import TRUTH_SPLITS

__all__ = ["Sampling", "patches_section", "samplings"]

IMAGE_ROWS = 100
"""Images that the table of an index names."""


@dataclass(frozen=True, slots=True)
class Sampling:
    """Patch index as the page shows it."""

    name: str
    text: str
    shots: tuple[Shot, ...]
    notes: tuple[str, ...]
    table: Table
    """Counts."""
    more: tuple[Table, ...]
    sheet: Shot | None
    maps: tuple[MapShots, ...]


def _shares(frame: pd.DataFrame, record: DatasetRecord) -> pd.DataFrame:
    holds = pd.DataFrame({code: frame[f"pixels_{code}"] > 0 for code in record.codes})
    return holds.groupby(frame["split"].astype(str)).mean().T.reindex(record.codes)


def _drawn(frame: pd.DataFrame, record: DatasetRecord) -> pd.DataFrame:
    train = frame[(frame["split"] == "train") & ~frame["coverage"]]
    counts = drawn_for(train).value_counts()
    order = [*record.codes, *sorted(set(counts.index) - set(record.codes))]
    kept = [name for name in order if name in counts.index]
    return pd.DataFrame({"what": kept, "patches": [int(counts[name]) for name in kept]})


def _counts_text(frame: pd.DataFrame, summary: Mapping[str, Any], record: DatasetRecord) -> str:
    per_split, extra = frame["split"].astype(str).value_counts(), int(frame["coverage"].sum())
    text = ", ".join(f"{counted(per_split[split])} {split}" for split in TRUTH_SPLITS if split in per_split)
    added = (
        f"; {counted(extra)} {'was' if extra == 1 else 'were'} added to cover every region of the truth"
        if extra
        else ""
    )
    return f"{text} {'patch' if len(frame) == 1 else 'patches'}{added}{missed_sentence(summary, record)}"


def _plots(frame: pd.DataFrame, record: DatasetRecord, *, folder: Path, name: str) -> tuple[Shot, ...]:
    drawn, shots = _drawn(frame, record), []
    if len(drawn):
        shots.append(bars.drawn_counts(drawn, record, folder=folder, name=f"patches.{name}.drawn"))
    shots.append(bars.patch_shares(_shares(frame, record), folder=folder, name=f"patches.{name}.shares"))
    return tuple(shots)


def samplings(
    indexes: Mapping[str, Path],
    record: DatasetRecord,
    *,
    normalized: Mapping[str, Path],
    folder: Path,
    most: int,
    side: int,
) -> list[Sampling]:
    """Patch indexes: counts, as plots and tables, a sheet of patches, and maps of at most ``most`` images."""
    parts = []
    for name, path in sorted(indexes.items()):
        frame, summary = stores.read_table(path), stores.table_metadata(path).get("summary") or {}
        shots = _plots(frame, record, folder=folder, name=name)
        sheet, maps = page_pictures(
            frame, record, name=name, normalized=normalized, folder=folder, most=most, side=side
        )
        counts, more = sampling_table(frame, record), all_tables(frame, summary, record, most=IMAGE_ROWS)
        text = _counts_text(frame, summary, record)
        parts.append(Sampling(name, text, shots, notes_of(summary), counts, tuple(more), sheet, maps))
    return parts


def patches_section(facts: Facts) -> dict[str, Any]:
    """Content of the section on patches, its pictures written."""
    found = samplings(
        facts.inputs.indexes,
        facts.record,
        normalized=facts.inputs.normalized,
        folder=facts.folder,
        most=facts.config.images,
        side=facts.config.picture_side * 2 // 3,
    )
    return {"samplings": found}
