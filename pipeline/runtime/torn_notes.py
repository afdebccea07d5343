"""Torn and missing notes of Snakemake, by which it knows what a result was made of.

A power cut leaves torn ones, because nobody flushes them: their results are made anew. Results without any, because the
folder ``.snakemake`` was deleted or the run was called from another folder, are named: a changed parameter would change
nothing.

Snakemake passes over a note that it cannot read. What the result was made of is then unknown, and another value of a
parameter would change nothing. So the result is marked as one that a killed job left.
"""

import base64
import json
from collections.abc import Collection
from pathlib import Path

from pipeline.counts import number_of

__all__ = ["mark_torn", "unnoted", "unnoted_sentences"]

NOTES, UNFINISHED = "metadata", "incomplete"
"""Folders of one file for each result, of the same name."""


def mark_torn(folder: Path) -> list[Path]:
    """Torn notes, whose results are marked as unfinished.

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
    except FileNotFoundError:  # deleted meanwhile by a run
        return True


def unnoted(folder: Path, results: Collection[Path]) -> list[Path]:
    """Results of which, and of whose folders, there is no note.

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
    # A long name is cut into folders that begin with @.
    text = "".join(part.removeprefix("@") for part in name.parts)
    try:
        return base64.urlsafe_b64decode(text).decode()
    except ValueError:
        return ""


def unnoted_sentences(folder: Path, results: Collection[Path]) -> list[str]:
    """Line on results without notes, counted and named; none where there are none."""
    found = unnoted(folder, results)
    if not found:
        return []
    said = (
        f"{number_of(len(found), 'result')}, such as {found[0]}, {'was' if len(found) == 1 else 'were'} made from another working folder, or its folder .snakemake is gone. "
        "What lies there is used as it is: that a parameter, the code or an input differs from what they were made of is not seen. "
        "Call the run from the folder in which it began, or delete what is to be made anew."
    )
    return [said]
