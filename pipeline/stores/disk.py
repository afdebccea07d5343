"""Full disk: the error of the operating system becomes a message that says where, and what to do."""

import errno
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.errors import StoreError

__all__ = ["room_on_disk"]

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@contextmanager
def room_on_disk(results: Path) -> Iterator[None]:
    """Full-disk error in plain words, where something cannot be written because the disk, or a quota on it, is full.

    Parameters
    ----------
    results
        Where is written to.

    Raises
    ------
    StoreError
        Instead of the error of the operating system. What was being written is under ``.partial``; a run continues it.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in FULL:
            raise
        folder = next(each for each in (results, *results.absolute().parents) if each.exists())
        raise StoreError(
            "There is no space left on the disk.",
            where=error.filename or results,
            found=f"{error.strerror}; {shutil.disk_usage(folder).free / 2**20:.0f} MiB free",
            expected="room for what is written",
            remedy="Make room and run again: what is finished is kept.",
        ) from error
