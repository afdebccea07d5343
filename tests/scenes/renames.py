"""Renames of a test: which files got their names, in what order, and whether their bytes were on the disk before."""

import os
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Rename", "recorded_renames"]


@dataclass(frozen=True, slots=True)
class Rename:
    """Rename of a file."""

    path: Path
    flushed: bool
    """Whether the file was flushed before."""


def recorded_renames(monkeypatch):
    """List of renames, which grows as they happen."""
    found, flushed, fsync, replace = [], set(), os.fsync, os.replace

    def note_flush(file):
        flushed.add(os.readlink(f"/proc/self/fd/{file}"))
        fsync(file)

    def note_rename(source, target, **options):
        found.append(Rename(Path(target), os.path.realpath(source) in flushed))
        replace(source, target, **options)

    monkeypatch.setattr(os, "fsync", note_flush)
    monkeypatch.setattr(os, "replace", note_rename)
    return found
