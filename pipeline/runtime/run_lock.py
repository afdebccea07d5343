"""Lock of a results folder: only one run at a time writes there, whatever its working folder and host.

The file ``.lock`` in the folder names the main process of the run. Its jobs, here or on other hosts, need no lock.
"""

import atexit
import fcntl
import getpass
import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn

from pipeline.errors import StoreError
from pipeline.runtime.processes import ProcessName, children_left
from pipeline.stores.disk import room_on_disk
from pipeline.stores.flush import flush

__all__ = ["LOCK", "RunLock"]

LOCK = ".lock"
ENDED = ".ended"
"""File with the run that ended last."""
JOBS = "snakemake"
"""A word of the command line of each job."""
SINCE = "%Y-%m-%d %H:%M:%S UTC"
POLL_S = 0.5
"""Seconds between checks of the jobs of a killed run."""


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # In a container the user id may have no name.
        return str(os.getuid())


@dataclass(frozen=True, slots=True)
class Holder:
    """Run that holds a lock."""

    name: ProcessName
    """Its main process."""
    group: int
    """Process group."""
    folder: str
    """Working folder."""
    user: str
    since: str
    """Start time, in UTC."""

    @property
    def begun(self) -> float:
        """Start in seconds since 1970; 0 for a text without a time."""
        with suppress(ValueError):
            return datetime.strptime(self.since, SINCE).replace(tzinfo=UTC).timestamp()
        return 0.0

    @property
    def said(self) -> str:
        """Name for people."""
        return f"a run of {self.user}, process {self.name.process} on {self.name.host}, since {self.since}, in {self.folder}"


def _own() -> Holder:
    since = datetime.now(UTC).strftime(SINCE)
    return Holder(ProcessName.own(), os.getpgrp(), os.getcwd(), _user(), since)


def _read(path: Path) -> Holder | None:
    """Holder of a lock; None if the file names none, because it is being written or is not from a run."""
    return _holder(path.read_bytes())


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Context for one process of this host at a time; without effect where the file system has no locks."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _appear(new: Path, path: Path, text: bytes) -> None:
    try:
        os.link(new, path)  # It appears whole, and fails where there is one, on shared file systems too.
    except FileExistsError:
        raise
    except OSError:  # A file system without links.
        with path.open("xb") as stream:
            stream.write(text)


def _text(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def _holder(text: bytes) -> Holder | None:
    try:
        found = json.loads(text)
        return Holder(**(found | {"name": ProcessName(**found["name"])}))
    except (ValueError, TypeError, KeyError):
        return None


def _refuse_old_plan(results: Path, ended: bytes) -> NoReturn:
    # Results that the other run was just finishing looked unfinished to the plan, which would delete and remake them.
    holder = _holder(ended)
    raise StoreError(
        "Another run on this results folder ended while this one was planned.",
        where=results,
        found=holder.said if holder else "another run",
        expected="a plan of the results as they are now",
        remedy="Give the same command again.",
    )


class RunLock:
    """Lock of one results folder; the second argument is the way to set another folder, for messages."""

    def __init__(self, results: Path, *, other: str = "--config results=…") -> None:
        self._results, self._path, self._other = results, results / LOCK, other
        self._own: Holder | None = None
        self._last: bytes | None = None
        self._held, self._left, self._cleared = b"", b"", b""

    def before_plan(self) -> None:
        """Note of the run that ended last, taken before planning: `take` refuses a plan older than the end of another run.

        A killed run does not record its end. So the lock is noted too, and whether its run goes on.
        """
        self._last, lock = _text(self._results / ENDED), _text(self._path)
        holder = _holder(lock)
        over = holder is not None and holder.name.is_here and holder.name.has_ended
        self._held, self._left = (b"", lock) if over else (lock, b"")

    def take(self) -> None:
        """Hold the lock until ``give_back`` or the end of this process. The lock of an ended run of this host is cleared.

        It waits for jobs that a killed run left behind, because they go on writing.

        Raises
        ------
        StoreError
            Another run holds it, or may hold it, or ended since `before_plan`.
        """
        own, waiting = _own(), list[int]()
        with room_on_disk(self._results):
            self._results.mkdir(parents=True, exist_ok=True)
            while jobs := self._try(own):
                if jobs != waiting:
                    numbers = " ".join(map(str, jobs))
                    sys.stderr.write(f"Waiting for jobs of a killed run that go on writing to {self._results}; ")
                    sys.stderr.write(f"to end them: kill {numbers}\n")
                waiting = jobs
                time.sleep(POLL_S)
        self._own = own
        atexit.register(self.give_back)
        if self._last is not None and (found := self._ended_since()):
            self._last = None
            self.give_back()
            _refuse_old_plan(self._results, found)

    def _ended_since(self) -> bytes:
        """Note of a run that ended since `before_plan`; empty without one."""
        if (said := _text(self._results / ENDED)) != self._last:
            return said
        return self._held or (self._cleared if self._cleared != self._left else b"")

    def give_back(self) -> None:
        """Free the lock; nothing happens if it belongs to another."""
        own, self._own = self._own, None
        if own and own.name.process == os.getpid() and self._path.exists() and _read(self._path) == own:
            if self._last is not None:
                with suppress(OSError):  # A full disk: then nobody is told.
                    self._path.with_name(ENDED).write_bytes(self._path.read_bytes())
            self._path.unlink(missing_ok=True)

    def _try(self, own: Holder) -> list[int]:
        """Jobs to wait for; none if the lock is held."""
        with _alone(self._results):
            jobs = self._clear() if self._path.exists() else []
            if not jobs:
                self._create(own)
        return jobs

    def _create(self, own: Holder) -> None:
        text = json.dumps(asdict(own)).encode()
        new = self._path.with_name(f"{LOCK}.{own.name.host}.{own.name.process}")
        new.write_bytes(text)
        flush(new)  # After a power cut a lock without a run would have to be cleared by hand.
        try:
            _appear(new, self._path, text)
        except FileExistsError:
            self._refuse(_read(self._path))
        finally:
            new.unlink()

    def _clear(self) -> list[int]:
        """Jobs of the killed run that owns the lock; without any the lock is cleared."""
        holder = _read(self._path)
        if holder is None or not holder.name.is_here or not holder.name.has_ended:
            self._refuse(holder)
        jobs = sorted(children_left(group=holder.group, folder=holder.folder, word=JOBS, since=holder.begun))
        if not jobs:
            self._cleared = _text(self._path)
            self._path.unlink()
        return jobs

    def _refuse(self, holder: Holder | None) -> NoReturn:
        here = holder is not None and holder.name.is_here
        clear = f"If that run was killed, clear its lock: rm {self._path}"
        raise StoreError(
            "The results folder belongs to another run.",
            where=self._results,
            found=holder.said if holder else f"{self._path}, which names no run",
            expected="one run at a time on a results folder",
            remedy=f"Wait for its end, or give another folder: {self._other}"
            + ("" if here else f" From here nobody can see whether it still runs. {clear}"),
        )
