"""Finished results, recognised by their record of origin; the workflow itself goes by file times."""

from pathlib import Path

from pipeline.errors import StoreError
from pipeline.stores import open_group
from pipeline.stores.documents import read_json
from pipeline.stores.provenance import Provenance

__all__ = ["is_finished"]


def is_finished(path: Path, *, provenance: Provenance) -> bool:
    """Test for a finished result: whether a store or JSON file carries exactly this record of origin.

    Parameters
    ----------
    path
        A Zarr store, or a file whose JSON has a key ``provenance``.
    provenance
        The record that the result would get now.
    """
    try:
        if path.is_dir():
            found: object = dict(open_group(path).attrs)["provenance"]
        else:
            found = read_json(path)["provenance"]
    except (StoreError, OSError, ValueError, KeyError, TypeError):
        return False
    return found == provenance.as_attributes()
