"""Parts of a slide: the files with its data, where the named file is only their list or one of them."""

import re
from functools import lru_cache
from pathlib import Path

__all__ = ["part_files"]

MIRAX, HAMAMATSU, DICOM = (".mrxs",), (".vms", ".vmu"), (".dcm",)
SERIES = re.compile(rb"\x20\x00\x0e\x00(?:UI(..)|(..)\x00\x00)", re.DOTALL)
"""Tag SeriesInstanceUID (0020,000E) of DICOM, little-endian, and the length of its value, with and without a type."""
LOOKED_AT = 2**20
"""Bytes of a DICOM file searched for its series, which precedes the pixels."""


def part_files(path: Path) -> tuple[Path, ...]:
    """Files beside a slide that hold its pixels, in text order; none for a slide that is one file.

    MIRAX names a folder, Hamamatsu's VMS and VMU name image files, and all DICOM files of a series in one folder belong
    together. Missing files are not listed; opening the slide reports them.

    Parameters
    ----------
    path
        The file named as the image.
    """
    suffix = path.suffix.lower()
    if suffix in MIRAX:
        found = _files(path.with_suffix(""))
    elif suffix in HAMAMATSU:
        found = _named(path)
    elif suffix in DICOM:
        found = _of_series(path)
    else:
        return ()
    return tuple(sorted(each for each in set(found) if each != path))


def _files(folder: Path) -> list[Path]:
    return [each for each in folder.iterdir() if each.is_file()] if folder.is_dir() else []


def _named(path: Path) -> list[Path]:
    lines = path.read_text("utf-8", errors="replace").splitlines() if path.is_file() else []
    names = [line.partition("=")[2].strip() for line in lines]
    found = [path.with_name(name) for name in names if name and Path(name).name == name]
    return [each for each in found if each.is_file()]


def _of_series(path: Path) -> list[Path]:
    own = _series_of(path)
    return [each for each in _files(path.parent) if each.suffix.lower() in (*DICOM, "") and own & _series_of(each)]


def _series_of(path: Path) -> frozenset[bytes]:
    if not path.is_file():
        return frozenset()
    now = path.stat()
    return _series(path, now.st_size, now.st_mtime_ns)


@lru_cache(maxsize=65536)
def _series(path: Path, _size: int, _changed: int) -> frozenset[bytes]:
    """Series of a DICOM file, or one that it refers to."""
    with path.open("rb") as stream:
        head = stream.read(LOOKED_AT)
    lengths = ((each.end(), int.from_bytes(each[1] or each[2], "little")) for each in SERIES.finditer(head))
    return frozenset(head[at : at + length].strip(b" \0") for at, length in lengths if 0 < length <= 64)
