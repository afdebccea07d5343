"""Processes of this and of other hosts, named so that one that ended is never taken for another with its number."""

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
"""Number of this start of the system; and the field of ``/proc/{process}/stat``, after the name, with its start time."""

CLOCK_S = 2
"""Seconds by which the start of a process and the time of the day may differ."""


def _first_line(path: str) -> str:
    with suppress(OSError):
        return Path(path).read_text(encoding="utf-8", errors="replace").strip()
    return ""


def _place() -> str:
    # Machines may share a name, and containers a machine: then a process number of one means nothing to the other.
    with suppress(OSError):
        return f"{_first_line('/etc/machine-id')} {os.readlink('/proc/self/ns/pid')}"
    return f"{_first_line('/etc/machine-id')} {platform.system()}"


def _birth(process: int) -> str:
    """Start of a process; on Linux in ticks since the start of the system, which setting the clock does not change."""
    stat = _first_line(f"/proc/{process}/stat").rpartition(")")[2].split()
    if len(stat) > START:
        return f"{_first_line(str(BOOT))} {stat[START]}"
    with suppress(psutil.Error):
        return str(psutil.Process(process).create_time())
    return ""


@dataclass(frozen=True, slots=True)
class ProcessName:
    """Name of a process: that of no other, here or elsewhere, before or after."""

    host: str
    """Name of the host."""
    place: str
    """Machine and number space of its processes."""
    process: int
    """Its number."""
    birth: str
    """When it began."""

    @classmethod
    def own(cls) -> Self:
        """The name of this process."""
        return cls(platform.node(), _place(), os.getpid(), _birth(os.getpid()))

    @property
    def is_here(self) -> bool:
        """Place: whether this process could see it."""
        return (self.host, self.place) == (platform.node(), _place())

    @property
    def has_ended(self) -> bool:
        """End of a process that ran here; one of another user, which may be hidden, counts as running."""
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
        A word of their command lines. Children of other commands of a script are in the group, too.
    since
        When it began, seconds since 1970: what ran before is not its child.
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
