"""Torn notes of Snakemake, which a power cut leaves because nobody flushes them: their results are made anew.

Snakemake passes over a note that it cannot read. What the result was made of is then unknown, and another value of a
parameter would change nothing. So the result is marked as one that a killed job left.
"""

import json
from pathlib import Path

__all__ = ["mark_torn"]

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
