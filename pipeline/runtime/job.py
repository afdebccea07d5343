"""Environment of a job: its log and its workers."""

import logging
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2

from pipeline.errors import DiskFull, PipelineError
from pipeline.runtime.allocator import keep_freed
from pipeline.runtime.named_results import check_names
from pipeline.runtime.peak import peak_bytes
from pipeline.runtime.threads import let_waiting_threads_sleep
from pipeline.stores.disk import room_on_disk

__all__ = ["job_context"]

FORMAT = "%(levelname)s %(name)s: %(message)s"


@contextmanager
def job_context(log: str, *, threads: int, inputs: Iterable[str] = ()) -> Iterator[None]:
    """Log to a file, and turn an error raised on purpose into its message and exit code 1.

    Parameters
    ----------
    log
        File of the log; truncated.
    threads
        Workers from the scheduler; OpenCV, which would otherwise use all cores, is limited to them.
    inputs
        Results that the job reads; results of images must be named like their image.
    """
    handler = _opened_log(Path(log))
    handler.setFormatter(logging.Formatter(FORMAT))
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    logging.captureWarnings(True)
    keep_freed()
    let_waiting_threads_sleep()
    cv2.setNumThreads(threads)
    full = False
    try:
        with room_on_disk(Path(log)):
            check_names(inputs)
            yield
    except PipelineError as problem:
        full = isinstance(problem, DiskFull)  # The log may have no room for it.
        root.error("%s", problem)
        if full:
            sys.stderr.write(f"{problem}\n")
        raise SystemExit(1) from None
    except Exception:
        root.exception("The job failed in a way that was not foreseen; please report this log.")
        raise
    finally:
        root.info("Memory held at most: %d MiB", peak_bytes() / 2**20)
        root.removeHandler(handler)
        unwritten = _closed(handler, Path(log))
        if unwritten and not full:
            sys.stderr.write(f"{unwritten}\n")
    if unwritten:
        raise SystemExit(1)


class _Log(logging.FileHandler):
    """Log file on a disk that may be full: text without room waits in its buffer, and ``close`` tries again."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 a name of the library
        if not isinstance(sys.exc_info()[1], OSError):
            super().handleError(record)


def _opened_log(path: Path) -> _Log:
    try:
        with room_on_disk(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            return _Log(path, mode="w")
    except DiskFull as problem:
        sys.stderr.write(f"{problem}\n")
        raise SystemExit(1) from None


def _closed(handler: _Log, path: Path) -> DiskFull | None:
    """Close the log; the error if the rest of it finds no room."""
    try:
        with room_on_disk(path):
            handler.close()
    except DiskFull as problem:
        return problem
    return None
