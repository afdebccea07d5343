"""Full disk that Snakemake comes upon in its own notes and logs, said in the words of a job: it says a bare error of the system."""

import contextlib
import logging
import sys
from pathlib import Path

from pipeline.stores.disk import full_disk, is_full

__all__ = ["SaidFull"]


class SaidFull(logging.Filter):
    """Filter of Snakemake's logger that passes every record, and says once on the terminal that the disk is full."""

    def __init__(self, results: Path) -> None:
        """Begin with nothing said.

        Parameters
        ----------
        results
            Folder of all results.
        """
        super().__init__()
        self._results, self._said = results, False

    def filter(self, record: logging.LogRecord) -> bool:
        """Pass every record; at the first that tells of a full disk in the words of the system, say it in ours."""
        error = record.exc_info[1] if isinstance(record.exc_info, tuple) else None
        text = "\n".join(str(each) for each in (record.msg, error) if each is not None)
        if not self._said and is_full(text):
            self._said = True
            found = f"{_reason(text)}, said by Snakemake, whose notes lie in .snakemake of the working folder"
            with contextlib.suppress(OSError):  # what the terminal writes to may be full too
                sys.stderr.write(f"{full_disk(self._results, found=found)}\n")
        return True


def _reason(text: str) -> str:
    return next(line.strip() for line in text.splitlines() if is_full(line))
