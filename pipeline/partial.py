"""How does a result come into being at once? Written under ``.partial``, then renamed into place.

A kill at any point leaves either the former result or none, never half of one. A folder (a Zarr store) whose digest
of configuration, code and inputs still matches is handed back to the next run, which continues it.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.words import partial_path

__all__ = ["file_in_progress", "folder_in_progress"]


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


@contextmanager
def file_in_progress(output: Path) -> Iterator[Path]:
    """A path to write one file to; on leaving without an error it becomes ``output``."""
    partial = partial_path(output)
    partial.parent.mkdir(parents=True, exist_ok=True)
    _remove(partial)
    yield partial
    output.parent.mkdir(parents=True, exist_ok=True)
    os.replace(partial, output)


@contextmanager
def folder_in_progress(output: Path, *, digest: str) -> Iterator[Path]:
    """A folder to write to or to continue; on leaving without an error it becomes ``output``.

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
    mark = partial.with_name(partial.name + ".digest")
    partial.parent.mkdir(parents=True, exist_ok=True)
    if not (mark.is_file() and mark.read_text() == digest):
        _remove(partial)
        _remove(mark)
        temporary = mark.with_name(mark.name + ".new")
        temporary.write_text(digest)
        os.replace(temporary, mark)
    partial.mkdir(exist_ok=True)
    yield partial
    _remove(output)
    output.parent.mkdir(parents=True, exist_ok=True)
    os.replace(partial, output)
    _remove(mark)
