"""Journal of an unfinished store: marks of finished blocks, and sent halos, as small files beside it.

A halo is written before its block is finished, and deleted when its receiver is finished. So after a kill the next job
knows which blocks need no recomputation: finished ones whose halos are either used or still there.

A mark names the shards of its block, and a halo carries a CRC32C. When a journal is opened both are checked against the
disk, and incomplete ones are dropped, because a power cut destroys data that was not flushed.
"""

import io
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import google_crc32c
import numpy as np
from numpy.lib.format import header_data_from_array_1_0, write_array_header_1_0
from numpy.typing import NDArray

from pipeline.probability.fusion.halo import Side
from pipeline.probability.plan import Block
from pipeline.stores.atomic import block_line, finished_block
from pipeline.stores.flush import write_whole
from pipeline.stores.shard_file import CHECKSUM, StoredShard, damaged

__all__ = ["Journal"]


@dataclass(frozen=True, slots=True)
class Journal:
    """Marks and halos of one store in a separate folder, which is deleted when the store is finished."""

    folder: Path

    def is_done(self, block: Block) -> bool:
        """Test for a finished block: whether it is in the store, at every level."""
        return self._mark(block).exists()

    def set_done(self, block: Block, shards: Iterable[StoredShard] = ()) -> None:
        """Record that the block is in the store, in these shards."""
        mark = self._mark(block)
        write_whole(mark, [block_line(mark.name, shards)])

    def has_halo(self, block: Block, side: Side) -> bool:
        """Test for the halo of a block: whether it is stored here."""
        return self._halo(block, side).exists()

    def write_halo(self, block: Block, side: Side, sums: NDArray[np.float32]) -> None:
        """Write sums ``(map, y, x)`` of a halo; a kill leaves the whole halo or none."""
        whole = np.ascontiguousarray(sums)
        header = _header(whole)
        write_whole(self._halo(block, side), [header, whole.data, _checksum(header, whole)])

    def read_halo(self, block: Block, side: Side) -> NDArray[np.float32]:
        """Sums ``(map, y, x)`` of a halo.

        Raises
        ------
        StoreError
            It is not what was written.
        """
        path = self._halo(block, side)
        sums = _read(path)
        if sums is None:
            raise damaged(path, found="other bytes", expected="a halo that fits its checksum", result=self.folder)
        return sums

    def delete_halo(self, block: Block, side: Side) -> None:
        """Delete a halo after its last use."""
        self._halo(block, side).unlink(missing_ok=True)

    def open(self, store: Path, *, fresh: bool) -> None:
        """Make the folder; delete its content for a new store, else only incomplete files.

        Parameters
        ----------
        store
            Folder of the unfinished store that the marks refer to.
        fresh
            Whether the store is new.
        """
        if fresh:
            self.close()
        self.folder.mkdir(parents=True, exist_ok=True)
        for mark in self.folder.glob("*.done"):
            if finished_block(mark.read_bytes(), folder=store) != mark.name:
                mark.unlink()
        for halo in self.folder.glob("*.npy"):
            if _read(halo) is None:
                halo.unlink()

    def close(self) -> None:
        """Delete the folder."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _mark(self, block: Block) -> Path:
        return self.folder / f"{block.row}_{block.column}.done"

    def _halo(self, block: Block, side: Side) -> Path:
        return self.folder / f"{block.row}_{block.column}.{side}.npy"


def _header(sums: NDArray[np.float32]) -> bytes:
    header = io.BytesIO()
    write_array_header_1_0(header, header_data_from_array_1_0(sums))
    return header.getvalue()


def _checksum(header: bytes, sums: NDArray[np.float32]) -> bytes:
    checksum = google_crc32c.extend(google_crc32c.value(header), sums)
    return int(checksum).to_bytes(CHECKSUM, "little")


def _read(halo: Path) -> NDArray[np.float32] | None:
    """Sums of a halo; None if its bytes are not those that were written."""
    with halo.open("rb") as stream:
        try:
            sums: NDArray[np.float32] = np.load(stream)
        except (ValueError, EOFError):
            return None
        return sums if stream.read() == _checksum(_header(sums), sums) else None
