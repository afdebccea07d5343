"""Atomic results: written under ``.partial``, then renamed into place.

A kill at any point leaves either the former result or none, never half of one. A folder (a Zarr store) whose digest
of configuration, code and inputs still matches is handed back to the next run, which continues it.
"""

import json
import os
import shutil
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

import google_crc32c

from pipeline.geometry import Box
from pipeline.stores.flush import flush, flush_tree, replace_whole, write_whole
from pipeline.stores.record import seal
from pipeline.stores.shard_file import StoredShard, is_whole
from pipeline.words import partial_path

__all__ = [
    "FinishedBlocks",
    "block_line",
    "file_in_progress",
    "finished_block",
    "folder_in_progress",
    "is_claimed",
]


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
    replace_whole(partial, output)


@contextmanager
def folder_in_progress(output: Path, *, digest: str) -> Iterator[Path]:
    """Folder to write to or to continue; on leaving without an error it becomes ``output``.

    Before it has that name a Zarr store gets its record, and all is flushed.

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
    if (partial / "zarr.json").is_file():
        seal(partial)
    flush_tree(partial)
    output.parent.mkdir(parents=True, exist_ok=True)
    if output.is_dir():
        os.replace(output, aside)  # a folder is not deleted at once, and half of one must not stand there
    else:
        _remove(output)
    os.replace(partial, output)
    flush(output.parent)
    _remove(partial.with_name(partial.name + BLOCKS))
    _remove(mark)
    _remove(aside)


def is_claimed(partial: Path, *, digest: str) -> bool:
    """Claim of a folder in progress: whether it is that of a digest; a task of a run that was killed may find that of another."""
    try:
        return partial.with_name(partial.name + MARK).read_text() == digest
    except FileNotFoundError:
        return False


class FinishedBlocks:
    """Finished blocks: those of an unfinished store that were written whole, in a file beside it.

    Used as a context manager around the work on all blocks. A block counts as finished only after its function
    returned, so at most those in flight are done again. The file goes when the store is finished.
    """

    def __init__(self, partial: Path) -> None:
        self._folder, self._path = partial, partial.with_name(partial.name + BLOCKS)
        self._lock = threading.Lock()
        self._done: frozenset[str] = frozenset()

    def __enter__(self) -> Self:
        """Read what an earlier run finished; a torn line does not count, nor does a block with a torn shard."""
        found = self._path.read_bytes().split(b"\n") if self._path.is_file() else []
        kept = {line: block for line in found if (block := finished_block(line, folder=self._folder)) is not None}
        self._done = frozenset(kept.values())
        write_whole(self._path, [line + b"\n" for line in kept])  # a line after a torn one would be torn too
        return self

    def __exit__(self, *_: object) -> None:
        """Keep the file: a job may be killed before the store has its name."""

    def once(self, work: Callable[[Box], Iterable[StoredShard]]) -> Callable[[Box], None]:
        """Function that does nothing for a block that is finished already, and notes the shards of one that is not."""

        def unless_finished(box: Box) -> None:
            block = f"{box.y0} {box.x0} {box.y1} {box.x1}"
            if block in self._done:
                return
            line = block_line(block, work(box))
            with self._lock, self._path.open("ab") as stream:
                stream.write(line + b"\n")

        return unless_finished


def block_line(name: str, shards: Iterable[StoredShard]) -> bytes:
    """Line that names a block and its shards, and carries a checksum."""
    text = json.dumps([name, {each.path: each.facts for each in shards}]).encode()
    return f"{google_crc32c.value(text):08x} ".encode() + text


def finished_block(line: bytes, *, folder: Path) -> str | None:
    """Name of the block of a line, where the line and all its shards are whole."""
    checksum, _, text = line.partition(b" ")
    if checksum != f"{google_crc32c.value(text):08x}".encode() or not text:
        return None
    name, shards = json.loads(text)
    whole = all(is_whole(folder, StoredShard.of(path, facts)) for path, facts in shards.items())
    return str(name) if whole else None
