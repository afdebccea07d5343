"""Stores: the only place that creates or opens Zarr stores, Parquet tables and atomic files.

arrays              Zarr arrays, read and written by box
atomic              results that appear by atomic rename and resume after a kill
blosc               Blosc buffers of masks, decoded block by block
create              new arrays, groups and OME-Zarr pyramids
digest              digest of plain values
disk                errors of a full disk in plain words
documents           JSON results with their digest
flush               whole-file writes: new name, flush, rename
finished            whether a result is there, made from the same inputs
foreign             OME-Zarr of other programs
image_store         normalised stores: completeness, notes, arrays
input_files         input files of a job that must not change while they are read
job                 frame of a job: facts, record of origin, workers
labels              label pyramids for viewers
model_files         names of the files in the folder of a model
multiscales         OME-Zarr metadata of a pyramid
ome_tiff            OME-TIFF of a normalised image or a probability map
probability_store   probability maps as float16 or bytes
provenance          record of origin; digests of code and files
record              record of a store: shards, digests
shard_file          layout of a shard: chunks, checksums, index
shards              shards written and read chunk by chunk
tables              Parquet tables with their record of origin and digest
verify              every byte of the results compared with its checksum

The names from ``tables`` are imported on first use: most jobs on an image need no pandas.
"""

import importlib
from typing import TYPE_CHECKING

from pipeline.stores.arrays import (
    as_array,
    input_digest,
    member,
    open_array,
    open_group,
    open_unfinished,
    raster_of,
    read_box,
    write_box,
)
from pipeline.stores.create import create_group, create_plane, create_pyramid
from pipeline.stores.record import seal

if TYPE_CHECKING:
    from pipeline.stores.tables import read_noted, read_rows, read_table, table_metadata, write_table

__all__ = [
    "as_array",
    "create_group",
    "create_plane",
    "create_pyramid",
    "input_digest",
    "member",
    "open_array",
    "open_group",
    "open_unfinished",
    "raster_of",
    "read_box",
    "read_noted",
    "read_rows",
    "read_table",
    "seal",
    "table_metadata",
    "write_box",
    "write_table",
]

_OF_TABLES = frozenset({"read_noted", "read_rows", "read_table", "table_metadata", "write_table"})


def __getattr__(name: str) -> object:
    if name not in _OF_TABLES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module("pipeline.stores.tables"), name)
