"""Static files of a folder, whole or as a byte range, as Zarr clients need; links that lead out are not followed."""

import mimetypes
import os
import re
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Slice", "content_type", "file_below", "slice_of"]

TYPES = {".geojson": "application/geo+json", ".js": "text/javascript", ".parquet": "application/vnd.apache.parquet"}
_RANGE = re.compile(r"bytes=(\d*)-(\d*)$")


def file_below(root: Path, parts: Sequence[str]) -> Path | None:
    """Regular file in a folder; None where there is none, or where links lead out of the folder.

    Parameters
    ----------
    root
        The folder, which may itself be a link.
    parts
        Names below it, each checked by ``safe_parts``.
    """
    top = Path(os.path.realpath(root))
    path = Path(os.path.realpath(top.joinpath(*parts)))
    try:
        inside = path.is_relative_to(top) and not any(each.startswith(".") for each in path.relative_to(top).parts)
        return path if inside and stat.S_ISREG(path.stat().st_mode) else None
    except (OSError, ValueError):
        return None


def content_type(name: str) -> str:
    """Media type of a file by its name."""
    known = TYPES.get(Path(name).suffix.lower()) or mimetypes.guess_type(name)[0] or "application/octet-stream"
    return f"{known}; charset=utf-8" if known.startswith("text/") or known == "application/json" else known


@dataclass(frozen=True, slots=True)
class Slice:
    """Bytes of a file."""

    start: int
    stop: int
    """First byte after the slice."""
    partial: bool = False

    @property
    def length(self) -> int:
        """Number of bytes."""
        return self.stop - self.start


def slice_of(size: int, header: str | None) -> Slice | None:
    """Bytes requested by a header ``Range``; all without one or with an unsupported one; None for an empty range.

    Examples
    --------
    >>> slice_of(10, "bytes=2-4"), slice_of(10, "bytes=-3"), slice_of(10, "bytes=10-")
    (Slice(start=2, stop=5, partial=True), Slice(start=7, stop=10, partial=True), None)
    >>> slice_of(10, None), slice_of(10, "lines=1-2")
    (Slice(start=0, stop=10, partial=False), Slice(start=0, stop=10, partial=False))

    References
    ----------
    .. [1] RFC 9110, HTTP Semantics, section 14. A server may ignore several ranges and other units.
    """
    found = _RANGE.match((header or "").strip())
    if found is None or found[0] == "bytes=-":
        return Slice(0, size)
    first, last = found[1], found[2]
    if not first:
        start, stop = max(size - int(last), 0), size
    else:
        start, stop = int(first), min(int(last) + 1 if last else size, size)
        if last and int(last) < int(first):
            return Slice(0, size)
    return Slice(start, stop, partial=True) if start < stop else None
