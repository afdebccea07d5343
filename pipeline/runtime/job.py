"""Surroundings of a job: its log, and the workers that it was given."""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2

from pipeline.errors import DiskFull, PipelineError
from pipeline.runtime.allocator import keep_freed
from pipeline.runtime.peak import peak_bytes
from pipeline.runtime.threads import let_waiting_threads_sleep
from pipeline.stores.disk import room_on_disk

__all__ = ["job_context"]

FORMAT = "%(levelname)s %(name)s: %(message)s"


@contextmanager
def job_context(log: str, *, threads: int) -> Iterator[None]:
    """Log to a file, and turn an error that the package raised on purpose into its message and exit code 1.

    Parameters
    ----------
    log
        File of the log; truncated.
    threads
        Workers that the scheduler gave; OpenCV, which would take all, takes these.
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
    try:
        with room_on_disk(Path(log)):
            yield
    except PipelineError as problem:
        if isinstance(problem, DiskFull):  # the log may have no room for it
            sys.stderr.write(f"{problem}\n")
            logging.raiseExceptions = False
        root.error("%s", problem)
        raise SystemExit(1) from None
    except Exception:
        root.exception("The job failed in a way that was not foreseen; please report this log.")
        raise
    finally:
        root.info("Memory held at most: %d MiB", peak_bytes() / 2**20)
        root.removeHandler(handler)
        handler.close()


def _opened_log(path: Path) -> logging.Handler:
    try:
        with room_on_disk(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            return logging.FileHandler(path, mode="w")
    except DiskFull as problem:
        sys.stderr.write(f"{problem}\n")
        raise SystemExit(1) from None
