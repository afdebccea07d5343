"""Atomic results: written under ``.partial``, then renamed into place.

A kill at any point leaves either the former result or none, never half of one. A folder (a Zarr store) whose digest
of configuration, code and inputs still matches is handed back to the next run, which continues it.
"""

import json
import os
import shutil
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from pipeline.geometry import Box
from pipeline.words import partial_path

__all__ = ["FinishedBlocks", "file_in_progress", "folder_in_progress", "is_claimed", "write_json"]


BLOCKS, MARK = ".blocks", ".digest"


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


@contextmanager
def file_in_progress(output: Path) -> Iterator[Path]:
    """Path to write one file to; on leaving without an error it becomes ``output``."""
    partial = partial_path(output)
    partial.parent.mkdir(parents=True, exist_ok=True)
    _remove(partial)
    yield partial
    output.parent.mkdir(parents=True, exist_ok=True)
    os.replace(partial, output)


def write_json(content: Mapping[str, Any], output: Path) -> None:
    """Small JSON file, written readable and at once."""
    with file_in_progress(output) as partial:
        partial.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


@contextmanager
def folder_in_progress(output: Path, *, digest: str) -> Iterator[Path]:
    """Folder to write to or to continue; on leaving without an error it becomes ``output``.

    Parameters
    ----------
    output
        The final folder; an older one there is replaced.
    digest
        Digest of everything that the content depends on. What an earlier run left is kept where its digest is the
        same, and deleted otherwise.

    Yields
    ------
    Path
        The folder. The digest lies beside it, not in it, so that nothing foreign ends in the result.
    """
    partial = partial_path(output)
    mark, aside = partial.with_name(partial.name + MARK), partial.with_name(partial.name + ".old")
    partial.parent.mkdir(parents=True, exist_ok=True)
    _remove(aside)
    if not is_claimed(partial, digest=digest):
        _remove(mark)  # first: what is half deleted must not pass for the work of whom the mark names
        _remove(partial.with_name(partial.name + BLOCKS))
        _remove(partial)
        temporary = mark.with_name(mark.name + ".new")
        temporary.write_text(digest)
        os.replace(temporary, mark)
    if not partial.is_dir():
        _remove(partial.with_name(partial.name + BLOCKS))
        partial.mkdir()
    yield partial
    output.parent.mkdir(parents=True, exist_ok=True)
    if output.is_dir():
        os.replace(output, aside)  # a folder is not deleted at once, and half of one must not stand there
    else:
        _remove(output)
    os.replace(partial, output)
    _remove(mark)
    _remove(aside)


def is_claimed(partial: Path, *, digest: str) -> bool:
    """Claim of a folder in progress: whether it is that of a digest; a task of a run that was killed may find that of another."""
    try:
        return partial.with_name(partial.name + MARK).read_text() == digest
    except FileNotFoundError:
        return False


class FinishedBlocks:
    """Finished blocks: those of an unfinished store that were written whole, in a file beside it; gone when all are.

    Used as a context manager around the work on all blocks. A block counts as finished only after its function
    returned, so at most those in flight are done again.
    """

    def __init__(self, partial: Path) -> None:
        self._path = partial.with_name(partial.name + BLOCKS)
        self._lock = threading.Lock()
        self._done: frozenset[str] = frozenset()

    def __enter__(self) -> Self:
        """Read what an earlier run finished; a torn last line does not count."""
        if self._path.is_file():
            self._done = frozenset(line for line in self._path.read_text().split("\n")[:-1])
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Forget the blocks once all are finished."""
        if kind is None:
            self._path.unlink(missing_ok=True)

    def once(self, work: Callable[[Box], None]) -> Callable[[Box], None]:
        """Function that does nothing for a block that is finished already."""

        def unless_finished(box: Box) -> None:
            line = f"{box.y0} {box.x0} {box.y1} {box.x1}"
            if line in self._done:
                return
            work(box)
            with self._lock, self._path.open("a") as stream:
                stream.write(line + "\n")

        return unless_finished
