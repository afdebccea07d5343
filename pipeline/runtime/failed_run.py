"""Words on a run that failed: the images that were left out, or the jobs that failed, in place of Snakemake's last line.

The terminal and Snakemake's own log show of each failed job its rule, its first files and the end of its log. The calls
that ended without success are not shown: they say nothing of the reason.
"""

import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.counts import number_of
from pipeline.errors import StoreError, printable
from pipeline.stores.tables import read_table

__all__ = ["FailedJob", "SaidFailure", "last_words"]

SNAKEMAKES = "At least one job did not complete successfully"
"""Snakemake's last words on any run with a failed job."""
INTERRUPTED = "Terminating processes on user request"
"""Snakemake's words on a run that its user stops, after which it ends as one with a failed job."""
CALL = re.compile(r"RuleException:\s+CalledProcessError in file .*returned non-zero exit status 1\.\s*$", re.DOTALL)
"""Snakemake's record of the call of a stage script that failed by an error; one that was killed has another status."""
DAMAGED = "A result is damaged."
"""Beginning of the message in the log of a job that came upon a damaged result."""
COMPLETE = re.compile(r"\.complete/(?P<dataset>[^/]+)/")
ROW = re.compile(r"\s+(?:where|found):\s+(?P<value>.*)")
SHOWN, FILES = 5, 3
"""Most images or jobs named, and most inputs or outputs of a job."""
MEND = (
    "To do: mend the files and run again, which makes only what depends on them; or take the images off the list, by"
    " moving their files, image and truth, out of the folder of the data set."
)
STOPPED = "The run was stopped before its end.\n"
RUN_AGAIN = "To do: read the message of the first one above or in its log, mend it, and run again: what is made stays."


@dataclass(frozen=True, slots=True)
class FailedJob:
    """Job of the workflow that failed."""

    rule: str
    output: str
    """First of its outputs."""
    log: str
    """Path of its log; empty without one."""


class SaidFailure(logging.Filter):
    """Filter of Snakemake's logger that shortens what is said of a failed job, and replaces the last words of a run."""

    def __init__(self, results: Path, *, keep_going: bool) -> None:
        """Begin without a failed job.

        Parameters
        ----------
        results
            Folder of all results.
        keep_going
            Whether jobs that do not depend on a failed one are run.
        """
        super().__init__()
        self._results, self._keep_going = results, keep_going
        self._failed: dict[object, FailedJob] = {}
        self._interrupted = False

    def filter(self, record: logging.LogRecord) -> bool:
        """Test for a record that is shown; failed jobs are noted, and one that succeeds when it is tried again is forgotten."""
        event = getattr(record, "event", None)
        self._interrupted |= INTERRUPTED in str(record.msg)
        if event == "job_error":
            self._failed[vars(record).get("jobid")] = _failed_job(vars(record))
            vars(record).update({name: _few(vars(record).get(name)) for name in ("input", "output")})
        elif CALL.match(str(record.msg)):
            return False
        elif event == "job_finished":
            self._failed.pop(vars(record).get("job_id"), None)
        elif self._failed and SNAKEMAKES in str(record.msg):
            went_on = self._keep_going and not self._interrupted
            words = last_words(list(self._failed.values()), results=self._results, keep_going=went_on)
            record.msg, record.args = f"{STOPPED if self._interrupted else ''}{words}", ()
        elif self._interrupted and SNAKEMAKES in str(record.msg):
            record.msg, record.args = f"{STOPPED}Run again to go on: what is made stays.", ()
        return True


def _failed_job(said: Mapping[str, object]) -> FailedJob:
    return FailedJob(str(said.get("rule_name")), _first(said.get("output")), _first(said.get("log")))


def _few(paths: object) -> object:
    """First of several files, and the number of the others."""
    if not isinstance(paths, Sequence) or isinstance(paths, str) or len(paths) <= FILES:
        return paths
    return [*map(str, paths[:FILES]), f"and {len(paths) - FILES:,} more"]


def _first(paths: object) -> str:
    # Snakemake adds remarks in brackets.
    return str(paths[0]).partition(" (")[0] if isinstance(paths, Sequence) and paths else ""


def last_words(failed: Sequence[FailedJob], *, results: Path, keep_going: bool) -> str:
    """Words on a run with failed jobs: what was left out or failed, where it is said in full, and what to do.

    Parameters
    ----------
    failed
        The jobs, in the order of their failures.
    results
        Folder of all results.
    keep_going
        Whether all jobs that do not depend on a failed one were run.
    """
    ends = {dataset: job for job in failed if (dataset := _ended(job))}
    left_out = {dataset: found for dataset in ends if (found := _left_out(results / dataset))}
    others = [job for job in failed if _ended(job) not in left_out]
    lines = []
    if others:
        jobs = [f"  {job.rule}: {job.output}{f' (log: {job.log})' if job.log else ''}" for job in others]
        lines += [f"{number_of(len(others), 'job')} failed:", *_some(jobs), *_damaged(others), RUN_AGAIN]
    if left_out:
        images = [f"  {dataset}, {line}" for dataset, found in left_out.items() for line in found]
        made = "All else was made; " if keep_going and not others else ""
        were = "image was" if len(images) == 1 else "images were"
        lines += [f"{made}{len(images):,} {were} left out:", *_some(images), *_reports(results, left_out), MEND]
    return "\n".join(lines)


def _damaged(jobs: Sequence[FailedJob]) -> list[str]:
    """Line on how to find all damaged results, where a job came upon one."""
    logs = (Path(job.log) for job in jobs if job.log)
    found = any(DAMAGED in log.read_text(errors="replace") for log in logs if log.is_file())
    return ["A job stops at the first damaged result; `lesionmap verify` names them all."] if found else []


def _ended(job: FailedJob) -> str | None:
    """Data set of a job that says at the end of a stage what was left out; None for other jobs."""
    match = COMPLETE.search(job.output) if job.rule == "complete" else None
    return match["dataset"] if match else None


def _left_out(folder: Path) -> list[str]:
    """Id and reason of each image of a data set that was left out, a line each."""
    try:
        frame = read_table(folder / "raw" / "images.parquet")
    except StoreError:
        return []
    rejected = frame[frame["rejected"] != ""]
    return [printable(f"{row.image_id}: {_reason(str(row.rejected))}") for row in rejected.itertuples()]


def _reason(text: str) -> str:
    """Reason in one line: what is wrong, where and what was found."""
    what, *rows = text.splitlines() or [""]
    parts = [match["value"] for row in rows if (match := ROW.match(row))]
    return f"{what.rstrip('.')} ({': '.join(parts)})" if parts else what


def _some(lines: Sequence[str]) -> list[str]:
    more = len(lines) - SHOWN
    return [*lines[:SHOWN], *([f"  and {more:,} more"] if more > 0 else [])]


def _reports(results: Path, datasets: Mapping[str, object]) -> Iterator[str]:
    pages = (results / dataset / "report" / "index.html" for dataset in datasets)
    yield from (f"report: {page}" for page in pages if page.is_file())
