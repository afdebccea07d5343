"""Last lines of a run: path of the report, its headline beside that of the trivial answers, left-over files and warnings."""

import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from pipeline.counts import number_of
from pipeline.raw.data_warnings import DataWarning
from pipeline.report.measures.average_words import named_measure
from pipeline.report.page.tables.cells import number
from pipeline.report.page.tables.measured import trivial_note
from pipeline.stores import read_table

__all__ = ["headline", "say_at_the_end"]

log = logging.getLogger(__name__)


def headline(summary: Path) -> list[str]:
    """Lines on a finished report: its page, and the Dice at its top.

    Parameters
    ----------
    summary
        ``report/summary.parquet``, see `page.SUMMARY_FIELDS`.
    """
    row = read_table(summary).iloc[0]
    lines = [f"report: {summary.with_name('index.html')}"]
    if row["split"]:
        trivial = trivial_note(float(row["dice_everywhere"]))
        beside = f" ({trivial})" if trivial else ""
        measured = number_of(int(row["images_measured"]), f"{row['split']} image")
        said = f"{named_measure('Dice', row['average'], short=True)}, {measured}, {row['result']}"
        lines.append(f"{said}: {number(float(row['dice_lesions']))}{beside}")
    return lines


def say_at_the_end(
    lines: Sequence[str], left_over: Sequence[str], warnings: Sequence[DataWarning], *, dataset: str
) -> None:
    """End of a run: results, left-over files and warnings, written once to the log and the terminal of the run.

    If images were left out the job fails, and its log appears on the terminal anyway.
    """
    said = [*lines, *(f"left over: {sentence}" for sentence in left_over)]
    failing = any(each.kind == "left_out" for each in warnings)
    told = (each for each in warnings if each.kind != "left_out")  # The error that follows lists them all.
    said += [f"{'WARNING' if each.serious else 'warning'}: {each.advice}" for each in told]
    for sentence in said:
        log.warning("%s: %s", dataset, sentence)
        if not failing:
            sys.stderr.write(f"{dataset}: {sentence}\n")
