"""Disk of the results: full, whatever a library raises becomes a message that says where; and one disk for all of them."""

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
"""What is said without a number of the system: by Rust, by torch's C++, by NumPy."""


@contextmanager
def room_on_disk(results: Path) -> Iterator[None]:
    """Full-disk error in plain words, where something cannot be written because the disk, or a quota on it, is full.

    Parameters
    ----------
    results
        Where is written to: the results folder, or anything below it in a folder whose name begins with a dot.

    Raises
    ------
    DiskFull
        Instead of what was raised. What was being written is under ``.partial``; a run continues it.
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
        Where is written to, as for `room_on_disk`.
    found
        What the system said.
    """
    return DiskFull(
        "There is no space left on the disk.",
        where=_results_folder(results),
        found=f"{found}; {free_bytes(results) / 2**20:.0f} MiB free",
        expected="room for what is written",
        remedy="Make room and run again: what is finished is kept.",
    )


def is_full(text: str) -> bool:
    """Meaning of what another program said: whether the disk is full."""
    return SAID.search(text) is not None


def _reason(error: BaseException | None) -> str | None:
    """Reason that says that the disk is full, of an error or of one that it came from; None for nothing."""
    while error is not None:
        if (isinstance(error, OSError) and error.errno in FULL) or is_full(str(error)):
            return getattr(error, "strerror", None) or str(error).splitlines()[0]
        error = error.__cause__ or error.__context__
    return None


def _results_folder(path: Path) -> Path:
    hidden = [at for at, part in enumerate(path.parts) if part.startswith(".") and part.strip(".")]
    return Path(*path.parts[: hidden[0]]) if hidden and hidden[0] else path


def free_bytes(folder: Path) -> int:
    """Bytes that are free on the disk of a folder, which need not be there yet."""
    there = next(each for each in (folder.absolute(), *folder.absolute().parents) if each.exists())
    return shutil.disk_usage(there).free


def check_one_disk(results: Path, entries: Iterable[str]) -> None:
    """Folders of data sets, compared with the disk of the results: what is written there is renamed, which no disk does for another.

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
