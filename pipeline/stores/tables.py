"""Tables on disk: Parquet files with the record of origin and the digest of the file in their metadata.

Parquet's own checksums cover only pages: a flipped bit in the footer would change statistics, types or notes. So the
footer holds the SHA-256 of the whole file, computed with zeros in place of the digest.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.errors import StoreError
from pipeline.stores.digest import older
from pipeline.stores.shard_file import damaged

__all__ = ["check_table", "read_noted", "read_rows", "read_table", "table_metadata", "write_table"]

KEY = "lesionmap_sha256"
"""Key of the digest in the footer; it precedes the value."""
ZEROS = b"0" * 64
VALUE = 2
"""Bytes between key and value: Thrift's mark of a text, and its length."""


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

    ``pandas.read_parquet`` restores the types of the columns, categories included. Write to a path from
    ``atomic.file_in_progress``: this function itself is not atomic.

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
        Most rows of a row group.
    ends
        Where row groups end, ascending, the number of rows last; readers skip groups by their statistics.
    """
    table = pa.Table.from_pandas(frame, preserve_index=False)
    notes = {"provenance": provenance, **(extra or {})}
    metadata = {**(table.schema.metadata or {}), **{key: json.dumps(value) for key, value in notes.items()}}
    table = table.replace_schema_metadata(metadata)
    with pq.ParquetWriter(path, table.schema, compression="zstd", write_page_checksum=True) as writer:
        for start, end in pairwise([0, *(ends or [len(frame)])]):
            writer.write_table(table.slice(start, end - start), row_group_size=row_group)
        writer.add_key_value_metadata({KEY: ZEROS.decode()})
    at = _digest_place(path.read_bytes())
    assert at is not None  # written just above
    with path.open("r+b") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
        stream.seek(at)
        stream.write(digest.encode())


def _digest_place(raw: bytes) -> int | None:
    """Position of the digest in the bytes of a file: after the last such key and the mark and length of its value."""
    key = raw.rfind(KEY.encode())
    return None if key < 0 else key + len(KEY) + VALUE


def read_table(path: Path, *, foreign: bool = False) -> pd.DataFrame:
    """Table of a Parquet file written by this package or, where ``foreign``, by another program.

    Raises
    ------
    StoreError
        Where the file is missing or no Parquet.
    """
    frame: pd.DataFrame = _opened(path, foreign=foreign).read().to_pandas()
    return frame


def read_noted(path: Path) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Table of a Parquet file, and the JSON notes in its metadata; errors are those of ``read_table``."""
    file = _opened(path)
    frame: pd.DataFrame = file.read().to_pandas()
    return frame, _notes(file.schema_arrow)


def check_table(path: Path, *, foreign: bool = False) -> bytes:
    """Bytes of a Parquet file, checked against the digest in it.

    Parameters
    ----------
    path
        A file of ``write_table``.
    foreign
        Whether the file may be another program's, without a digest.

    Raises
    ------
    FileNotFoundError
        There is no file.
    StoreError
        The file was damaged or changed, or is of an older version.
    """
    raw = path.read_bytes()
    at = _digest_place(raw)
    if at is None:
        if not foreign and raw[-4:] == b"PAR1":
            raise older(path)
        if not foreign:
            raise damaged(path, found=f"{len(raw)} bytes without the end of a Parquet file", expected="the whole table")
        return raw
    noted = raw[at : at + len(ZEROS)]
    digest = hashlib.sha256(raw[:at])
    digest.update(ZEROS)
    digest.update(raw[at + len(ZEROS) :])
    if digest.hexdigest().encode() != noted:
        found = f"content of digest {digest.hexdigest()}"
        raise damaged(path, found=found, expected=f"digest {noted.decode(errors='replace')}")
    return raw


def _opened(path: Path, *, foreign: bool = False) -> pq.ParquetFile:
    try:
        content = pa.BufferReader(check_table(path, foreign=foreign))
        return pq.ParquetFile(content, page_checksum_verification=True)
    except (FileNotFoundError, pa.ArrowInvalid) as error:
        raise StoreError(
            "The table cannot be read.",
            where=path,
            found=str(error),
            expected="a Parquet file",
            remedy="Delete it and run again: it is made anew.",
        ) from error


def read_rows(path: Path, **where: str) -> pd.DataFrame:
    """Rows of a table with given values; only the row groups that can hold them are decoded.

    The filters of ``pandas.read_parquet`` give the same rows but decode every group, because they do not compare
    categories with the statistics of a group.

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
    """Metadata of a Parquet file: its JSON notes, such as ``provenance`` and ``summary``."""
    return _notes(_opened(path).schema_arrow)


def _notes(schema: pa.Schema) -> dict[str, Any]:
    metadata = schema.metadata or {}
    return {
        key.decode(): json.loads(value) for key, value in metadata.items() if key not in (b"pandas", b"ARROW:schema")
    }
