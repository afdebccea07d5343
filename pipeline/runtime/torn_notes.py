"""Torn and missing notes of Snakemake, in which it records the inputs and parameters of results.

A power cut tears notes, because they are not flushed; their results are made anew. Results without notes, because the
folder ``.snakemake`` was deleted or the run was started from another folder, are reported: a changed parameter would
not remake them.

Snakemake ignores an unreadable note. The origin of the result is then unknown, and a changed parameter would not remake
it. So the result is marked as left by a killed job.
"""

import base64
import json
from collections.abc import Collection
from pathlib import Path

from pipeline.counts import number_of

__all__ = ["mark_torn", "unnoted", "unnoted_sentences"]

NOTES, UNFINISHED = "metadata", "incomplete"
"""Folders with one file of the same name for each result."""


def mark_torn(folder: Path) -> list[Path]:
    """Torn notes; their results are marked as unfinished.

    Parameters
    ----------
    folder
        ``.snakemake`` of the working folder; there may be none.
    """
    torn = [path for path in sorted((folder / NOTES).rglob("*")) if path.is_file() and not _is_whole(path)]
    for path in torn:
        mark = folder / UNFINISHED / path.relative_to(folder / NOTES)
        mark.parent.mkdir(parents=True, exist_ok=True)
        mark.write_text("{}")
    return torn


def _is_whole(path: Path) -> bool:
    try:
        return isinstance(json.loads(path.read_bytes()), dict)
    except ValueError:
        return False
    except FileNotFoundError:  # Deleted meanwhile by a run.
        return True


def unnoted(folder: Path, results: Collection[Path]) -> list[Path]:
    """Results without a note for themselves or their folders.

    Parameters
    ----------
    folder
        ``.snakemake`` of the working folder; there may be none.
    results
        Paths as the workflow names them.
    """
    noted = {_noted(path.relative_to(folder / NOTES)) for path in (folder / NOTES).rglob("*") if path.is_file()}
    return [path for path in results if not noted & {path.as_posix(), *(each.as_posix() for each in path.parents)}]


def _noted(name: Path) -> str:
    # A long name is split into folders that begin with @.
    text = "".join(part.removeprefix("@") for part in name.parts)
    try:
        return base64.urlsafe_b64decode(text).decode()
    except ValueError:
        return ""


def unnoted_sentences(folder: Path, results: Collection[Path]) -> list[str]:
    """Line on results without notes, with number and names; empty without any."""
    found = unnoted(folder, results)
    if not found:
        return []
    said = (
        f"{number_of(len(found), 'result')}, such as {found[0]}, {'was' if len(found) == 1 else 'were'} made from another working folder, or its folder .snakemake is gone, or a job outlived its run. "
        "What lies there is used as it is: that a parameter, the code or an input differs from what they were made of is not seen. "
        "Call the run from the folder in which it began, or delete what is to be made anew."
    )
    return [said]
