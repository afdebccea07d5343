"""Notes of a stage in a store of results: windows of a map, flags of an image."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.stores import open_group

__all__ = ["store_notes"]


def store_notes(path: Path) -> Mapping[str, Any]:
    """Notes of the stage that wrote a store, its attribute ``lesionmap``; empty where it left none."""
    notes: Any = open_group(path).attrs.asdict().get("lesionmap", {})
    return dict(notes)
