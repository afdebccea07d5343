"""Section on metrics: results compared, tables and curves of the shown one, what inference looked at."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline import stores
from pipeline.config import ReportConfig
from pipeline.config.manifest import DatasetRecord
from pipeline.report.measures.intervals import LEAST_GROUPS
from pipeline.report.measures.out_of_fold import OUT_OF_FOLD, read_curves, read_measures
from pipeline.report.measures.summary import grids_of, on_grid
from pipeline.report.page.choice import MEASURED_SPLITS, Choice, validated_alike
from pipeline.report.page.facts import Facts
from pipeline.report.page.tables.cells import Table, counted, plain_table
from pipeline.report.page.tables.confusion import confusion_table
from pipeline.report.page.tables.error_places import distances_table, places_table
from pipeline.report.page.tables.image_wise import image_wise_table
from pipeline.report.page.tables.lesions import lesions_table
from pipeline.report.page.tables.measured import grid_text
from pipeline.report.page.tables.metrics import averages_table, classes_table, comparison_table
from pipeline.report.page.tables.parts import parts_tables
from pipeline.report.page.tables.strata import strata_table
from pipeline.report.page.tables.surfaces import surfaces_table
from pipeline.report.page.tables.windows import window_table
from pipeline.report.paths import Result
from pipeline.report.pictures import figures
from pipeline.report.pictures.reliability import reliability_plot
from pipeline.report.pictures.store_pictures import Shot
from pipeline.stores.documents import read_json

__all__ = ["Measured", "compared", "measured", "metrics_section", "no_interval", "origin_of_thresholds"]


@dataclass(frozen=True, slots=True)
class GridTables:
    """Tables of the shown result on one split and grid."""

    classes: tuple[Table, ...]
    """A row a class: pixels, lesions, boundaries, whole images."""
    averages: Table


@dataclass(frozen=True, slots=True)
class Measured:
    """Metrics of the shown result on one split."""

    split: str
    grids: tuple[GridTables, ...]
    """Tables on each grid of pixels, the original's first."""
    parts: tuple[Table, ...]
    """Centres and groups."""
    errors: tuple[Table, ...]
    """Places of errors, on the grid of the normalised images."""
    shots: tuple[Shot, ...]


def origin_of_thresholds(path: Path) -> str:
    """Origin of the thresholds in a file, in a sentence."""
    classes = read_json(path)["classes"]
    fitted = [bool(each["fitted"]) for each in classes.values()]
    if all(fitted):
        return "Thresholds come from the validation images."
    if any(fitted):
        return "Thresholds come from the validation images where they could be fitted."
    return "Thresholds were not fitted."


def _reasons(path: Path, codes: Sequence[str]) -> dict[str, str]:
    found = read_json(path)
    return {code: str(found["classes"][code]["reason"]) for code in codes}


def _precision_recall(
    curves: Mapping[str, Any], summary: pd.DataFrame, record: DatasetRecord, *, split: str, folder: Path
) -> tuple[Shot, ...]:
    own = {code: points for code, points in curves.get(split, {}).items() if len(points[0])}
    if not own:
        return ()
    own_split = on_grid(summary[summary["split"] == split])
    rows = own_split[(own_split["measure"] == "ap_pooled") & (own_split["average"] == "")]
    areas = dict(zip(rows["class_code"].astype(str), rows["value"], strict=True))
    title = f"Precision and recall, {split} images, pixels pooled"
    return (figures.precision_recall(own, areas, record, title=title, folder=folder, name=f"curves.{_file(split)}"),)


def _file(split: str) -> str:
    """Split in the name of a file."""
    return "out_of_fold" if split == OUT_OF_FOLD else split


def _measured_splits(summary: pd.DataFrame) -> list[str]:
    return [split for split in MEASURED_SPLITS if (summary["split"] == split).any()]


def _confusion(
    found: Mapping[str, Any], summary: pd.DataFrame, record: DatasetRecord, *, split: str, grid: str
) -> tuple[Table, ...]:
    """Confusion of labels, where there was an image in which every class is annotated."""
    kept = found.get(grid, {}).get(split)
    return (confusion_table(kept, record, split=split, where=grid_text(summary, grid)),) if kept else ()


def _strata(
    found: Mapping[str, Any], summary: pd.DataFrame, record: DatasetRecord, *, split: str, grid: str
) -> tuple[Table, ...]:
    """Lesions found by their size and more, where there are lesions and they were measured."""
    table = strata_table(found.get(grid, {}).get(split, {}), record, split=split, where=grid_text(summary, grid))
    return (table,) if table else ()


def _parts(result: Result, record: DatasetRecord, *, split: str) -> tuple[Table, ...]:
    """Centres and groups, where they were measured."""
    path = result.metrics_parts
    return parts_tables(read_measures(path, result), record, split=split) if path.is_file() else ()


def _errors(result: Result, record: DatasetRecord, *, split: str) -> tuple[Table, ...]:
    """Places of errors, where they were measured."""
    if not result.metrics_errors.is_file():
        return ()
    rows = read_measures(result.metrics_errors, result)
    found = (table(rows, record, split=split) for table in (places_table, distances_table))
    return tuple(each for each in found if each is not None)


TITLES = {"froc": "FROC", "reliability": "Reliability, pixels pooled"}


def _on_first_grid(
    found: Mapping[str, Any],
    plot: Callable[..., Shot],
    summary: pd.DataFrame,
    record: DatasetRecord,
    *,
    name: str,
    split: str,
    folder: Path,
) -> tuple[Shot, ...]:
    """Plot of the curves of the classes that have any, on the grid of the originals where there is one."""
    curves = found.get(grids_of(summary)[0], {}).get(split, {})
    if not curves:
        return ()
    title = f"{TITLES[name]}, {split} images"
    return (plot(curves, record, title=title, folder=folder, name=f"{name}.{_file(split)}"),)


def measured(
    choice: Choice, summary: pd.DataFrame, record: DatasetRecord, *, config: ReportConfig, folder: Path
) -> list[Measured]:
    """Tables and curves of the shown result, test first."""
    kept = read_curves(choice.result)
    images = read_measures(choice.result.metrics_images, choice.result)
    reasons = _reasons(choice.result.thresholds, record.codes)
    return [
        Measured(
            split,
            tuple(
                GridTables(
                    (
                        classes_table(summary, record, split=split, reasons=reasons, grid=grid),
                        lesions_table(summary, images, record, split=split, match=config.match, grid=grid),
                        *_strata(kept["strata"], summary, record, split=split, grid=grid),
                        surfaces_table(summary, record, split=split, tolerance=config.surface_tolerance, grid=grid),
                        image_wise_table(summary, record, split=split, grid=grid),
                        *_confusion(kept["confusion"], summary, record, split=split, grid=grid),
                    ),
                    averages_table(summary, record, split=split, grid=grid),
                )
                for grid in grids_of(summary)
            ),
            _parts(choice.result, record, split=split),
            _errors(choice.result, record, split=split),
            (
                *_precision_recall(kept["curves"], summary, record, split=split, folder=folder),
                *_on_first_grid(
                    kept["froc"],
                    figures.free_response,
                    summary,
                    record,
                    name="froc",
                    split=split,
                    folder=folder,
                ),
                *_on_first_grid(
                    kept["reliability"],
                    reliability_plot,
                    summary,
                    record,
                    name="reliability",
                    split=split,
                    folder=folder,
                ),
            ),
        )
        for split in _measured_splits(summary)
    ]


def compared(summaries: Mapping[str, pd.DataFrame], record: DatasetRecord, *, folder: Path) -> list[Shot]:
    """Dots of the pooled Dice per class over all results, one plot per split that was measured."""
    named = pd.concat(
        [
            on_grid(table).astype({"class_code": str, "split": str}).assign(result=name)
            for name, table in summaries.items()
        ]
    )
    shots = []
    for split in MEASURED_SPLITS:
        rows = named[
            (named["split"] == split) & (named["measure"] == "dice_pooled") & named["class_code"].isin(record.codes)
        ]
        if len(rows):
            title = f"Dice per class, {split} images"
            shots.append(
                figures.results_compared(rows, record, title=title, folder=folder, name=f"compared.{_file(split)}")
            )
    return shots


def _unseen(result: Result) -> Table | None:
    """Truth outside the roi, per class, where there is any."""
    rows = on_grid(stores.read_table(result.metrics_images))
    rows = rows[rows["truth_outside_roi"] > 0]
    if not len(rows):
        return None
    found = [
        (
            row["image_id"],
            row["class_code"],
            counted(row["truth_outside_roi"]),
            f"{100 * row['truth_outside_roi'] / row['truth_pixels']:.2f} %",
        )
        for row in rows.to_dict("records")
    ]
    caption = "Truth pixels outside the region of interest; they count as missed where maps are 0: where no window reached, or with outside_roi: zero"
    return plain_table(caption, ("Image", "Class", "Pixels", "Share of the class"), found)


def _comparable(facts: Facts, split: str) -> bool:
    """Comparison of results on a split: whether those that were measured there were so on the same images."""
    if split == OUT_OF_FOLD:
        return validated_alike([each for each in facts.results if split in set(facts.summaries[each.name]["split"])])
    return facts.alike or split != "validation"


def no_interval(summary: pd.DataFrame, *, draws: int) -> str:
    """Words on why a result has no interval on any split."""
    if not draws:
        return "No intervals: none were asked for (report: bootstrap is 0)."
    groups = {split: int(summary.loc[summary["split"] == split, "groups"].max()) for split in _measured_splits(summary)}
    if any(count >= LEAST_GROUPS for count in groups.values()):
        return "No intervals: no measure has a value."
    found = ", ".join(f"{split} {count}" for split, count in groups.items())
    return f"No intervals: they need at least {LEAST_GROUPS} groups (patients) in a split, and there are: {found}."


def _results(facts: Facts, choice: Choice) -> dict[str, Any]:
    """Content about results where some were measured."""
    summary = facts.summaries[choice.result.name]
    comparisons = [
        comparison_table(
            facts.summaries,
            split=split,
            shown=choice.result.name,
            record=facts.record,
            comparable=_comparable(facts, split),
            grid=grid,
        )
        for split in _measured_splits(summary)
        for grid in grids_of(summary)
    ]
    return {
        "comparisons": comparisons,
        "comparison_plots": compared(facts.summaries, facts.record, folder=facts.folder),
        "choice": choice.reason,
        "shown": choice.result.name,
        "measured": measured(choice, summary, facts.record, config=facts.config, folder=facts.folder),
        "thresholds": origin_of_thresholds(choice.result.thresholds),
        "rescaled": len(grids_of(summary)) > 1,
        "interval": bool(summary["low"].notna().any()),
        "no_interval": no_interval(summary, draws=facts.config.bootstrap),
        "unseen": _unseen(choice.result),
    }


def metrics_section(facts: Facts) -> dict[str, Any]:
    """Content of the section on metrics, its plots written."""
    context = {"inference": window_table(facts.results)}
    if facts.choice is None or not facts.split:
        empty = {"thresholds": "", "interval": False, "no_interval": "", "rescaled": False, "unseen": None}
        return {**context, "comparisons": [], **empty}
    return context | _results(facts, facts.choice)
