"""Input files by content: their digests, and a record of sizes and dates, so that unchanged files are not read again.

A file whose size or date differs from the record, older or newer, is hashed, and its digest counts. The record is a
hidden file beside the results of an image, because results hold no dates. It holds names but no folders.
"""

import hashlib
import json
import logging
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from stat import S_ISREG

from rich.console import Console
from rich.progress import track

from pipeline.counts import number_of
from pipeline.stores.documents import read_json, write_json
from pipeline.stores.provenance import file_digest

__all__ = [
    "FIRST",
    "FileState",
    "InputRecord",
    "changed_files",
    "content_of",
    "current_states",
    "hashed",
    "outdated",
    "read_record",
    "record_reading",
    "refresh",
    "write_record",
]

logger = logging.getLogger(__name__)

FIRST = "input files: as first read"
"""Value that the workflow records for files before a job has hashed them, and as long as they stay unchanged."""
SAID_AFTER_S = 1.0
"""Seconds of hashing without a message."""
DIGITS = 12


@dataclass(frozen=True, slots=True)
class FileState:
    """State of a file: size and date, by which it is seen to be unchanged, and its digest."""

    name: str
    """Name without the folder."""
    size: int
    """Bytes."""
    changed_ns: int
    """Date of the last change, in nanoseconds; −1 where the file changed while it was read."""
    sha256: str
    """Digest of the content."""

    def is_of(self, path: Path) -> bool:
        """Quick match: whether a file has this name, size and date."""
        return (path.name, *_glance(path)) == (self.name, self.size, self.changed_ns)


@dataclass(frozen=True, slots=True)
class InputRecord:
    """Record of the input files of a result."""

    states: Mapping[str, FileState] = field(default_factory=dict)
    """Role of a file, such as ``mask MA`` → its state when last hashed."""
    made_of: str = ""
    """Content behind the result, from `content_of`; empty where a file changed while it was read."""
    said: str = FIRST
    """Value that the workflow recorded for the files when the result was made."""


def hashed(files: Mapping[str, Path]) -> dict[str, FileState]:
    """States of files, each read once."""
    return {what: _hashed(path) for what, path in files.items()}


def _hashed(path: Path) -> FileState:
    before = _glance(path)
    digest = file_digest(path)
    size, changed_ns = before
    return FileState(path.name, size, changed_ns if _glance(path) == before else -1, digest)


def _glance(path: Path) -> tuple[int, int]:
    """Bytes and date of a file; for a folder, the sum over its files and the latest date of files and folders in it."""
    found = [path.stat()]
    if path.is_dir():
        found += [each.stat() for each in path.rglob("*")]
        files = [each.st_size for each in found if S_ISREG(each.st_mode)]
        return sum(files), max(each.st_mtime_ns for each in found)
    return found[0].st_size, found[0].st_mtime_ns


def content_of(states: Mapping[str, FileState]) -> str:
    """Line for the workflow to record: the digest of names and contents of files, independent of folders and dates."""
    plain = {what: (state.name, state.sha256) for what, state in states.items()}
    return f"input files: {hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()[:DIGITS]}"


def read_record(path: Path) -> InputRecord | None:
    """Record in a file; None if it is missing or unreadable, and the inputs are then hashed again."""
    try:
        found = read_json(path)
        states = {what: FileState(**state) for what, state in found["states"].items()}
        return InputRecord(states, found["made_of"], found["said"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def write_record(record: InputRecord, path: Path) -> None:
    """Record of input files, written; without write permission for the folder the files are hashed again next time."""
    try:
        write_json(asdict(record), path)
    except OSError as error:
        logger.warning("The record of input files %s is not written: %s", path, error)


def record_reading(states: Mapping[str, FileState], path: Path, *, said: str) -> None:
    """Record of the files behind a result, written by the job that read them.

    Parameters
    ----------
    states
        Role of a file → its state before it was read; empty without files.
    path
        The record.
    said
        Value that the workflow records for the files.
    """
    if states:
        steady = all(state.changed_ns >= 0 for state in states.values())
        write_record(InputRecord(states, content_of(states) if steady else "", said), path)


def outdated(files: Mapping[str, Path], record: InputRecord | None) -> list[str]:
    """Files to hash: those whose name, size or date differs from the record, and those without a record."""
    states = record.states if record else {}
    return [what for what, path in files.items() if what not in states or not states[what].is_of(path)]


def current_states(files: Mapping[str, Path], path: Path) -> dict[str, FileState]:
    """States of files as they are now; only files that differ from the record are read, and it is then refreshed.

    Parameters
    ----------
    files
        Role → file.
    path
        The record.
    """
    record = read_record(path) or InputRecord()
    new = hashed({what: files[what] for what in outdated(files, record)})
    states = {what: new.get(what) or record.states[what] for what in files}
    if states != record.states:
        write_record(InputRecord(states, record.made_of, record.said), path)
    return states


def changed_files(files: Mapping[str, Path], record: InputRecord) -> dict[Path, bool]:
    """Files whose content differs from the record, after reading all; and whether size, date or name shows it."""
    unlike = set(outdated(files, record))
    states = hashed({what: path for what, path in files.items() if what in record.states})
    return {files[what]: what in unlike for what, now in states.items() if now.sha256 != record.states[what].sha256}


def refresh(waiting: Sequence[tuple[Mapping[str, Path], Path]], *, name: str, workers: int) -> None:
    """Refresh of the records of several images; with a bar on a terminal, and a line if it took more than a second.

    Parameters
    ----------
    waiting
        Files and record of each image with files to hash.
    name
        The data set.
    workers
        Files at a time.
    """
    if not waiting:
        return
    console, began = Console(stderr=True), time.monotonic()
    with ThreadPoolExecutor(workers) as pool:
        work = pool.map(lambda each: current_states(*each), waiting)
        title = f"{name}: hashing inputs of another size or date"
        bar = track(work, title, len(waiting), console=console, transient=True, disable=not console.is_terminal)
        for _ in bar:
            pass
    if (seconds := time.monotonic() - began) > SAID_AFTER_S:
        images = f"{number_of(len(waiting), 'image')} whose size or date is not the recorded one"
        sys.stderr.write(f"{name}: hashed the files of {images}, in {seconds:.0f} s\n")
