"""Shard files: compressed chunks, each with a CRC32C, then a table of these checksums, then Zarr's index with its own.

Zarr can read the file: its ``sharding_indexed`` codec takes chunks from wherever the index says. The table lies between
the chunks and the index. Its checksum is in the record of the store, which distinguishes shards whose chunks have equal
sizes.
"""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import google_crc32c
import numpy as np
from numpy.typing import NDArray

from pipeline.errors import StoreError
from pipeline.stores.model_files import made_with

__all__ = ["CHECKSUM", "MISSING", "Place", "StoredShard", "Table", "damaged", "is_whole", "read_table", "shard_parts"]

Place = tuple[int, ...]
"""Number of a chunk in its shard along each axis."""

MISSING = np.iinfo(np.uint64).max
"""Offset and length of a chunk that holds nothing but the fill value."""
CHECKSUM = 4
"""Bytes of a CRC32C."""
ROW = CHECKSUM + 16
"""Bytes of the table and of the index for one chunk."""


@dataclass(frozen=True, slots=True)
class StoredShard:
    """Shard as it was written: its place, and the size and checksum that identify it."""

    path: str
    """Below the folder of the store."""
    size: int
    """Bytes of the file."""
    chunks: int
    """Number of chunks that it can hold."""
    checksum: int
    """CRC32C of its table and index, which contain the checksums of its chunks."""

    @property
    def facts(self) -> str:
        """Size, chunks and checksum, as stored in the record of a store."""
        return f"{self.size} {self.chunks} {self.checksum:08x}"

    @classmethod
    def of(cls, path: str, facts: str) -> "StoredShard":
        """Shard from a record; ValueError for a text that is no such record."""
        size, chunks, checksum = facts.split(" ")
        return cls(path, int(size), int(chunks), int(checksum, 16))


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """Table and index of a shard: where its chunks lie, and their checksums."""

    checksums: NDArray[np.uint32]
    """CRC32C of each chunk, flat; 0 for a chunk that is not stored."""
    index: NDArray[np.uint64]
    """Offset and length of each chunk and its checksum, ``(chunk, 2)``."""
    shard: StoredShard
    """The shard as found on disk."""


def damaged(path: Path, *, found: object, expected: object, result: Path | None = None) -> StoreError:
    """Error for a file whose bytes are not those that were written."""
    together = " and ".join(str(each) for each in (result or path, made_with(path)) if each is not None)
    return StoreError(
        "A result is damaged.",
        where=path,
        found=found,
        expected=expected,
        remedy=f"Delete {together} and run again: it is made anew.",
    )


def shard_parts(encoded: Iterable[tuple[int, bytes]], *, chunks: int, path: str) -> tuple[list[bytes], StoredShard]:
    """Content of a shard file, in parts, and its entry in the record.

    Parameters
    ----------
    encoded
        Number of each chunk, row-major in the shard, and its compressed bytes; chunks of the fill value are left out.
    chunks
        Number of chunks that the shard can hold.
    path
        Below the folder of the store.
    """
    checksums, index = np.zeros(chunks, "<u4"), np.full((chunks, 2), MISSING, "<u8")
    parts: list[bytes] = []
    at = 0
    for number, data in encoded:
        checksums[number] = google_crc32c.value(data)
        index[number] = at, len(data) + CHECKSUM
        parts += [data, checksums[number].tobytes()]
        at += len(data) + CHECKSUM
    table = index.tobytes()
    table = checksums.tobytes() + table + _checksum(table)
    return [*parts, table], StoredShard(path, at + len(table), chunks, google_crc32c.value(table))


def _checksum(raw: bytes) -> bytes:
    return int(google_crc32c.value(raw)).to_bytes(CHECKSUM, "little")


def read_table(descriptor: int, *, path: str, chunks: int) -> Table:
    """Table and index of an open shard file.

    Raises
    ------
    ValueError
        They are not what was written.
    """
    size, length = os.fstat(descriptor).st_size, ROW * chunks + CHECKSUM
    raw = os.pread(descriptor, length, max(size - length, 0))
    table, index, checksum = raw[: CHECKSUM * chunks], raw[CHECKSUM * chunks : -CHECKSUM], raw[-CHECKSUM:]
    if len(raw) != length or _checksum(index) != checksum:
        raise ValueError("an index that does not fit its checksum")
    shard = StoredShard(path, size, chunks, google_crc32c.value(raw))
    return Table(np.frombuffer(table, "<u4"), np.frombuffer(index, "<u8").reshape(chunks, 2), shard)


def is_whole(folder: Path, shard: StoredShard) -> bool:
    """Test for an intact shard file, with every byte of its chunks checked."""
    return fault(folder, shard) is None


def fault(folder: Path, shard: StoredShard) -> str | None:
    """Fault of a shard file, with every byte of its chunks checked; None where it is intact."""
    try:
        descriptor = os.open(folder / shard.path, os.O_RDONLY)
    except OSError:
        return "nothing"
    try:
        table = read_table(descriptor, path=shard.path, chunks=shard.chunks)
        if table.shard != shard:
            return table.shard.facts
        for number, (at, length) in enumerate(table.index.tolist()):
            if at != MISSING:
                read_chunk(descriptor, table, number=number)
                if os.pread(descriptor, CHECKSUM, at + length - CHECKSUM) != table.checksums[number].tobytes():
                    return f"chunk {number} with another checksum behind it"
    except ValueError as problem:
        return str(problem)
    finally:
        os.close(descriptor)
    return None


def read_chunk(descriptor: int, table: Table, *, number: int) -> bytes:
    """Compressed bytes of a chunk; ValueError where they do not match their checksum."""
    at, length = table.index[number].tolist()
    data = os.pread(descriptor, length - CHECKSUM, at)
    if len(data) != length - CHECKSUM or google_crc32c.value(data) != table.checksums[number]:
        raise ValueError(f"chunk {number} that does not fit its checksum")
    return data
