"""OME-Zarr of other programs, Zarr v2 or v3: metadata and arrays, opened for reading only."""

import json
from pathlib import Path
from typing import Any

import zarr

from pipeline.errors import StoreError

__all__ = ["is_foreign", "is_own", "open_foreign"]

V3, V2 = "zarr.json", ".zattrs"
"""File of the attributes of a group."""


def is_foreign(folder: Path) -> bool:
    """Test for a foreign store: whether a folder is a store that does not name this package."""
    try:
        attributes = json.loads((folder / V3).read_bytes()).get("attributes", {})
    except (OSError, ValueError, AttributeError):
        return (folder / V2).is_file()
    return "ome" in attributes and "provenance" not in attributes


def is_own(folder: Path) -> bool:
    """Test for an own store: whether this package wrote the store in a folder."""
    try:
        return "provenance" in json.loads((folder / V3).read_bytes()).get("attributes", {})
    except (OSError, ValueError, AttributeError):
        return False


def open_foreign(folder: Path) -> tuple[zarr.Group, dict[str, Any]]:
    """Group and its OME metadata: attribute ``ome`` of version 0.5, the attributes themselves of version 0.4.

    Raises
    ------
    StoreError
        No Zarr group, or one with damaged metadata.
    """
    try:
        group = zarr.open_group(folder, mode="r")
        attributes = group.attrs.asdict()
    except Exception as problem:
        raise StoreError(
            "There is no Zarr group.",
            where=folder,
            found=f"{type(problem).__name__}: {problem}",
            expected="a folder of OME-Zarr 0.4 or 0.5",
            remedy="Give the folder that holds zarr.json or .zattrs.",
        ) from problem
    ome: Any = attributes.get("ome", attributes)
    return group, dict(ome)
