"""Disk of the results: any library's error for a full disk becomes a message that says where; all results lie on one disk."""

import errno
import re
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.errors import ConfigurationError, DiskFull, PipelineError

__all__ = ["check_one_disk", "free_bytes", "full_disk", "is_full", "room_on_disk"]

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
SAID = re.compile(
    r"No space left on device|quota exceeded|os error (28|122)\b|iostream error|file write failed|\d+ requested and \d+ written"
)
"""Messages for a full disk without a system error number: from Rust, torch's C++ and NumPy."""


@contextmanager
def room_on_disk(results: Path) -> Iterator[None]:
    """Full-disk error in plain words, raised where a write fails because the disk or a quota is full.

    Parameters
    ----------
    results
        The place written to: the results folder, or anything below it in a folder whose name begins with a dot.

    Raises
    ------
    DiskFull
        Replaces the original error. The unfinished result is under ``.partial``; the next run continues it.
    """
    try:
        yield
    except PipelineError:
        raise
    except (OSError, RuntimeError) as error:
        reason = _reason(error)
        if reason is None:
            raise
        file = getattr(error, "filename", None)
        raise full_disk(results, found=f"{reason}{f' at {file}' if file else ''}") from error


def full_disk(results: Path, *, found: str) -> DiskFull:
    """Error of a full disk, in plain words.

    Parameters
    ----------
    results
        The place written to, as for `room_on_disk`.
    found
        The system's message.
    """
    return DiskFull(
        "There is no space left on the disk.",
        where=_results_folder(results),
        found=f"{found}; {free_bytes(results) / 2**20:.0f} MiB free",
        expected="room for what is written",
        remedy="Make room and run again: what is finished is kept.",
    )


def is_full(text: str) -> bool:
    """Full-disk test of another program's message."""
    return SAID.search(text) is not None


def _reason(error: BaseException | None) -> str | None:
    """Message of an error or of one of its causes that says that the disk is full; None where none does."""
    while error is not None:
        if (isinstance(error, OSError) and error.errno in FULL) or is_full(str(error)):
            return getattr(error, "strerror", None) or str(error).splitlines()[0]
        error = error.__cause__ or error.__context__
    return None


def _results_folder(path: Path) -> Path:
    hidden = [at for at, part in enumerate(path.parts) if part.startswith(".") and part.strip(".")]
    return Path(*path.parts[: hidden[0]]) if hidden and hidden[0] else path


def free_bytes(folder: Path) -> int:
    """Free bytes on the disk of a folder that need not exist yet."""
    there = next(each for each in (folder.absolute(), *folder.absolute().parents) if each.exists())
    return shutil.disk_usage(there).free


def check_one_disk(results: Path, entries: Iterable[str]) -> None:
    """Check that the folders of data sets are on the disk of the results, because a rename cannot cross disks.

    Raises
    ------
    ConfigurationError
        A folder is a link to another disk.
    """
    for folder in (results / entry for entry in entries):
        if folder.is_symlink() and folder.exists() and folder.stat().st_dev != results.stat().st_dev:
            raise ConfigurationError(
                "The folder of a data set leads to another disk than the results folder.",
                where=folder,
                found=f"a link to {folder.resolve()}",
                expected="one disk, on which what was written whole can be renamed",
                remedy="Give the results folder there: --config results=…, or make the whole results folder a link.",
            )
