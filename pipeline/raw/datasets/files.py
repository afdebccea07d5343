"""File listing of a data set: visible files below its root, one file per name. Unreadable ones are errors, not absent."""

import os
import stat
from collections.abc import Hashable, Iterable
from pathlib import Path
from typing import NoReturn, TypeVar

from pipeline.errors import ManifestError, MissingDataError
from pipeline.raw.formats.suffixes import is_store

__all__ = ["one_file_each", "visible_files"]

Name = TypeVar("Name", bound=Hashable)


def _refuse(error: OSError) -> NoReturn:
    path = error.filename
    dangling = os.path.islink(path) and not os.path.exists(path)
    raise MissingDataError(
        "A file or folder of the data set cannot be read.",
        where=path,
        found=f"a link to {os.readlink(path)}, which is not there" if dangling else error.strerror or error,
        expected="files and folders that can be read: one that cannot is not an image without lesions",
        remedy="Mount or copy what is missing, grant the right to read it, or take the entry away.",
    ) from error


def _is_file(path: str) -> bool:
    try:
        return stat.S_ISREG(os.stat(path).st_mode)
    except OSError as error:
        error.filename = path
        _refuse(error)


def visible_files(root: Path) -> list[str]:
    """Visible files below a root in text order, links to folders followed, as POSIX paths relative to it.

    Files and folders with names that begin with a dot are skipped. An OME-Zarr folder counts as a file.

    Raises
    ------
    MissingDataError
        A broken link, a folder without read permission, or an input or output error.
    """
    above: dict[str, tuple[str, ...]] = {}
    found = []
    for folder, folders, names in os.walk(root, followlinks=True, onerror=_refuse):
        real = os.path.realpath(folder)
        ancestors = above.get(folder, ())
        if real in ancestors:  # A link to a folder that contains it.
            folders.clear()
            continue
        folders[:] = [each for each in folders if not each.startswith(".")]
        stores = [each for each in folders if is_store(each)]
        folders[:] = [each for each in folders if each not in stores]
        found += [Path(folder, each).relative_to(root).as_posix() for each in stores]
        above |= {os.path.join(folder, each): (*ancestors, real) for each in folders}
        paths = (os.path.join(folder, name) for name in names if not name.startswith("."))
        found += [Path(path).relative_to(root).as_posix() for path in paths if _is_file(path)]
    return sorted(found)


def one_file_each(named: Iterable[tuple[Name, Path]], *, folder: Path, what: str) -> dict[Name, Path]:
    """File of each name.

    Parameters
    ----------
    named
        Name of a file, such as an image, or an image and a class; and the file.
    folder
        Where they lie, for the message.
    what
        Kind of file that an image has once, in the plural: ``masks of one class``.

    Raises
    ------
    ManifestError
        Two files of one name, of which either could count.
    """
    found: dict[Name, Path] = {}
    for name, path in named:
        if found.setdefault(name, path) != path:
            raise ManifestError(
                f"An image has two {what}.",
                where=folder,
                found=f"{found[name]} and {path}",
                expected="one file",
                remedy="Move one of them away.",
            )
    return found
