"""Pages of the report: one per data set and one over all of them, which open from disk without a network.

The pages load only the pictures and the script of charts beside them. Their own script sorts, filters, copies and saves
tables and draws charts with values under the pointer; without it the content is the same.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline import stores
from pipeline.counts import number_of
from pipeline.report.measures.average_words import average_words, named_measure
from pipeline.report.measures.summary import OVER_CLASSES
from pipeline.report.page.facts import Facts, facts_of
from pipeline.report.page.first_screen import first_screen
from pipeline.report.page.header import page_header
from pipeline.report.page.render import render, rendered
from pipeline.report.page.sections.table import SECTIONS
from pipeline.report.page.summary_json import write_summary_json
from pipeline.report.page.tables.cells import DASH, Cell, Table, counted, number, results_facts, text_cell
from pipeline.report.page.times_page import Noted, write_times_page
from pipeline.report.paths import Inputs, Result
from pipeline.stores.atomic import file_in_progress, folder_in_progress
from pipeline.stores.job import Job

__all__ = ["SUMMARY_FIELDS", "Outputs", "write_index", "write_report"]

SUMMARY_FIELDS = {
    "dataset": "str",
    "title": "str",
    "modality": "str",
    "images": "int64",
    "rejected": "int64",
    "patches": "int64",
    "result": "str",
    "average": "str",
    "split": "str",
    "images_measured": "int64",
    "dice_lesions": "float64",
    "dice_everywhere": "float64",
    "ap_lesions": "float64",
    "dice_classes": "float64",
    "miou": "float64",
    "serious": "int64",
    "old": "int64",
    "old_names": "str",
    "thumbnail": "str",
}
"""One row: what the index over all data sets shows. `result` is the model and fusion that is shown first
(`pipeline.config.shown`), `split` the split that the numbers are from; `average` names that of the columns `*_lesions`,
which is over classes where no class is a lesion; `dice_everywhere` is that Dice of the answer that marks the whole roi;
`serious` counts warnings, `old` results that are not of the run, `old_names` the first five; `miou` is over classes
without background."""


def _link(path: Path, start: Path) -> str:
    return Path(os.path.relpath(path, start)).as_posix()


def _thumbnail(contents: Mapping[str, Mapping[str, Any] | None], link: str) -> str:
    """Picture of a prediction, else of a normalised image; empty if there is neither."""
    overlays, normalisation = contents["overlays"] or {}, contents["normalisation"] or {}
    found = [shot for each in overlays.get("overlays", ()) for shot in each["overlay"].whole]
    shots = [shot for shot in found if "prediction" in shot.name]
    shots += [pair.shots[-1] for pair in normalisation.get("pairs", ())]
    return f"{link}/{shots[0].name}" if shots else ""


def _summary(facts: Facts, *, thumbnail: str) -> dict[str, Any]:
    """Row of ``SUMMARY_FIELDS``."""
    usable, choice = int((facts.table["rejected"] == "").sum()), facts.choice
    lesions = choice.average if choice else OVER_CLASSES
    summary = facts.summaries[choice.result.name] if choice else pd.DataFrame({"split": [], "images": []})
    return {
        "dataset": facts.dataset,
        "title": facts.record.title,
        "modality": facts.record.modality,
        "images": usable,
        "rejected": len(facts.table) - usable,
        "patches": sum(len(stores.read_table(path)) for path in facts.inputs.indexes.values()),
        "result": choice.result.name if choice else "",
        "average": average_words(choice.average, facts.record) if choice else "",
        "split": facts.split,
        "images_measured": int(summary.loc[summary["split"] == facts.split, "images"].max()) if facts.split else 0,
        "dice_lesions": facts.average(lesions, "dice_pooled", grid=facts.grid),
        "dice_everywhere": facts.average(lesions, "dice_everywhere_pooled", grid=facts.grid),
        "ap_lesions": facts.average(lesions, "ap_pooled", grid=facts.grid),
        "dice_classes": facts.average(OVER_CLASSES, "dice_pooled", grid=facts.grid),
        "miou": facts.average(OVER_CLASSES, "iou_pooled", grid=facts.grid),
        "serious": sum(each.serious for each in facts.warnings),
        "old": sum(each.count for each in facts.warnings if each.kind == "old_results"),
        "old_names": ", ".join(name for each in facts.warnings if each.kind == "old_results" for name in each.names),
        "thumbnail": thumbnail,
    }


def _page(facts: Facts, contents: Mapping[str, Mapping[str, Any] | None], *, link: str) -> dict[str, Any]:
    """Content of the page's template: the header, and the sections as HTML; empty for a section left out."""
    found = []
    for each in SECTIONS:
        content = contents[each.name]
        html = "" if content is None else rendered(each.template, {"folder": link, **content})
        found.append({"name": each.name, "title": each.title, "html": html})
    return {**page_header(facts), "first": first_screen(facts, contents), "folder": link, "sections": found}


@dataclass(frozen=True, slots=True)
class Outputs:
    """Output paths of the report of a data set."""

    page: Path
    """``report/index.html``."""
    figures: Path
    """Folder of the pictures, to which the page links relatively."""
    summary: Path
    """Table of one row, see ``SUMMARY_FIELDS``; beside it lies ``summary.json``, see `summary_json.summary_content`."""


def write_report(
    inputs: Inputs,
    *,
    dataset: str,
    stage_config: Mapping[str, Any],
    results: Sequence[Result],
    job: Job,
    outputs: Outputs,
    times: Noted | None = None,
) -> None:
    """Page of one data set, its pictures, and its row for the index over all data sets; written.

    Parameters
    ----------
    inputs
        Table of images, stores, originals, patch indexes, models, stains.
    dataset
        ``name`` or ``name@recipe``.
    stage_config
        The resolved configuration, which is shown; its block ``report`` sets the number and size of pictures.
    results
        Every model and fusion; may be empty.
    job
        Facts of the data set, record of origin.
    outputs
        The page, the folder of its pictures, the row.
    times
        Times and memory of the jobs, written only to ``times.csv`` and ``times.html`` beside the page.
    """
    with folder_in_progress(outputs.figures, digest=job.provenance.digest) as folder:
        facts = facts_of(
            inputs,
            dataset=dataset,
            stage_config=stage_config,
            results=results,
            job=job,
            folder=folder,
            page=outputs.page.parent,
            timed=times is not None,
        )
        contents = {each.name: each.content(facts) for each in SECTIONS}
    if times is not None:
        write_times_page(times, dataset=dataset, folder=outputs.page.parent)
    render("page.html", _page(facts, contents, link=_link(outputs.figures, outputs.page.parent)), outputs.page)
    row = _summary(facts, thumbnail=_thumbnail(contents, _link(outputs.figures, outputs.summary.parent)))
    with file_in_progress(outputs.summary) as path:
        stores.write_table(pd.DataFrame([row]).astype(SUMMARY_FIELDS), path, provenance=job.provenance.as_attributes())
    write_summary_json(facts, row, outputs.summary.with_suffix(".json"))


def _card(entry: str, row: Mapping[str, Any], *, report: Path, summary: Path, output: Path) -> dict[str, Any]:
    names = {"images": "Images used", "rejected": "Left out", "patches": "Patches"}
    numbers = [(text, counted(row[name])) for name, text in names.items()]
    if row["result"]:
        numbers.append(("Model / fusion", row["result"]))
    if split := row["split"]:
        dice, precision = (named_measure(name, row["average"], short=True) for name in ("Dice", "AUPR"))
        numbers.append((f"{dice}, {split}", number(row["dice_lesions"])))
        numbers.append(("All marked / none marked", f"{number(row['dice_everywhere'])} / 0"))
        numbers.append((f"{precision}, {split}", number(row["ap_lesions"])))
    if row["old"]:
        numbers.append(("Results not of this run", counted(row["old"])))
    more = row["old"] - len(row["old_names"].split(", "))
    thumbnail = _link(summary.parent / row["thumbnail"], output.parent) if row["thumbnail"] else ""
    return {
        "entry": entry,
        "title": row["title"],
        "numbers": numbers,
        "serious": row["serious"],
        "old": f"{row['old_names']}{f' and {counted(more)} more' if more > 0 else ''}",
        "link": _link(report, output.parent),
        "thumbnail": thumbnail,
    }


def _side_by_side(rows: Mapping[str, Mapping[str, Any]]) -> Table:
    over = "pixels pooled, mean over lesion classes, or over all classes where none is a lesion"
    head = (
        text_cell("Data set"),
        Cell("Images"),
        Cell("Left out"),
        text_cell("Model / fusion"),
        text_cell("Measured on"),
        Cell("Dice", hint=over),
        Cell(
            "All marked",
            hint="that Dice of the trivial answer that marks the whole roi, or image; none marked gives 0",
        ),
        Cell("AUPR", hint=over),
        Cell("Dice, all classes", hint="pixels pooled, mean over classes"),
        Cell("mIoU", hint="pixels pooled, mean over classes without background"),
    )
    found = tuple(
        (
            text_cell(entry, strong=True),
            Cell(counted(row["images"])),
            Cell(counted(row["rejected"])),
            text_cell(row["result"] or DASH),
            text_cell(number_of(row["images_measured"], f"{row['split']} image") if row["split"] else DASH),
            *(
                Cell(number(row[name]), note=over)
                for name, over in (
                    ("dice_lesions", row["average"]),
                    ("dice_everywhere", ""),
                    ("ap_lesions", row["average"]),
                    ("dice_classes", ""),
                    ("miou", ""),
                )
            ),
        )
        for entry, row in rows.items()
    )
    caption = (
        "Pixels of all images of the split pooled, then the named mean; each with the model and fusion that its report shows in"
        " full"
    )
    return Table(caption, head, found)


def _first_row(summary: Path) -> dict[str, Any]:
    return {str(name): value for name, value in stores.read_table(summary).iloc[0].items()}


def write_index(reports: Mapping[str, tuple[Path, Path]], *, output: Path) -> None:
    """Page over all data sets.

    Parameters
    ----------
    reports
        Entry (``name`` or ``name@recipe``) → its page and its table of one row, as ``write_report`` wrote them.
    output
        ``results/index.html``.
    """
    rows = {entry: _first_row(summary) for entry, (_, summary) in reports.items()}
    sets = [
        _card(entry, rows[entry], report=page, summary=summary, output=output)
        for entry, (page, summary) in reports.items()
    ]
    used, left_out = (int(sum(row[name] for row in rows.values())) for name in ("images", "rejected"))
    context = {
        "sets": sets,
        "comparison": _side_by_side(rows),
        "facts": [*results_facts(sets=len(rows), images=used), (counted(left_out), "left out")],
        "footer": "Numbers are computed on the pixel grid of the original images, for rescaled slides on that of the normalised"
        " images; each report says what is behind them.",
    }
    render("index.html", context, output)
