"""Processes of this and other hosts, named so that an ended process is never confused with a new one of the same number."""

import os
import platform
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import psutil

__all__ = ["ProcessName", "children_left"]

BOOT, START = Path("/proc/sys/kernel/random/boot_id"), 19
"""File with the id of this boot; and the field of ``/proc/{process}/stat``, after the name, with the start time."""

CLOCK_S = 2
"""Tolerance in seconds between the start of a process and the wall clock."""


def _first_line(path: str) -> str:
    with suppress(OSError):
        return Path(path).read_text(encoding="utf-8", errors="replace").strip()
    return ""


def _place() -> str:
    # Machines may share a name, and containers a machine; a process number of one then means nothing in the other.
    with suppress(OSError):
        return f"{_first_line('/etc/machine-id')} {os.readlink('/proc/self/ns/pid')}"
    return f"{_first_line('/etc/machine-id')} {platform.system()}"


def _birth(process: int) -> str:
    """Start of a process; on Linux in ticks since boot, which setting the clock does not change."""
    stat = _first_line(f"/proc/{process}/stat").rpartition(")")[2].split()
    if len(stat) > START:
        return f"{_first_line(str(BOOT))} {stat[START]}"
    with suppress(psutil.Error):
        return str(psutil.Process(process).create_time())
    return ""


@dataclass(frozen=True, slots=True)
class ProcessName:
    """Name of a process, unique over hosts and time."""

    host: str
    """Name of the host."""
    place: str
    """Machine and its process number space."""
    process: int
    """Its number."""
    birth: str
    """Start time."""

    @classmethod
    def own(cls) -> Self:
        """The name of this process."""
        return cls(platform.node(), _place(), os.getpid(), _birth(os.getpid()))

    @property
    def is_here(self) -> bool:
        """Visibility: whether this process could see it."""
        return (self.host, self.place) == (platform.node(), _place())

    @property
    def has_ended(self) -> bool:
        """Test whether a process of this host has ended; one of another user, which may be hidden, counts as running."""
        try:
            os.kill(self.process, 0)
            if psutil.Process(self.process).status() == psutil.STATUS_ZOMBIE:
                return True
        except (ProcessLookupError, psutil.NoSuchProcess):
            return not psutil.pid_exists(self.process)
        except (PermissionError, psutil.Error):
            pass
        now = _birth(self.process)
        return now not in ("", self.birth)


def _mine() -> set[int]:
    own = psutil.Process()
    with suppress(psutil.Error):
        return {own.pid, *(each.pid for each in [*own.parents(), *own.children(recursive=True)])}
    return {own.pid}


def children_left(*, group: int, folder: str, word: str, since: float) -> Iterator[int]:
    """Processes that a killed process of this host left behind.

    Parameters
    ----------
    group
        Its process group, which its children share.
    folder
        Its working folder, likewise.
    word
        A word of their command lines, because the group also holds children of other commands of a script.
    since
        Its start, in seconds since 1970: earlier processes are not its children.
    """
    mine = _mine()
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            if (
                process.pid not in mine
                and os.getpgid(process.pid) == group
                and process.status() != psutil.STATUS_ZOMBIE
                and process.create_time() >= since - CLOCK_S
                and process.cwd() == folder
                and word in " ".join(process.cmdline())
            ):
                yield process.pid
