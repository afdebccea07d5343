"""Surroundings of a job: its log, and the workers that it was given."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2

from pipeline.errors import PipelineError
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
    Path(log).parent.mkdir(parents=True, exist_ok=True)
    handler = logging.FileHandler(log, mode="w")
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
        root.error("%s", problem)
        raise SystemExit(1) from None
    except Exception:
        root.exception("The job failed in a way that was not foreseen; please report this log.")
        raise
    finally:
        root.info("Memory held at most: %d MiB", peak_bytes() / 2**20)
        root.removeHandler(handler)
        handler.close()
