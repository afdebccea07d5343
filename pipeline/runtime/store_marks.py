"""Marks of Snakemake in stores, taken out at the end of a run: a store holds nothing that is not of it.

Snakemake keeps the date of a folder in a file ``.snakemake_timestamp`` in it, and goes by the folder's own date where there
is none. So the folder is given the date of the mark, and nothing is run again for want of it.
"""

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

__all__ = ["take_out_marks"]

MARK = ".snakemake_timestamp"


def take_out_marks(stores: Iterable[Path]) -> None:
    """Stores without marks, each with the date that its mark had; one that may not be written to is passed over.

    Where this is killed between the two, the folder is as new as if it had been touched: what is made of it runs again.
    """
    for store in stores:
        mark = store / MARK
        with suppress(OSError):
            date = mark.stat().st_mtime_ns
            mark.unlink()
            os.utime(store, ns=(date, date))
