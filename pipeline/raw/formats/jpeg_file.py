"""JPEG file: the check of all its scans, baseline and progressive, before a decoder fills missing data."""

from pathlib import Path

from pipeline.raw.formats.jpeg_progressive import progressive_fault
from pipeline.raw.formats.jpeg_scan import check_scans, extra_remarks
from pipeline.raw.formats.source import unusable

__all__ = ["file_bytes", "jpeg_remarks"]

JPEG_START = b"\xff\xd8"


def file_bytes(path: Path, most: int = -1) -> bytes:
    """First bytes of a file, or all.

    Raises
    ------
    ImageRejected
        It cannot be read.
    """
    try:
        with path.open("rb") as stream:
            return stream.read(most)
    except OSError as error:
        raise unusable(path, error, expected="a file that can be read") from error


def jpeg_remarks(path: Path) -> dict[str, int]:
    """Harmless faults of a JPEG file with their counts; empty for other files.

    Raises
    ------
    ImageRejected
        Damage that changes pixels, which decoders fill silently.
    """
    data = file_bytes(path) if file_bytes(path, 2) == JPEG_START else b""
    check = check_scans(data)
    fault = check.fault if check.known else progressive_fault(data)
    if fault:
        raise unusable(path, f"damaged JPEG: {fault}", expected="a whole image file")
    return extra_remarks(min(check.extra, 1))
