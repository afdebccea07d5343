"""Arrays on disk, opened, read and written by box; `pipeline.stores.create` makes them.

Two writers inside one shard silently lose data, so every write must start and end on shard borders (or the image
border). Other writes are refused.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from pipeline.arrays.raster import Raster
from pipeline.errors import StoreError, UnalignedWrite
from pipeline.geometry import Box, aligned_boxes
from pipeline.project import workflow_command
from pipeline.stores.foreign import is_foreign
from pipeline.stores.provenance import file_digest
from pipeline.stores.record import check_records
from pipeline.stores.shard_file import StoredShard
from pipeline.stores.shards import Shards

__all__ = [
    "as_array",
    "input_digest",
    "member",
    "open_array",
    "open_group",
    "open_unfinished",
    "raster_of",
    "read_box",
    "write_box",
]


def as_array(group: zarr.Group, name: str) -> zarr.Array[Any]:
    """Array of that name in an open group."""
    found = group[name]
    if not isinstance(found, zarr.Array):
        raise StoreError(
            "The store holds something else under this name.",
            where=name,
            found=type(found).__name__,
            expected="a Zarr array",
            remedy="Delete the store and run again.",
        )
    return found


def open_group(path: Path) -> zarr.Group:
    """Group of a finished store, opened for reading; its metadata and that of its arrays are compared with its record.

    Raises
    ------
    StoreError
        The store is missing, damaged, or was not finished by this package (no provenance, no checksums).
    """
    try:
        check_records(path)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise StoreError(
            "There is no Zarr group.",
            where=path,
            found=str(error),
            expected="a Zarr v3 group",
            remedy=f"Build it: {workflow_command('STAGE')}, with the word of its stage.",
        ) from error
    return zarr.open_group(path, mode="r", zarr_format=3)


def open_unfinished(path: Path) -> zarr.Group:
    """Group of a store that is being written."""
    return zarr.open_group(path, mode="r+", zarr_format=3)


def open_array(path: Path, name: str) -> zarr.Array[Any]:
    """Array of a finished store, opened by its name; children are never listed.

    Snakemake leaves a foreign file inside the folder of a declared output, and listing a group would trip over it.
    """
    return member(open_group(path), name, where=path)


def member(group: zarr.Group, name: str, *, where: Path) -> zarr.Array[Any]:
    """Array of an open group; an error says which array the store lacks.

    Raises
    ------
    StoreError
        The group at ``where`` has no array of this name.
    """
    try:
        return as_array(group, name)
    except KeyError:
        raise StoreError(
            "The store lacks an array.",
            where=where,
            found=f"no array {name!r}",
            expected=f"array {name!r}",
            remedy="Delete the store and run the stage again.",
        ) from None


def read_box(array: zarr.Array[Any], box: Box) -> NDArray[Any]:
    """Pixels of a box of the last two axes, with all leading axes; checksums are compared."""
    return Shards.of(array).read(box)


def raster_of(array: zarr.Array[Any], *plane: int) -> Raster[Any]:
    """Raster of a stored array with all leading axes, or of one of its planes, read in the calling thread."""
    height, width = array.shape[-2:]
    shards = Shards.of(array)
    if not plane:
        return Raster((height, width), shards.read)
    return Raster((height, width), lambda box: shards.plane(box, number=plane[0]))


def write_box(array: zarr.Array[Any], block: NDArray[Any], *, y0: int, x0: int) -> tuple[StoredShard, ...]:
    """Aligned write of a block: its edges lie on shard borders or on the border of the image.

    Parameters
    ----------
    array
        Target; its last two axes are ``y, x``.
    block
        Same leading axes as the array.
    y0, x0
        Where the block's first pixel goes.

    Returns
    -------
    tuple
        The shards that were written; shards that hold only 0 are not written.

    Raises
    ------
    UnalignedWrite
        Another block could share a shard with this one.
    """
    shard = (array.shards or array.chunks)[-2:]
    height, width = array.shape[-2:]
    y1, x1 = y0 + block.shape[-2], x0 + block.shape[-1]
    starts = y0 % shard[0] == 0 and x0 % shard[1] == 0
    ends = (y1 == height or y1 % shard[0] == 0) and (x1 == width or x1 % shard[1] == 0)
    if not (starts and ends and y1 <= height and x1 <= width and block.shape[:-2] == array.shape[:-2]):
        raise UnalignedWrite(
            "A write is not aligned with the shards.",
            where=array.path,
            found=f"y {y0}…{y1}, x {x0}…{x1}, leading axes {block.shape[:-2]}",
            expected=f"borders at multiples of {shard} or at {(height, width)}, leading {array.shape[:-2]}",
            remedy="Write whole shards: two writers in one shard would lose data.",
        )
    shards = Shards.of(array)
    boxes = aligned_boxes(*block.shape[-2:], *shard)
    return tuple(each for box in boxes for each in _write_shard(shards, block, box.shift(y0, x0), y0=y0, x0=x0))


def _write_shard(shards: Shards, block: NDArray[Any], box: Box, *, y0: int, x0: int) -> tuple[StoredShard, ...]:
    chunk = np.zeros((*block.shape[:-2], *shards.chunk), shards.array.dtype)

    def make(part: Box) -> NDArray[Any]:
        if (part.height, part.width) != shards.chunk:  # the last chunk holds pixels beyond the border
            chunk.fill(0)
        chunk[..., : part.height, : part.width] = block[(..., *part.shift(-y0, -x0).slices)]
        return chunk

    return shards.write(box, make)


def input_digest(path: Path) -> str:
    """Digest of an input: of the bytes of a file or another program's store, or of our own store's record of origin."""
    if path.is_dir() and not is_foreign(path):
        record = dict(open_group(path).attrs)["provenance"]
        return hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()
    return file_digest(path)
