"""Suffixes of files that are read piece by piece; a file of any other name is decoded whole."""

from pathlib import PurePath

__all__ = ["SLIDES", "TIFF", "ZARR", "decoded_whole", "is_store"]

TIFF = (".tif", ".tiff", ".svs", ".btf", ".tf8", ".qptiff")
ZARR = ".zarr"
"""Ending of a folder that is one picture: OME-Zarr."""
SLIDES = (".mrxs", ".ndpi", ".scn", ".bif", ".vms", ".vmu", ".dcm", ".svslide", ".czi")


def is_store(name: str) -> bool:
    """Kind of a folder: whether its name is that of a picture in OME-Zarr."""
    return PurePath(name).suffix.lower() == ZARR


def decoded_whole(name: str) -> bool:
    """Whole decoding: whether a file of this name can only be decoded whole.

    Examples
    --------
    >>> decoded_whole("a.JPG"), decoded_whole("a.svs")
    (True, False)
    """
    return PurePath(name).suffix.lower() not in (*TIFF, *SLIDES, ZARR)
