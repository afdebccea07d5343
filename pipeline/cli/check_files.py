"""Contents of input files against the records of the results, for changes that size and date do not show."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.progress import track

from pipeline.counts import number_of
from pipeline.raw.datasets.changed_files import ImageInputs
from pipeline.raw.datasets.entry import ImageEntry
from pipeline.runtime.input_records import changed_files

__all__ = ["check_contents"]


def check_contents(console: Console, entries: Sequence[ImageEntry], *, results: Path, dataset: str) -> int:
    """Check of all input files of a data set by hashing, against the record.

    Parameters
    ----------
    console
        Console for the output.
    entries
        The images.
    results
        Folder of all results.
    dataset
        Name of the results of this data set.

    Returns
    -------
    int
        Number of files with changed content but the recorded size and date, which a run does not notice by itself.
    """
    inputs = [ImageInputs(entry, results=results, dataset=dataset) for entry in entries]
    known = [(each.files, record) for each in inputs if each.files and (record := each.known())]
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        work = pool.map(lambda each: changed_files(*each), known)
        hashing = track(work, f"{dataset}: hashing", len(known), console=console, disable=not console.is_terminal)
        found = list(hashing)
    silent = [path for each in found for path, seen in each.items() if not seen]
    seen = sum(seen for each in found for seen in each.values())
    console.print(
        f"{dataset}: contents of {len(known)} of {len(inputs)} images compared with what results were made of"
    )
    if seen:
        console.print(f"{dataset}: something else is in {number_of(seen, 'file')}; the next run reads them again")
    for path in silent:
        console.print(escape(f"changed, but of the recorded size and date: {path}"), style="red")
    if silent:
        console.print(
            f"{dataset}: {number_of(len(silent), 'file')} changed unseen. Touch them, and the next run reads them again."
        )
    return len(silent)
