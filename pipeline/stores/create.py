"""New Zarr arrays and groups: Zarr v3, sharded, Blosc with bitshuffle and checksums; images are OME-Zarr 0.5 pyramids."""

import functools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import zarr
from numpy.typing import DTypeLike
from zarr.codecs import BloscCodec, Crc32cCodec
from zarr.core.buffer import default_buffer_prototype
from zarr.storage import LocalStore

from pipeline.config import Storage
from pipeline.stores.arrays import as_array, open_unfinished
from pipeline.stores.flush import write_whole
from pipeline.stores.multiscales import multiscales

__all__ = ["create_group", "create_plane", "create_pyramid", "describe_group"]

RECORD = "zarr.json"
"""File in which an array or group is described."""


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
        Name inside the group. Shards of an earlier run are kept; the array's metadata is written anew, because the old
        file may be torn.
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
    write_whole(
        _folder(group) / name / RECORD,
        [
            _described(
                tuple(shape),
                np.dtype(dtype),
                chunks=(*shape[:-2], chunk_y, chunk_x),
                shards=(*shape[:-2], shard_y, shard_x),
                codec=storage.codec,
                level=storage.level,
            )
        ],
    )
    return as_array(group, name)


@functools.lru_cache(maxsize=64)  # An image has several arrays of one kind, and Zarr is slow to describe each.
def _described(
    shape: tuple[int, ...],
    dtype: np.dtype[Any],
    *,
    chunks: tuple[int, ...],
    shards: tuple[int, ...],
    codec: Literal["lz4", "zstd"],
    level: int,
) -> bytes:
    described = zarr.create_array(
        {},
        shape=shape,
        dtype=dtype,
        chunks=chunks,
        shards=shards,
        compressors=(BloscCodec(cname=codec, clevel=level, shuffle="bitshuffle"), Crc32cCodec()),
        fill_value=0,
        dimension_names=("c", "y", "x")[-len(shape) :],
    )
    return _record(described)


def _record(node: zarr.Array[Any] | zarr.Group) -> bytes:
    return node.metadata.to_buffer_dict(default_buffer_prototype())[RECORD].to_bytes()


def _folder(group: zarr.Group) -> Path:
    store = group.store_path.store
    assert isinstance(store, LocalStore)  # made by create_group
    return Path(store.root) / group.path


def create_group(path: Path, *, attributes: Mapping[str, Any]) -> zarr.Group:
    """Group, created or continued: its members are kept, its own metadata is written anew."""
    _describe_group(path, attributes)
    return open_unfinished(path)


def describe_group(group: zarr.Group, name: str, *, attributes: Mapping[str, Any]) -> None:
    """Group below one that is open for writing, created or continued."""
    _describe_group(_folder(group) / name, attributes)


def _describe_group(folder: Path, attributes: Mapping[str, Any]) -> None:
    write_whole(folder / RECORD, [_record(zarr.create_group({}, attributes=dict(attributes), zarr_format=3))])


def create_pyramid(
    path: Path,
    *,
    channels: Sequence[str],
    shapes: Sequence[tuple[int, int]],
    dtype: DTypeLike,
    storage: Storage,
    provenance: Mapping[str, Any],
    pixel_size_um: float | None = None,
    colours: Sequence[str] | None = None,
    extra: Mapping[str, Any] | None = None,
) -> zarr.Group:
    """OME-Zarr 0.5 image ``(c, y, x)`` with levels ``0``, ``1``, …, created or continued.

    The shard side halves with each level, so a block of the image that fills one shard of level 0 also fills exactly
    one shard of each coarser level.

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
    colours
        Colour of each channel, ``RRGGBB``, as `pipeline.stores.multiscales` takes it.
    extra
        Further attributes of the group.
    """
    largest = np.iinfo(dtype).max if np.issubdtype(dtype, np.integer) else 1
    size, levels = pixel_size_um, len(shapes)
    ome = multiscales(path.stem, channels, levels=levels, pixel_size_um=size, largest=largest, colours=colours)
    attributes = {"ome": ome, "provenance": dict(provenance)}
    group = create_group(path, attributes={**attributes, **(extra or {})})
    for level, (height, width) in enumerate(shapes):
        shard = max(storage.shard >> level, 1)
        create_plane(group, str(level), shape=(len(channels), height, width), dtype=dtype, storage=storage, shard=shard)
    return group
