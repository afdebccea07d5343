"""Results of this package among the files of a folder: runs, predictions, and single stores. They are not data."""

from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath

from pipeline.raw.formats.suffixes import is_store
from pipeline.stores.foreign import is_own
from pipeline.words import named_by_word

__all__ = ["own_results"]

TABLE = PurePosixPath("raw/images.parquet")
"""Table of every data set in a run, relative to its results."""
EXPERIMENTS = "experiments"
"""Folder of comparisons, beside the results of the data sets."""


def own_results(root: Path, paths: Sequence[str]) -> dict[str, list[str]]:
    """Folder or store of results → the paths in it, in text order.

    Parameters
    ----------
    root
        Folder that the paths are relative to.
    paths
        Its files and stores.
    """
    files = [PurePosixPath(path) for path in paths]
    folders = {each.parent.parent for each in files if each.parts[-2:] == TABLE.parts}
    folders |= {each.parent / EXPERIMENTS for each in folders}
    stores = [each for each in files if is_store(each.name) and is_own(root / each)]
    # All results of a predicted image lie in one folder.
    folders |= {each.parent for each in stores if named_by_word(Path(each))}
    found: dict[str, list[str]] = {}
    for path in files:
        place = _outermost(path, folders) or (path if path in stores else None)
        if place is not None:
            found.setdefault(place.as_posix(), []).append(path.as_posix())
    return found


def _outermost(path: PurePosixPath, folders: Iterable[PurePosixPath]) -> PurePosixPath | None:
    above = [each for each in path.parents if each in set(folders)]
    return above[-1] if above else None
