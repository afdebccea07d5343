"""Atomic results: written under ``.partial``, then renamed into place.

A kill at any point leaves the former result or none, never half of one. The next run continues an unfinished folder (a
Zarr store) whose digest of configuration, code and inputs still matches.
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
    """Path to write one file to; on exit without an error it becomes ``output``."""
    partial = partial_path(output)
    partial.parent.mkdir(parents=True, exist_ok=True)
    _remove(partial)
    yield partial
    output.parent.mkdir(parents=True, exist_ok=True)
    replace_whole(partial, output)


@contextmanager
def folder_in_progress(output: Path, *, digest: str) -> Iterator[Path]:
    """Folder to write to or to continue; on exit without an error it becomes ``output``.

    Before the rename a Zarr store gets its record, and all files are flushed.

    Parameters
    ----------
    output
        The final folder; an older one is replaced.
    digest
        Digest of everything that the content depends on. Files that an earlier run left are kept where its digest is
        the same, else deleted.

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
        _remove(mark)  # First the mark: a half-deleted folder must not pass for the work that the mark names.
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
        os.replace(output, aside)  # Deleting a folder is not atomic, and half of one must not stay there.
    else:
        _remove(output)
    os.replace(partial, output)
    flush(output.parent)
    _remove(partial.with_name(partial.name + BLOCKS))
    _remove(mark)
    _remove(aside)


def is_claimed(partial: Path, *, digest: str) -> bool:
    """Claim test: whether a folder in progress belongs to this digest. A task of a killed run may find another's claim."""
    try:
        return partial.with_name(partial.name + MARK).read_text() == digest
    except FileNotFoundError:
        return False


class FinishedBlocks:
    """Journal beside an unfinished store, listing the blocks that were written whole.

    Used as a context manager around the work on all blocks. A block counts as finished only after its function
    returned, so at most the blocks in flight are done again. The file is removed when the store is finished.
    """

    def __init__(self, partial: Path) -> None:
        self._folder, self._path = partial, partial.with_name(partial.name + BLOCKS)
        self._lock = threading.Lock()
        self._done: frozenset[str] = frozenset()

    def __enter__(self) -> Self:
        """Read the blocks that an earlier run finished, except torn lines and blocks with a torn shard."""
        found = self._path.read_bytes().split(b"\n") if self._path.is_file() else []
        kept = {line: block for line in found if (block := finished_block(line, folder=self._folder)) is not None}
        self._done = frozenset(kept.values())
        write_whole(self._path, [line + b"\n" for line in kept])  # A line appended to a torn one would be torn too.
        return self

    def __exit__(self, *_: object) -> None:
        """Keep the file: the job may be killed before the store is renamed."""

    def once(self, work: Callable[[Box], Iterable[StoredShard]]) -> Callable[[Box], None]:
        """Wrapped function that skips finished blocks and notes the shards of the others."""

        def unless_finished(box: Box) -> None:
            block = f"{box.y0} {box.x0} {box.y1} {box.x1}"
            if block in self._done:
                return
            line = block_line(block, work(box))
            with self._lock, self._path.open("ab") as stream:
                stream.write(line + b"\n")

        return unless_finished


def block_line(name: str, shards: Iterable[StoredShard]) -> bytes:
    """Line with the name of a block, its shards and a checksum."""
    text = json.dumps([name, {each.path: each.facts for each in shards}]).encode()
    return f"{google_crc32c.value(text):08x} ".encode() + text


def finished_block(line: bytes, *, folder: Path) -> str | None:
    """Name of the block in a line whose checksum and shards are all whole."""
    checksum, _, text = line.partition(b" ")
    if checksum != f"{google_crc32c.value(text):08x}".encode() or not text:
        return None
    name, shards = json.loads(text)
    whole = all(is_whole(folder, StoredShard.of(path, facts)) for path, facts in shards.items())
    return str(name) if whole else None
