"""Checked files of an image: the findings of stage raw count as long as their contents are unchanged."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from pipeline.errors import ImageRejected
from pipeline.raw.datasets.entry import Checked, ImageEntry
from pipeline.stores.documents import read_json

__all__ = ["as_checked"]


def as_checked(entry: ImageEntry, *, sheet: Path, digests: Mapping[str, str]) -> ImageEntry:
    """Image entry with the content of its fact sheet, so that files are not read through again; without a sheet unchanged.

    Parameters
    ----------
    entry
        The image.
    sheet
        Its fact sheet.
    digests
        SHA-256 of its files as they are now, by the names of ``entry.files``; others are skipped.

    Raises
    ------
    ImageRejected
        A file differs from the one behind the sheet, and so behind the split, the counts and the stains.
    """
    found = read_json(sheet)
    recorded, cuts = found["provenance"]["inputs"], found.get("truth_cuts")
    _check_digests(entry, recorded=recorded, digests=digests)
    same = all(name in recorded and name in digests for name in entry.files)
    if found["rejected"] or cuts is None or not same:
        return entry
    return replace(entry, checked=Checked(tuple(cuts.items())))


def _check_digests(entry: ImageEntry, *, recorded: Mapping[str, str], digests: Mapping[str, str]) -> None:
    for name, path in entry.files.items():
        if name in recorded and name in digests and recorded[name] != digests[name]:
            raise ImageRejected(
                "A file changed after stage raw had read it.",
                where=path,
                found=f"content of digest {digests[name]}",
                expected=f"digest {recorded[name]}, that of {entry.image_id} in its fact sheet",
                remedy="Give the file a new date (touch) and run again: it is then read anew, with all that was made of it.",
            )
