"""Times and memory of the jobs, on a separate page, because unlike the page of a data set they differ between equal runs."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from pipeline.report.measures.times import read_times, write_times
from pipeline.report.page.render import render
from pipeline.report.page.tables.cells import DASH, Cell, Table, counted

__all__ = ["Noted", "times_table", "write_times_page"]

TEXT = (
    "Seconds are those of the jobs, added up, as if one had run after the other; a job that was not run again keeps the"
    " figures of when it ran. Memory is the largest of any job. Snakemake looks at it twice a second in the first"
    " quarter of a minute and every half minute after, so a short peak can be missed: the last line of a job's log says"
    " what it really held. The pages of the report are not among the jobs, because they are written while this is."
)
HEAD = (
    Cell("Stage", kind="text"),
    Cell("Rule", kind="text"),
    Cell("Jobs"),
    Cell("Seconds", hint="sum over the jobs"),
    Cell("Median", hint="seconds of a job"),
    Cell("Processor seconds", hint="sum over the jobs and their threads"),
    Cell("Memory, MiB", hint="largest of any job"),
    Cell("Predicted, MiB", hint="mem_mb of the largest job"),
)


@dataclass(frozen=True, slots=True)
class Noted:
    """Figures of the jobs of a data set."""

    benchmarks: Path
    """``results/.benchmarks/{dataset}``, which Snakemake fills; it may be missing."""
    predicted: Mapping[str, int] = field(default_factory=dict)
    """Rule → MiB of its largest job, see `pipeline.runtime.job_memory.rules_memory`."""


def _seconds(value: float) -> str:
    return DASH if math.isnan(value) else f"{value:,.1f}"


def _mebibytes(value: float) -> str:
    return DASH if math.isnan(value) else counted(round(value))


def times_table(times: pd.DataFrame) -> Table:
    """Table of times: a row for each rule, and the sum of all."""
    whole = float(times["seconds"].sum()) or 1.0
    rows = [
        (
            Cell(str(row["stage"]), kind="text"),
            Cell(str(row["rule"]), kind="text", strong=True),
            Cell(counted(int(row["jobs"]))),
            Cell(_seconds(float(row["seconds"])), share=float(row["seconds"]) / whole),
            Cell(_seconds(float(row["median_seconds"]))),
            Cell(_seconds(float(row["processor_seconds"]))),
            Cell(_mebibytes(float(row["memory_mb"]))),
            Cell(DASH if pd.isna(row["predicted_mb"]) else counted(int(row["predicted_mb"]))),
        )
        for row in times.to_dict("records")
    ]
    sums = (_seconds(float(times[name].sum())) for name in ("seconds", "processor_seconds"))
    seconds, processor = (Cell(text, strong=True) for text in sums)
    total = (Cell("all", kind="text", strong=True), Cell("", kind="text"), Cell(counted(int(times["jobs"].sum()))))
    rows += [(*total, seconds, Cell(""), processor, Cell(""), Cell(""))] if rows else []
    return Table("Jobs by stage and rule", HEAD, tuple(rows))


def write_times_page(noted: Noted, *, dataset: str, folder: Path) -> None:
    """Files ``times.csv`` and ``times.html``, to which the page of the data set links, written.

    Parameters
    ----------
    noted
        Figures of the jobs.
    dataset
        ``name`` or ``name@recipe``.
    folder
        Folder of the page.
    """
    times = read_times(noted.benchmarks, predicted=noted.predicted)
    write_times(times, folder / "times.csv")
    render("times.html", {"dataset": dataset, "text": TEXT, "times": times_table(times)}, folder / "times.html")
