"""Times and memory of the jobs of a run, summed by stage and rule.

Snakemake writes a file for each job, ``.benchmarks/{dataset}/{word}/{rule}/….tsv``. A job that was not rerun keeps its
earlier file. These figures differ between runs of the same seed, so only ``times.csv`` and the page beside it may
contain them.
"""

import csv
from collections.abc import Iterator, Mapping
from pathlib import Path

import pandas as pd

from pipeline.stores.atomic import file_in_progress
from pipeline.words import WORDS

__all__ = ["COLUMNS", "job_figures", "read_times", "write_times"]

COLUMNS = ("stage", "rule", "jobs", "seconds", "median_seconds", "processor_seconds", "memory_mb", "predicted_mb")
"""``seconds`` and ``processor_seconds`` are sums over the jobs, ``memory_mb`` is the largest of any job, in MiB, and
``predicted_mb`` the memory model's value for the largest; empty where unknown, as for jobs below a second."""

UNKNOWN = ("NA", "-", "")
LAST = ("report_page", "report_index")
"""Rules that read these files, so that their own figures come from an earlier run."""


def _number(text: str | None) -> float:
    return float("nan") if text is None or text in UNKNOWN else float(text)


def _jobs(folder: Path) -> Iterator[dict[str, object]]:
    for path in sorted(folder.glob("*/*/**/*.tsv")):
        stage, rule = path.relative_to(folder).parts[:2]
        if stage not in WORDS or rule in LAST:
            continue
        yield from ({"stage": stage, "rule": rule, **found} for found in job_figures(path))


def job_figures(path: Path) -> Iterator[dict[str, float]]:
    """Figures of one job, from Snakemake's file, by their names in ``MEASURED``; empty if it is missing."""
    if not path.is_file():
        return
    with path.open(encoding="utf-8", newline="") as stream:
        for row in csv.DictReader(stream, delimiter="\t"):
            yield {name: _number(row.get(key)) for name, key in MEASURED.items()}


MEASURED = {"seconds": "s", "processor_seconds": "cpu_time", "memory_mb": "max_rss"}
"""Our names of the columns of Snakemake."""


def read_times(folder: Path, *, predicted: Mapping[str, int]) -> pd.DataFrame:
    """Times and memory of the jobs of a data set, summed by stage and rule.

    Parameters
    ----------
    folder
        ``results/.benchmarks/{dataset}``; it may be missing.
    predicted
        Rule → MiB of its largest job by the memory model.

    Returns
    -------
    DataFrame
        A row for each rule, see ``COLUMNS``: stages in their order, rules by name.
    """
    jobs = pd.DataFrame(_jobs(folder), columns=["stage", "rule", *MEASURED])
    jobs["stage"] = pd.Categorical(jobs["stage"], categories=WORDS, ordered=True)
    grouped = jobs.groupby(["stage", "rule"], observed=True, sort=True)
    sums = grouped[["seconds", "processor_seconds"]].sum(min_count=1)
    rows = sums.assign(
        jobs=grouped.size(), median_seconds=grouped["seconds"].median(), memory_mb=grouped["memory_mb"].max()
    ).reset_index()
    rows["predicted_mb"] = [predicted.get(rule) for rule in rows["rule"]]
    return rows[list(COLUMNS)].astype({"stage": str, "predicted_mb": "Int64"})


def write_times(times: pd.DataFrame, output: Path) -> None:
    """Table ``report/times.csv``, a row for each rule, written."""
    with file_in_progress(output) as partial:
        times.to_csv(partial, index=False, float_format="%.2f", lineterminator="\n")
