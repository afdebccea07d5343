"""Input files of a running job, and the check that they are still the files whose digests it records.

A file that is replaced or truncated while it is read would give a mixture of two images under the digest of one.
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
    """Size and dates by which a file, or a folder such as another program's store, is seen to be unchanged."""

    size: int
    """Bytes; for a folder, of all files in it."""
    dates: str
    """Times of the last change of content and of the entry; the second shows that another file got the name. For a
    folder, a digest."""
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
    # Subfolders have dates too: they show that a file was added or removed.
    size, files, lines = 0, 0, []
    for place, _, names in os.walk(folder):
        for path in (place, *(os.path.join(place, name) for name in names)):
            try:
                found = os.stat(path)
            except OSError:
                continue  # Removed meanwhile; the date of its folder shows that.
            regular = S_ISREG(found.st_mode)
            size, files = size + found.st_size * regular, files + regular
            part = os.path.relpath(path, folder)
            lines.append(f"{part} {found.st_size * regular} {found.st_mtime_ns} {found.st_ctime_ns}")
    text = "\n".join(sorted(lines))
    return _Glance(size, hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest(), files)


@dataclass(frozen=True, slots=True)
class InputFiles:
    """Input files and folders as they were before any of them was read."""

    seen: Mapping[Path, _Glance | None] = field(default_factory=dict)
    """File or folder → its size and dates; None where it did not exist."""

    @classmethod
    def of(cls, paths: Iterable[Path]) -> Self:
        """Files as they are now, and folders with all their files; our own stores, which have a record, are skipped."""
        return cls({path: _glance(path) for path in paths if not is_own(path)})

    def changed(self, *, folders: bool = True) -> dict[Path, _Glance | None]:
        """Files that changed or are gone, with their present state.

        Parameters
        ----------
        folders
            Whether to compare folders too: a store of many small files takes long to look through.
        """
        looked = {path: before for path, before in self.seen.items() if folders or _is_file(before)}
        now = {path: _glance(path) for path in looked}
        return {path: now[path] for path, before in looked.items() if before is None or now[path] != before}

    def claim(self, digest: str) -> str:
        """Digest of unfinished work on these files; folders enter with their sizes and dates.

        Between blocks only files are compared, so work on a folder that changed must not be continued, even after its
        former content is restored.
        """
        folders = sorted(f"{path.name} {each}" for path, each in self.seen.items() if not _is_file(each))
        return hashlib.sha256("\n".join([digest, *folders]).encode()).hexdigest() if folders else digest

    def check(self, *, folders: bool = True) -> None:
        """Refusal of files that changed.

        Parameters
        ----------
        folders
            Whether to compare folders too.

        Raises
        ------
        ImageRejected
            A file was replaced, truncated, changed or removed, or one was added to a folder.
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
        """Context for work on the files, refused at its end if one has changed; a change may also have caused an error.

        Parameters
        ----------
        folders
            Whether to compare folders too after work without an error; after an error they are always compared.
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
