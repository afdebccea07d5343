"""Bytes of files that were not flushed, from a trace of the system calls of a process and all that it started.

What native code writes is in the trace like what Python writes. Places in a file follow from the calls: a write goes on
where the one before ended, or where it says. A file that is mapped into memory for writing counts as written as a whole.
"""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["TRACER", "Unflushed", "lose", "unflushed"]

CALLS = (
    "openat,open,creat,write,pwrite64,writev,pwritev,pwritev2,lseek,ftruncate,rename,renameat,renameat2,"
    "unlink,unlinkat,fsync,fdatasync,mmap,copy_file_range,sendfile"
)
TRACER = ("strace", "-f", "-y", "-qq", "-s", "0", "--seccomp-bpf", "-e", f"trace={CALLS}", "-e", "signal=none", "-o")
"""Command that a traced one is given to, before the file of the trace."""

LINE = re.compile(r"(\d+) +(?:<\.\.\. (\w+) resumed>)?(.*)$", re.DOTALL)
FILE = re.compile(r"(?:AT_FDCWD|\d+)<([^>]*)>")
TEXT = re.compile(r'(?:(AT_FDCWD|\d+)(?:<([^>]*)>)?, )?"([^"]*)"')
UNFINISHED = "<unfinished ...>"
WRITES = {"write", "writev", "pwrite64", "pwritev", "pwritev2", "copy_file_range", "sendfile"}


@dataclass(slots=True)
class Unflushed:
    """Parts of one file that were written after its last flush."""

    parts: list[tuple[int, int]] = field(default_factory=list)
    """First byte, and the byte after the last."""
    place: int = 0
    """Where the next write goes."""
    flushed: bool = False
    """Whether it ever was."""
    mapped: bool = False


def unflushed(trace: Path, folder: Path) -> dict[Path, Unflushed]:
    """Files below a folder with bytes that were not flushed when the trace ends."""
    files: dict[Path, Unflushed] = {}
    for call in _calls(trace, folder):
        call.apply(files)  # files elsewhere too: they may be moved here
    return {
        path: each
        for path, each in files.items()
        if (each.parts or each.mapped) and folder in path.parents and path.is_file()
    }


def _calls(trace: Path, folder: Path) -> Iterator["_Call"]:
    """Calls that succeeded, in the order of their ends."""
    begun: dict[str, str] = {}
    for line in trace.read_text(errors="replace").splitlines():
        if (match := LINE.match(line)) is None:
            continue
        thread, resumed, text = match.groups()
        if text.endswith(UNFINISHED):
            begun[thread] = text.removesuffix(UNFINISHED)
            continue
        text = begun.pop(thread, "") + text if resumed else text
        name, _, rest = text.partition("(")
        arguments, _, value = rest.rpartition(" = ")
        number = re.match(r"\d+", value)
        if number:
            yield _Call(name.strip(), arguments, int(number[0]), folder)


@dataclass(frozen=True, slots=True)
class _Call:
    name: str
    arguments: str
    value: int
    folder: Path

    def apply(self, files: dict[Path, Unflushed]) -> None:
        if self.name in ("rename", "renameat", "renameat2"):
            self._rename(files)
        elif self.name in ("unlink", "unlinkat"):
            for path in self._texts():
                files.pop(path, None)
        elif self.name in ("open", "openat", "creat"):
            self._open(files)
        elif (path := self._path()) is not None:
            self._on_file(files.setdefault(path, Unflushed()))

    def _on_file(self, file: Unflushed) -> None:
        if self.name in WRITES:
            at = file.place
            if self.name.startswith("pwrite"):
                at = int(self.arguments.rstrip(")").rpartition(", ")[2].split(",")[0])
            file.parts.append((at, at + self.value))
            if not self.name.startswith("pwrite"):
                file.place = at + self.value
        elif self.name == "lseek":
            file.place = self.value
        elif self.name in ("fsync", "fdatasync"):
            file.parts.clear()
            file.flushed, file.mapped = True, False
        elif self.name == "mmap" and "PROT_WRITE" in self.arguments and "MAP_SHARED" in self.arguments:
            file.mapped = True

    def _open(self, files: dict[Path, Unflushed]) -> None:
        for path in self._texts():
            if "O_TRUNC" in self.arguments or self.name == "creat":
                files[path] = Unflushed()
            elif path in files:
                size = path.stat().st_size if path.is_file() else 0
                files[path].place = max([end for _, end in files[path].parts], default=size) if self._appends else 0

    @property
    def _appends(self) -> bool:
        return "O_APPEND" in self.arguments

    def _rename(self, files: dict[Path, Unflushed]) -> None:
        old, new = self._texts()
        for path in list(files):
            if path == new or new in path.parents:
                del files[path]
        for path in list(files):
            if path == old or old in path.parents:
                files[new / path.relative_to(old)] = files.pop(path)

    def _texts(self) -> list[Path]:
        """Paths that are named by text, relative ones from the folder or from the open folder beside them."""
        return [
            Path(os.path.normpath(Path(base or self.folder) / text)) for _, base, text in TEXT.findall(self.arguments)
        ]

    def _path(self) -> Path | None:
        found = FILE.findall(self.arguments)
        number = 1 if self.name == "copy_file_range" else 0
        if len(found) <= number:
            return None
        path = Path(found[number])
        return path if path.is_absolute() else None  # not a pipe


def lose(path: Path, file: Unflushed, how: str) -> None:
    """What a power cut does to a file: what was not flushed is ``dropped``, is ``zeroed``, or all of the file is ``gone``."""
    size = path.stat().st_size
    parts = [(0, size)] if file.mapped else file.parts
    first = min(start for start, _ in parts)
    if how == "gone" and not file.flushed:
        path.unlink()
    elif how == "zeroed":
        with path.open("r+b") as stream:
            for start, end in parts:
                stream.seek(start)
                stream.write(bytes(max(min(end, size) - start, 0)))
    else:
        with path.open("r+b") as stream:
            stream.truncate(min(first, size))
