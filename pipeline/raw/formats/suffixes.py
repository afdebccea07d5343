"""Suffixes of files that are read piece by piece; a file of any other name is decoded whole."""

from pathlib import PurePath

__all__ = ["SLIDES", "TIFF", "decoded_whole"]

TIFF = (".tif", ".tiff", ".svs", ".btf", ".tf8", ".qptiff")
SLIDES = (".mrxs", ".ndpi", ".scn", ".bif", ".vms", ".vmu", ".dcm", ".svslide", ".czi")


def decoded_whole(name: str) -> bool:
    """Whole decoding: whether a file of this name can only be decoded whole.

    Examples
    --------
    >>> decoded_whole("a.JPG"), decoded_whole("a.svs")
    (True, False)
    """
    return PurePath(name).suffix.lower() not in (*TIFF, *SLIDES)
