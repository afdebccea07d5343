"""Input files of a job under its hands: what tells that they are still the files whose digests it records.

A file that is replaced or cut while it is read would give rows of two pictures, under the digest of one.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self, TypeAlias

from pipeline.errors import ImageRejected

__all__ = ["InputFiles"]

Glance: TypeAlias = tuple[int, int, int]
"""Size, and dates of the last change of content and of the entry: the last one tells where another file got the name."""


def _glance(path: Path) -> Glance | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns, found.st_ctime_ns


@dataclass(frozen=True, slots=True)
class InputFiles:
    """Input files as they were before anything of them was read."""

    seen: Mapping[Path, Glance | None] = field(default_factory=dict)
    """File → its size and dates; None where it was not there."""

    @classmethod
    def of(cls, paths: Iterable[Path]) -> Self:
        """Files as they are now; folders, which are results with a record of their own, are passed over."""
        return cls({path: _glance(path) for path in paths if not path.is_dir()})

    def changed(self) -> list[Path]:
        """Files that are no longer what they were, or are gone."""
        return [path for path, before in self.seen.items() if before is None or _glance(path) != before]

    def check(self) -> None:
        """Refusal of files that changed.

        Raises
        ------
        ImageRejected
            A file was replaced, cut, written to or taken away.
        """
        for path in self.changed():
            before, now = self.seen[path], _glance(path)
            raise ImageRejected(
                "A file changed while it was read, and nothing that was read of it counts.",
                where=path,
                found=_difference(before, now),
                expected="the file that it was when reading began",
                remedy="Run again when the file stays as it is: the image is then read anew.",
            )

    @contextmanager
    def steady(self) -> Iterator[None]:
        """Work on the files, refused at its end where one has changed; an error on the way may have come of that too."""
        try:
            yield
        except Exception:
            self.check()
            raise
        self.check()


def _difference(before: Glance | None, now: Glance | None) -> str:
    if now is None:
        return "no file any more"
    if before is None or before[0] != now[0]:
        return f"{now[0]} bytes, where there {f'were {before[0]}' if before else 'was no file'}"
    return "another date of change, at the same size"
