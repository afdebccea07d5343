"""Marks of Snakemake in stores, removed at the end of a run, so that a store holds only its own content.

Snakemake keeps the date of a folder in a file ``.snakemake_timestamp`` in it; without that file the folder's own date
counts. So the folder gets the date of the mark, and the missing mark triggers no rerun.
"""

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

__all__ = ["take_out_marks"]

MARK = ".snakemake_timestamp"


def take_out_marks(stores: Iterable[Path]) -> None:
    """Removal of the marks of stores, which get the dates of their marks; stores without write permission are skipped.

    If it is killed between the two steps, the folder counts as just changed, and its dependent jobs run again.
    """
    for store in stores:
        mark = store / MARK
        with suppress(OSError):
            date = mark.stat().st_mtime_ns
            mark.unlink()
            os.utime(store, ns=(date, date))
