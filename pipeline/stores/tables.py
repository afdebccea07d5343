"""Tables on disk: Parquet, with their record of origin in the metadata of the file."""

import json
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.errors import StoreError

__all__ = ["read_noted", "read_rows", "read_table", "table_metadata", "write_table"]


def write_table(
    frame: pd.DataFrame,
    path: Path,
    *,
    provenance: Mapping[str, Any],
    extra: Mapping[str, Any] | None = None,
    row_group: int = 100_000,
    ends: Sequence[int] = (),
) -> None:
    """Table written as Parquet (zstd) with its record of origin in the metadata of the file.

    ``pandas.read_parquet`` gives back the types of the columns, categories included. Write to a path from
    ``partial.file_in_progress``: this function itself is not atomic.

    Parameters
    ----------
    frame
        The table.
    path
        The file.
    provenance
        Record of origin.
    extra
        Further notes in the metadata.
    row_group
        Rows of a row group at most.
    ends
        Where row groups end, ascending, the number of rows last; readers skip groups by their statistics.
    """
    table = pa.Table.from_pandas(frame, preserve_index=False)
    notes = {"provenance": provenance, **(extra or {})}
    metadata = {**(table.schema.metadata or {}), **{key: json.dumps(value) for key, value in notes.items()}}
    table = table.replace_schema_metadata(metadata)
    with pq.ParquetWriter(path, table.schema, compression="zstd") as writer:
        for start, end in pairwise([0, *(ends or [len(frame)])]):
            writer.write_table(table.slice(start, end - start), row_group_size=row_group)


def read_table(path: Path) -> pd.DataFrame:
    """Table of a Parquet file that this package wrote.

    Raises
    ------
    StoreError
        Where the file is missing or no Parquet.
    """
    return read_noted(path)[0]


def read_noted(path: Path) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Table of a Parquet file, and the JSON notes in its metadata; errors are those of ``read_table``."""
    file = _opened(path)
    frame: pd.DataFrame = file.read().to_pandas()
    return frame, _notes(file.schema_arrow)


def _opened(path: Path) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(path)
    except (FileNotFoundError, pa.ArrowInvalid) as error:
        raise StoreError(
            "The table cannot be read.",
            where=path,
            found=str(error),
            expected="a Parquet file",
            remedy="Run the stage that writes it again.",
        ) from error


def read_rows(path: Path, **where: str) -> pd.DataFrame:
    """Rows of a table with given values, from the row groups that can hold them; nothing else is decoded.

    The filters of ``pandas.read_parquet`` give the same rows, but decode every group: they do not compare a category
    with the statistics of a group.

    Parameters
    ----------
    path
        A file of ``write_table``.
    **where
        Column of text or categories → value.

    Raises
    ------
    StoreError
        Where the file is missing or no Parquet.

    Examples
    --------
    ``read_rows(path, split="train", image_id="IDRiD_01")``
    """
    file = _opened(path)
    at = {name: file.schema_arrow.get_field_index(name) for name in where}
    groups = [file.metadata.row_group(number) for number in range(file.num_row_groups)]
    kept = [
        number
        for number, group in enumerate(groups)
        if all(_may_hold(group.column(at[name]).statistics, value) for name, value in where.items())
    ]
    frame: pd.DataFrame = file.read_row_groups(kept).to_pandas()
    for name, value in where.items():
        frame = frame[frame[name] == value]
    return frame.reset_index(drop=True)


def _may_hold(statistics: pq.Statistics | None, value: str) -> bool:
    return statistics is None or not statistics.has_min_max or bool(statistics.min <= value <= statistics.max)


def table_metadata(path: Path) -> dict[str, Any]:
    """Metadata of a Parquet file: its JSON notes of a Parquet file, such as ``provenance`` and ``summary``."""
    return _notes(pq.read_schema(path))


def _notes(schema: pa.Schema) -> dict[str, Any]:
    metadata = schema.metadata or {}
    return {
        key.decode(): json.loads(value) for key, value in metadata.items() if key not in (b"pandas", b"ARROW:schema")
    }
