"""Splits before a run: exact if the classes in the images are known, else approximate."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline.config import depends
from pipeline.config.run import DatasetRun
from pipeline.errors import StoreError
from pipeline.raw.data_warnings import DataWarning, class_split_warnings
from pipeline.raw.datasets.changed_files import ImageInputs
from pipeline.raw.datasets.entry import ImageEntry
from pipeline.raw.splits.assign import check_splits, given_splits
from pipeline.stores import read_table, table_metadata
from pipeline.stores.provenance import file_digest

__all__ = ["ExpectedSplits", "expected_splits"]


@dataclass(frozen=True, slots=True)
class ExpectedSplits:
    """Splits that a run is expected to draw."""

    splits: Mapping[str, str]
    """Image id → split; empty where nothing is known yet."""
    exact: bool
    """Whether the run will draw exactly these, which depend on the classes in the images."""
    rejected: Mapping[str, str] = field(default_factory=dict)
    """Image id → why stage raw, which read these very files, left it out."""
    known: pd.DataFrame | None = None
    """Columns image_id and pixels_<CODE>; None where the truth of some image is not known."""

    def class_warnings(self) -> list[DataWarning]:
        """Warnings of classes without truth in validation images, for models without folds; none where truth is not known."""
        if self.known is None:
            return []
        return class_split_warnings(self.known.assign(split=self.known["image_id"].astype(str).map(self.splits)))


def expected_splits(
    run: DatasetRun,
    entries: Sequence[ImageEntry],
    sheets: Sequence[Mapping[str, Any]],
    *,
    results: Path,
    unfit: frozenset[str] = frozenset(),
) -> ExpectedSplits:
    """Splits from the table of stage raw, if made from these files; else from decoded truth; else as for equal images.

    Parameters
    ----------
    run
        The data set.
    entries
        Its images.
    sheets
        Parts of fact sheets, from decoded truth.
    results
        Folder of all results.
    unfit
        Images that would be left out because of their headers.

    Raises
    ------
    ConfigurationError, ManifestError
        As from ``assign_splits``.
    """
    codes = run.record.codes
    known = _of_raw(run, entries, results=results)
    rejected = (
        {} if known is None else dict(zip(known["image_id"].astype(str), known["rejected"].astype(str), strict=True))
    )
    known = _of_truth(entries, sheets, codes=codes, unfit=unfit) if known is None else known
    config, left_out = run.config.raw, {*unfit, *(sheet["image_id"] for sheet in sheets if sheet.get("rejected"))}
    splits = check_splits(entries, codes=codes, config=config, seed=run.config.seed, known=known, unfit=left_out)
    given = given_splits(run.config.raw).keys()
    return ExpectedSplits(
        splits,
        known is not None or all(each.image_id in given for each in entries if each.annotated),
        {image: reason for image, reason in rejected.items() if reason},
        known,
    )


def _of_raw(run: DatasetRun, entries: Sequence[ImageEntry], *, results: Path) -> pd.DataFrame | None:
    """Facts in the table of stage raw; None if it is missing or of other images, files or facts."""
    path = results / run.entry / "raw" / "images.parquet"
    try:
        notes = table_metadata(path).get("provenance", {}) if path.is_file() else {}
        frame = read_table(path) if notes else pd.DataFrame({"image_id": []})
    except StoreError:
        return None  # The run makes it anew.
    record = notes.get("config", {}).get("record")
    if record != depends.raw_images(run)["record"] or {*frame["image_id"]} != {each.image_id for each in entries}:
        return None
    sheets, made_of = path.parent, notes.get("inputs", {})
    for entry in entries:
        sheet = sheets / f"{entry.image_id}.json"
        if not sheet.is_file() or made_of.get(entry.image_id) != file_digest(sheet):
            return None
        if not ImageInputs(entry, results=results, dataset=run.entry).as_read():
            return None
    counts = [f"pixels_{code}" for code in run.record.codes]
    return frame[["image_id", "group_id", "centre", "rejected", *counts]]


def _of_truth(
    entries: Sequence[ImageEntry], sheets: Sequence[Mapping[str, Any]], *, codes: Sequence[str], unfit: frozenset[str]
) -> pd.DataFrame | None:
    """Facts of decoded truth; None if the truth of some annotated image was not decoded."""
    decoded = {sheet["image_id"]: sheet for sheet in sheets}
    if any(each.image is None for each in entries):
        return None
    annotated = [each for each in entries if each.annotated and (each.masks or each.label or each.annotations)]
    if any(each.image_id not in decoded for each in annotated):
        return None
    rows = []
    for entry in entries:
        sheet = decoded.get(entry.image_id, {"rejected": "", "pixels": {}})
        rejected = sheet["rejected"] or ("by its header" if entry.image_id in unfit else "")
        counts = {f"pixels_{code}": sheet["pixels"].get(code, -1) for code in codes}
        rows.append({"image_id": entry.image_id, "rejected": rejected, **counts})
    return pd.DataFrame(rows)
