"""Notes of a stage in a store of results, such as windows of a map and flags of an image, and the origin of the store."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.stores import open_group

__all__ = ["store_notes", "store_provenance"]


def store_notes(path: Path) -> Mapping[str, Any]:
    """Notes of the stage that wrote a store, from its attribute ``lesionmap``; empty where there are none."""
    notes: Any = open_group(path).attrs.asdict().get("lesionmap", {})
    return dict(notes)


def store_provenance(path: Path) -> Mapping[str, Any]:
    """Record of origin of a store: configuration, code, inputs, versions, seed."""
    origin: Any = open_group(path).attrs.asdict()["provenance"]
    return dict(origin)
