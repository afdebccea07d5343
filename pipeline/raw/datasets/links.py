"""Links of plain names to input files whose own names Snakemake would take for its own, such as ``<word>`` and ``{word}``."""

import hashlib
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

__all__ = ["linked_path", "plain_files"]

FOLDER = ".inputs"
TAKEN = re.compile(r"[{}\x00-\x1f\x7f-\x9f]|<[a-z][a-z0-9_]*>")
"""Braces of wildcards, line breaks and their like, and what stands for a folder of the workflow."""


def _link_to(path: Path, *, folder: Path) -> Path:
    target = os.path.abspath(path)
    link = folder / hashlib.sha256(target.encode()).hexdigest()[:32]
    if not link.is_symlink():
        folder.mkdir(parents=True, exist_ok=True)
        new = link.with_name(f"{link.name}.{os.getpid()}")
        new.symlink_to(target)
        # As old as the file: a link that is made again must make nothing again.
        changed = os.stat(target).st_mtime_ns
        os.utime(new, ns=(changed, changed), follow_symlinks=False)
        new.replace(link)
    return link


def plain_files(files: Mapping[str, Sequence[Path]], *, results: Path) -> dict[str, list[Path]]:
    """Input files of a job as Snakemake can name them: themselves, or links to them where it cannot.

    Parameters
    ----------
    files
        Paths by what they are.
    results
        Folder of the results, which gets a folder of links where one is needed.
    """
    folder = results / FOLDER
    return {
        what: [_link_to(path, folder=folder) if TAKEN.search(str(path)) else path for path in paths]
        for what, paths in files.items()
    }


def linked_path(path: str) -> Path:
    """Path of the file that a link of ``plain_files`` stands for; any other path as it is."""
    found = Path(path)
    return found.readlink() if found.parent.name == FOLDER and found.is_symlink() else found
