"""How do arrays and tables reach the disk? The only place that creates or opens Zarr stores and Parquet files."""

from pipeline.stores.arrays import (
    as_array,
    create_group,
    create_plane,
    create_pyramid,
    input_digest,
    member,
    open_array,
    open_group,
    raster_of,
    read_box,
    use_threads,
    write_box,
)
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
    "raster_of",
    "read_box",
    "read_noted",
    "read_rows",
    "read_table",
    "table_metadata",
    "use_threads",
    "write_box",
    "write_table",
]
