"""Input files of a job under its hands: what tells that they are still the files whose digests it records.

A file that is replaced or cut while it is read would give rows of two pictures, under the digest of one.
"""

import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from stat import S_ISDIR, S_ISREG
from typing import Self

from pipeline.counts import number_of
from pipeline.errors import ImageRejected
from pipeline.stores.foreign import is_own

__all__ = ["InputFiles"]


@dataclass(frozen=True, slots=True)
class _Glance:
    """Signs by which a file is still the same at a glance, or a folder, such as the store of another program."""

    size: int
    """Bytes; of a folder, of all files in it."""
    dates: str
    """Last changes of content and of the entry: the second tells where another file got the name. Of a folder a digest."""
    files: int | None = None
    """Files in the folder; None for a file."""


def _glance(path: Path) -> _Glance | None:
    try:
        found = path.stat()
    except OSError:
        return None
    if S_ISDIR(found.st_mode):
        return _folder_glance(path)
    return _Glance(found.st_size, f"{found.st_mtime_ns} {found.st_ctime_ns}")


def _folder_glance(folder: Path) -> _Glance:
    # A folder in it has dates too: they tell of a file that went, and of one that came.
    size, files, lines = 0, 0, []
    for place, _, names in os.walk(folder):
        for path in (place, *(os.path.join(place, name) for name in names)):
            try:
                found = os.stat(path)
            except OSError:
                continue  # gone meanwhile, which its folder tells
            regular = S_ISREG(found.st_mode)
            size, files = size + found.st_size * regular, files + regular
            part = os.path.relpath(path, folder)
            lines.append(f"{part} {found.st_size * regular} {found.st_mtime_ns} {found.st_ctime_ns}")
    text = "\n".join(sorted(lines))
    return _Glance(size, hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest(), files)


@dataclass(frozen=True, slots=True)
class InputFiles:
    """Input files and folders as they were before anything of them was read."""

    seen: Mapping[Path, _Glance | None] = field(default_factory=dict)
    """File or folder → its size and dates; None where it was not there."""

    @classmethod
    def of(cls, paths: Iterable[Path]) -> Self:
        """Files as they are now, and folders with all files in them; our own stores, which have a record, are passed over."""
        return cls({path: _glance(path) for path in paths if not is_own(path)})

    def changed(self, *, folders: bool = True) -> dict[Path, _Glance | None]:
        """Files that are no longer what they were, or are gone, with what they are now.

        Parameters
        ----------
        folders
            Folders too: a store of many small files takes long to look through.
        """
        looked = {path: before for path, before in self.seen.items() if folders or _is_file(before)}
        now = {path: _glance(path) for path in looked}
        return {path: now[path] for path, before in looked.items() if before is None or now[path] != before}

    def claim(self, digest: str) -> str:
        """Digest of unfinished work on these files: folders count as they are at a glance, dates included.

        Between blocks only files are looked at, so what was made of a folder that changed must not be continued, even
        where the former content is back.
        """
        folders = sorted(f"{path.name} {each}" for path, each in self.seen.items() if not _is_file(each))
        return hashlib.sha256("\n".join([digest, *folders]).encode()).hexdigest() if folders else digest

    def check(self, *, folders: bool = True) -> None:
        """Refusal of files that changed.

        Parameters
        ----------
        folders
            Folders too.

        Raises
        ------
        ImageRejected
            A file was replaced, cut, written to or taken away; of a folder, also where one was added.
        """
        for path, now in self.changed(folders=folders).items():
            raise ImageRejected(
                "A file changed while it was read, and nothing that was read of it counts.",
                where=path,
                found=_difference(self.seen[path], now),
                expected="the file that it was when reading began",
                remedy="Run again when the file stays as it is: the image is then read anew.",
            )

    @contextmanager
    def steady(self, *, folders: bool = True) -> Iterator[None]:
        """Work on the files, refused at its end where one has changed; an error on the way may have come of that too.

        Parameters
        ----------
        folders
            Folders too at the end of work that went well; after an error they are looked through always.
        """
        try:
            yield
        except Exception:
            self.check()
            raise
        self.check(folders=folders)


def _is_file(before: _Glance | None) -> bool:
    return before is None or before.files is None


def _difference(before: _Glance | None, now: _Glance | None) -> str:
    if now is None:
        return "no file any more"
    if before is None or before.size != now.size:
        return f"{now.size} bytes, where there {f'were {before.size}' if before else 'was no file'}"
    if before.files != now.files:
        return f"{_named(now)}, where there was {_named(before)}"
    return "another date of change, at the same size"


def _named(found: _Glance) -> str:
    return "a file" if found.files is None else f"a folder of {number_of(found.files, 'file')}"
