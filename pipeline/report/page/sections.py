"""Sections of the page on images, patches, training and metrics: plain records for the template."""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline import stores
from pipeline.config.manifest import DatasetRecord
from pipeline.raw.table import leaking_pairs
from pipeline.report.measures.summary import OVER_CLASSES, OVER_LESIONS, average_of
from pipeline.report.page.patch_tables import all_tables, missed_sentence, notes_of
from pipeline.report.page.stains import Stained
from pipeline.report.page.tables import Table, averages_table, classes_table, counted, sampling_table
from pipeline.report.paths import Result
from pipeline.report.pictures import figures
from pipeline.report.pictures.index_pictures import MapShots, page_pictures
from pipeline.report.pictures.store_pictures import Shot
from pipeline.words import TRUTH_SPLITS

__all__ = [
    "Choice",
    "Measured",
    "Part",
    "Rejection",
    "choose",
    "flags",
    "leaks",
    "measured",
    "models",
    "rejections",
    "samplings",
    "summaries_of",
]

SHOWN = ("test", "validation")
IMAGE_ROWS = 100
"""Images that the table of an index names."""


@dataclass(frozen=True, slots=True)
class Rejection:
    """Image that was left out."""

    image_id: str
    file: str
    reason: str


@dataclass(frozen=True, slots=True)
class Part:
    """Content on a sampling or a model."""

    name: str
    text: str
    shots: tuple[Shot, ...]
    notes: tuple[str, ...] = ()
    table: Table | None = None
    more: tuple[Table, ...] = ()
    sheet: Shot | None = None
    maps: tuple[MapShots, ...] = ()


@dataclass(frozen=True, slots=True)
class Measured:
    """Metrics of the shown result on one split."""

    split: str
    classes: Table
    averages: Table
    shots: tuple[Shot, ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """Result that the page shows in full."""

    result: Result
    reason: str
    average: str
    """The average that it was chosen by."""


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


def flags(normalized: Mapping[str, Path], stained: Iterable[Stained] = ()) -> list[tuple[str, str]]:
    """Flagged images: what a stage noted in a store or in stains; by id, each note once."""
    found = []
    for image, path in normalized.items():
        notes: Any = dict(stores.open_group(path).attrs).get("lesionmap", {})
        found += [(image, str(flag)) for flag in notes.get("flags", [])]
    found += [(each.image_id, flag) for each in stained for flag in each.stains.flags]
    return sorted(dict.fromkeys(found), key=lambda pair: pair[0])


def _shares(frame: pd.DataFrame, record: DatasetRecord) -> pd.DataFrame:
    holds = pd.DataFrame({code: frame[f"pixels_{code}"] > 0 for code in record.codes})
    return holds.groupby(frame["split"].astype(str)).mean().T.reindex(record.codes)


def _drawn(frame: pd.DataFrame, record: DatasetRecord) -> pd.DataFrame:
    train = frame[(frame["split"] == "train") & ~frame["coverage"]]
    what = train["target_class"].astype(object).where(train["target_class"].notna(), "grid").astype(str)
    counts = what.value_counts()
    order = [*record.codes, *sorted(set(counts.index) - set(record.codes))]
    kept = [name for name in order if name in counts.index]
    return pd.DataFrame({"what": kept, "patches": [int(counts[name]) for name in kept]})


def samplings(
    indexes: Mapping[str, Path],
    record: DatasetRecord,
    *,
    normalized: Mapping[str, Path],
    folder: Path,
    most: int,
    side: int,
) -> list[Part]:
    """Patch indexes: counts, as plots and tables, a sheet of patches, and maps of at most ``most`` images."""
    parts = []
    for name, path in sorted(indexes.items()):
        frame, summary, shots = stores.read_table(path), stores.table_metadata(path).get("summary") or {}, []
        drawn = _drawn(frame, record)
        if len(drawn):
            shots.append(figures.drawn_counts(drawn, record, folder=folder, name=f"patches.{name}.drawn"))
        shots.append(figures.patch_shares(_shares(frame, record), folder=folder, name=f"patches.{name}.shares"))
        per_split = frame["split"].astype(str).value_counts()
        text = ", ".join(f"{counted(per_split[split])} {split}" for split in TRUTH_SPLITS if split in per_split)
        extra = int(frame["coverage"].sum())
        text += f" patches; {counted(extra)} were added to cover every lesion" if extra else " patches"
        text += missed_sentence(summary)
        sheet, maps = page_pictures(
            frame, record, name=name, normalized=normalized, folder=folder, most=most, side=side
        )
        counts, more = sampling_table(frame, record), all_tables(frame, summary, record, most=IMAGE_ROWS)
        parts.append(Part(name, text, tuple(shots), notes_of(summary), counts, tuple(more), sheet, maps))
    return parts


def _model_text(card: Mapping[str, Any], epochs: int) -> str:
    settings = card.get("settings", {})
    parts = [str(settings["network"])] if "network" in settings else []
    parts += [str(settings["encoder"])] if "encoder" in settings else []
    parts.append(f"epoch {card['best_epoch']} of {epochs}" if "best_epoch" in card else f"{epochs} epochs")
    parts += [f"chosen by {str(card['selected_by']).replace('_', ' ')}"] if card.get("selected_by") else []
    return ", ".join(parts)


def _ensemble(name: str, path: Path) -> Part:
    members = json.loads((path / "ensemble.json").read_text(encoding="utf-8"))["members"]
    text = f"ensemble: mean of the probabilities of {', '.join(each['name'] for each in members)}"
    folds = {each["fold"] for each in members}
    note = (
        "Each image outside the test was seen by some member, so there are no validation scores of the ensemble; its"
        " thresholds were fitted on the maps of the members that had not seen an image."
    )
    return Part(name, text, (), (note,) if len(folds) > 1 else ())


def models(folders: Mapping[str, Path], record: DatasetRecord, *, folder: Path) -> list[Part]:
    """Training curves of each model."""
    parts = []
    for name, path in sorted(folders.items()):
        if (path / "ensemble.json").is_file():
            parts.append(_ensemble(name, path))
            continue
        history = stores.read_table(path / "history.parquet")
        card: dict[str, Any] = json.loads((path / "card.json").read_text(encoding="utf-8"))
        known = {str(column) for column in history.columns if history[column].notna().any()}
        lines = {"train_loss": "training patches", "validation_loss": "validation patches"}
        dice = {f"dice_{code}": code for code in record.codes} | {"mean_dice": "mean"}
        iou = {f"iou_{code}": code for code in record.codes} | {"mean_iou": "mean"}
        best = card.get("best_epoch")
        shots = [figures.losses(history, _only(lines, known), best=best, folder=folder, name=f"model.{name}.loss")]
        for title, curves in (("Dice", dice), ("IoU", iou)):
            if kept := _only(curves, known):
                shots.append(
                    figures.history_scores(
                        history,
                        kept,
                        record,
                        best=best,
                        title=f"{title} per class",
                        folder=folder,
                        name=f"model.{name}.{title.lower()}",
                    )
                )
        notes = tuple(str(each) for each in card.get("warnings", ()))
        parts.append(Part(name, _model_text(card, len(history)), tuple(shots), notes))
    return parts


def _only(curves: Mapping[str, str], known: set[str]) -> dict[str, str]:
    return {column: label for column, label in curves.items() if column in known}


def summaries_of(results: Sequence[Result]) -> dict[str, pd.DataFrame]:
    """Summary tables of classes and averages, by name of the result."""
    return {result.name: stores.read_table(result.metrics_classes) for result in results}


def validated_alike(results: Sequence[Result]) -> bool:
    """Whether all results that were validated were so on the same images; models of different folds are not."""
    tables = (stores.read_table(result.metrics_images) for result in results)
    held = {frozenset(table.loc[table["split"] == "validation", "image_id"].astype(str)) for table in tables}
    return len(held - {frozenset()}) <= 1


def choose(results: Sequence[Result], summaries: Mapping[str, pd.DataFrame], *, alike: bool = True) -> Choice | None:
    """Best result, of the highest validation Dice; where nothing was validated, the first one.

    Where results were not validated ``alike``, the reason says that their scores do not rank them.
    """
    if not results:
        return None
    for average in (OVER_LESIONS, OVER_CLASSES):
        scores = [
            average_of(summaries[each.name], split="validation", average=average, measure="dice_pooled")
            for each in results
        ]
        ranked = [score for score in scores if not math.isnan(score)]
        if ranked:
            best = results[scores.index(max(ranked))]
            reason = (
                f"Shown in full: {best.name}, of the highest pooled validation Dice ({average}, {max(ranked):.3f})."
            )
            reason += (
                "" if alike else " Models of different folds were validated on different images, which ranks none."
            )
            return Choice(best, f"{reason} Test images had no part in this choice.", average)
    return Choice(
        results[0], f"Shown in full: {results[0].name}, the first, because nothing could be validated.", OVER_LESIONS
    )


def origin_of_thresholds(path: Path) -> str:
    """Origin of the thresholds in a file, in a sentence."""
    classes = json.loads(path.read_text(encoding="utf-8"))["classes"]
    fitted = [bool(each["fitted"]) for each in classes.values()]
    if all(fitted):
        return "Thresholds come from the validation images."
    if any(fitted):
        return "Thresholds come from the validation images where they could be fitted."
    return "Thresholds were not fitted."


def _reasons(path: Path, codes: Sequence[str]) -> dict[str, str]:
    found = json.loads(path.read_text(encoding="utf-8"))
    return {code: str(found["classes"][code]["reason"]) for code in codes}


def measured(choice: Choice, summary: pd.DataFrame, record: DatasetRecord, *, folder: Path) -> list[Measured]:
    """Tables and curves of the shown result, test first."""
    curves = stores.table_metadata(choice.result.metrics_classes).get("curves", {})
    reasons, parts = _reasons(choice.result.thresholds, record.codes), []
    for split in [split for split in SHOWN if (summary["split"] == split).any()]:
        areas = summary[(summary["split"] == split) & (summary["measure"] == "ap_pooled") & (summary["average"] == "")]
        own = {code: points for code, points in curves.get(split, {}).items() if len(points[0])}
        shots: tuple[Shot, ...] = ()
        if own:
            shots = (
                figures.precision_recall(
                    own,
                    dict(zip(areas["class_code"].astype(str), areas["value"], strict=True)),
                    record,
                    title=f"Precision and recall, {split} images, pixels pooled",
                    folder=folder,
                    name=f"curves.{split}",
                ),
            )
        table = classes_table(summary, record, split=split, reasons=reasons)
        parts.append(Measured(split, table, averages_table(summary, split=split), shots))
    return parts


def compared(summaries: Mapping[str, pd.DataFrame], record: DatasetRecord, *, folder: Path) -> list[Shot]:
    """Dots of the pooled Dice per class over all results, one plot per split that was measured."""
    named = pd.concat(
        [table.astype({"class_code": str, "split": str}).assign(result=name) for name, table in summaries.items()]
    )
    shots = []
    for split in SHOWN:
        rows = named[
            (named["split"] == split) & (named["measure"] == "dice_pooled") & named["class_code"].isin(record.codes)
        ]
        if len(rows):
            shots.append(
                figures.results_compared(
                    rows, record, title=f"Dice per class, {split} images", folder=folder, name=f"compared.{split}"
                )
            )
    return shots
