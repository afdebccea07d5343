"""Full disk met by Snakemake in its own notes and logs, reported in plain words instead of a bare system error."""

import contextlib
import logging
import sys
from pathlib import Path

from pipeline.stores.disk import full_disk, is_full

__all__ = ["SaidFull"]


class SaidFull(logging.Filter):
    """Filter of Snakemake's logger that passes every record, and reports a full disk once on the terminal."""

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
        """Pass every record; at the first system error of a full disk, report it in plain words."""
        error = record.exc_info[1] if isinstance(record.exc_info, tuple) else None
        text = "\n".join(str(each) for each in (record.msg, error) if each is not None)
        if not self._said and is_full(text):
            self._said = True
            found = f"{_reason(text)}, said by Snakemake, whose notes lie in .snakemake of the working folder"
            with contextlib.suppress(OSError):  # The terminal's target may be full too.
                sys.stderr.write(f"{full_disk(self._results, found=found)}\n")
        return True


def _reason(text: str) -> str:
    return next(line.strip() for line in text.splitlines() if is_full(line))
