"""Checked files of an image: what stage raw found in them counts as long as their contents are the same."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from pipeline.raw.datasets.entry import Checked, ImageEntry
from pipeline.stores.documents import read_json

__all__ = ["as_checked"]


def as_checked(entry: ImageEntry, *, sheet: Path, digests: Mapping[str, str]) -> ImageEntry:
    """Image entry with what its fact sheet holds, so that files are not looked through again; else as it is.

    Parameters
    ----------
    entry
        The image.
    sheet
        Its fact sheet.
    digests
        SHA-256 of its files as they are now, by the names of ``entry.files``; others are passed over.
    """
    found = read_json(sheet)
    recorded, cuts = found["provenance"]["inputs"], found.get("truth_cuts")
    same = all(name in recorded and recorded[name] == digests.get(name) for name in entry.files)
    if found["rejected"] or cuts is None or not same:
        return entry
    return replace(entry, checked=Checked(tuple(cuts.items())))
