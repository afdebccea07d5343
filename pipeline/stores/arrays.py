"""Arrays on disk: Zarr v3, sharded, Blosc with bitshuffle; images are OME-Zarr 0.5 pyramids.

Two writers inside one shard silently lose data, so every write must start and end on shard borders (or the image
border): others are refused.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import DTypeLike, NDArray
from zarr.codecs import BloscCodec, Crc32cCodec
from zarr.core.buffer import default_buffer_prototype
from zarr.storage import LocalStore

from pipeline.arrays.raster import Raster
from pipeline.config import Storage
from pipeline.errors import StoreError, UnalignedWrite
from pipeline.geometry import Box, aligned_boxes
from pipeline.stores.flush import write_whole
from pipeline.stores.multiscales import multiscales
from pipeline.stores.provenance import file_digest
from pipeline.stores.record import check_records
from pipeline.stores.shard_file import StoredShard
from pipeline.stores.shards import Shards

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
    "write_box",
]


def _fitting(size: int, *, chunk: int, shard: int) -> tuple[int, int]:
    # A shard larger than the image wastes nothing on disk but costs memory when written: shrink it to whole chunks.
    chunk = min(chunk, shard)
    return chunk, min(shard, -(-size // chunk) * chunk)


def create_plane(
    group: zarr.Group,
    name: str,
    *,
    shape: tuple[int, ...],
    dtype: DTypeLike,
    storage: Storage,
    shard: int | None = None,
) -> zarr.Array[Any]:
    """New array whose last two axes are ``y, x``; leading axes are whole in every chunk.

    Parameters
    ----------
    group
        A group opened for writing.
    name
        Name inside the group. Shards of an earlier run there are kept; the record of the array is written anew, because
        that one may be torn.
    shape
        ``(y, x)`` or ``(c, y, x)``.
    dtype
        Type of the elements.
    storage
        Chunk, shard and codec.
    shard
        Side of a shard where it differs from the configured one (coarser pyramid levels).
    """
    side = shard or storage.shard
    chunk_y, shard_y = _fitting(shape[-2], chunk=storage.chunk, shard=side)
    chunk_x, shard_x = _fitting(shape[-1], chunk=storage.chunk, shard=side)
    axes = ("c", "y", "x")[-len(shape) :]
    codec = BloscCodec(cname=storage.codec, clevel=storage.level, shuffle="bitshuffle")
    described = zarr.create_array(
        {},
        shape=shape,
        dtype=np.dtype(dtype),
        chunks=(*shape[:-2], chunk_y, chunk_x),
        shards=(*shape[:-2], shard_y, shard_x),
        compressors=(codec, Crc32cCodec()),
        fill_value=0,
        dimension_names=axes,
    )
    _describe(_folder(group) / name, described)
    return as_array(group, name)


def _describe(folder: Path, node: zarr.Array[Any] | zarr.Group) -> None:
    content = node.metadata.to_buffer_dict(default_buffer_prototype())["zarr.json"]
    write_whole(folder / "zarr.json", [content.to_bytes()])


def _folder(group: zarr.Group) -> Path:
    store = group.store_path.store
    assert isinstance(store, LocalStore)  # made by create_group
    return Path(store.root) / group.path


def create_group(path: Path, *, attributes: Mapping[str, Any]) -> zarr.Group:
    """Group, created or continued: what lies below it is kept, what it says of itself is written anew."""
    _describe(path, zarr.create_group({}, attributes=dict(attributes), zarr_format=3))
    return open_unfinished(path)


def create_pyramid(
    path: Path,
    *,
    channels: Sequence[str],
    shapes: Sequence[tuple[int, int]],
    dtype: DTypeLike,
    storage: Storage,
    provenance: Mapping[str, Any],
    pixel_size_um: float | None = None,
    extra: Mapping[str, Any] | None = None,
) -> zarr.Group:
    """OME-Zarr 0.5 image ``(c, y, x)`` with levels ``0``, ``1``, …, created or continued.

    Each level's shard is half the side of the one before, so that the block of the image which fills one shard of
    level 0 fills exactly one shard of each coarser level too.

    Parameters
    ----------
    path
        Folder of the store.
    channels
        Name of each channel.
    shapes
        ``(height, width)`` of each level, finest first.
    dtype
        Type of the elements.
    storage
        Chunk, shard and codec.
    provenance
        Record of origin, written as attribute ``provenance``.
    pixel_size_um
        Side of a pixel of level 0 in micrometres; without it scales are in pixels.
    extra
        Further attributes of the group.
    """
    largest = np.iinfo(dtype).max if np.issubdtype(dtype, np.integer) else 1
    ome = multiscales(path.stem, shapes, channels, pixel_size_um, largest=largest)
    attributes = {"ome": ome, "provenance": dict(provenance)}
    group = create_group(path, attributes={**attributes, **(extra or {})})
    for level, (height, width) in enumerate(shapes):
        shard = max(storage.shard >> level, 1)
        create_plane(group, str(level), shape=(len(channels), height, width), dtype=dtype, storage=storage, shard=shard)
    return group


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
    """Group of a finished store, opened for reading; what it says of itself and its arrays is compared with its record.

    Raises
    ------
    StoreError
        Where there is none, one that this package did not finish (no provenance, no checksums), or a damaged one.
    """
    try:
        check_records(path)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise StoreError(
            "There is no Zarr group.",
            where=path,
            found=str(error),
            expected="a Zarr v3 group",
            remedy="Build it: run snakemake for this stage.",
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
    """Array of an open group, or an error that says what the store lacks.

    Raises
    ------
    StoreError
        Where the group, which lies at ``where``, has no array of this name.
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
    """Pixels of a box of the last two axes, compared with their checksums; leading axes come whole."""
    return Shards.of(array).read(box)


def raster_of(array: zarr.Array[Any], *plane: int) -> Raster[Any]:
    """Raster of a stored array, leading axes whole, or of one plane of it, read in the thread that asks."""
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
        The shards as they were written; none for those that hold only 0.

    Raises
    ------
    UnalignedWrite
        Where another block could share a shard with this one.
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
    """Digest of an input: of the bytes of a file, or of the record of origin of a store."""
    if path.is_dir():
        record = dict(open_group(path).attrs)["provenance"]
        return hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()
    return file_digest(path)
