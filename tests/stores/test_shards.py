"""Shards written chunk by chunk are what Zarr would write, and Zarr reads them."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from pipeline.config import Storage
from pipeline.errors import StoreError
from pipeline.geometry import Box, aligned_boxes
from pipeline.stores import create_group, create_plane
from pipeline.stores.shards import Shards

STORAGE = Storage(chunk=8, shard=32)


def plane(
    folder: Path, shape: tuple[int, ...], *, name: str = "a", dtype: str = "float16", codec: str = "lz4"
) -> Shards:
    group = create_group(folder / "s.zarr", attributes={})
    storage = Storage.model_validate(STORAGE.model_dump() | {"codec": codec})
    return Shards.of(create_plane(group, name, shape=shape, dtype=dtype, storage=storage))


def open_plane(folder: Path, name: str = "a") -> zarr.Array[Any]:
    group = zarr.open_group(folder / "s.zarr", mode="r")  # noqa: TID251 independent of the package
    found = group[name]
    assert isinstance(found, zarr.Array)
    return found


def content(shape: tuple[int, ...], dtype: str = "float16") -> NDArray[np.generic]:
    rng = np.random.Generator(np.random.PCG64(shape))
    values = (rng.random(shape) * 200).astype(dtype)
    values[..., shape[-2] // 3 : shape[-2] // 3 + 20, :] = 0  # whole chunks of fill value
    return values


def fill(shards: Shards, values: NDArray[np.generic]) -> None:
    # A shard is shrunk to whole chunks where the array is small, and then there is only one along that axis.
    for box in aligned_boxes(*values.shape[-2:], *shards.shard):

        def make(part: Box) -> NDArray[np.generic]:
            chunk = np.zeros((*values.shape[:-2], *shards.chunk), values.dtype)
            chunk[..., : part.height, : part.width] = values[(..., *part.slices)]
            return chunk

        shards.write(box, make)


@settings(deadline=None, max_examples=25)
@given(
    st.integers(1, 70),
    st.integers(1, 70),
    st.sampled_from(["float16", "uint8", "uint16"]),
    st.sampled_from(["lz4", "zstd"]),
)
def test_zarr_reads_what_is_written(
    tmp_path_factory: pytest.TempPathFactory, height: int, width: int, dtype: str, codec: str
) -> None:
    folder, values = tmp_path_factory.mktemp("shards"), content((3, height, width), dtype)
    fill(plane(folder, values.shape, dtype=dtype, codec=codec), values)
    np.testing.assert_array_equal(open_plane(folder)[:], values)


def test_a_shard_is_four_bytes_a_chunk_larger_than_that_of_zarr_and_an_empty_one_is_no_file(tmp_path: Path) -> None:
    values = content((2, 64, 64))
    values[:, :32, :32] = 0
    ours, theirs = plane(tmp_path, values.shape), plane(tmp_path, values.shape, name="b")
    fill(ours, values)
    theirs.array[:] = values
    sizes = [
        {
            path.relative_to(folder): path.stat().st_size
            for path in folder.rglob("*")
            if path.name != "zarr.json" and path.is_file()
        }
        for folder in (tmp_path / "s.zarr" / "a", tmp_path / "s.zarr" / "b")
    ]
    assert sizes[0] == {path: size + 4 * (32 // 8) ** 2 for path, size in sizes[1].items()}
    assert len(sizes[0]) == 3


def test_a_shard_that_becomes_empty_is_deleted(tmp_path: Path) -> None:
    shards = plane(tmp_path, (2, 32, 32))
    fill(shards, content((2, 32, 32)))
    fill(shards, np.zeros((2, 32, 32), np.float16))
    assert (shards.array[:] == 0).all()
    assert not (tmp_path / "s.zarr" / "a" / "c").is_dir() or not any(
        p.is_file() for p in (tmp_path / "s.zarr" / "a" / "c").rglob("*")
    )


def test_an_array_of_another_layout_is_refused(tmp_path: Path) -> None:
    group = create_group(tmp_path / "s.zarr", attributes={})
    with pytest.raises(StoreError, match="layout"):
        Shards.of(group.create_array("z", shape=(4, 4), dtype="uint8", chunks=(2, 2)))


# --------------------------------------------------------------------------------------------------------- reading


@settings(deadline=None, max_examples=40)
@given(data=st.data(), height=st.integers(1, 70), width=st.integers(1, 70), codec=st.sampled_from(["lz4", "zstd"]))
def test_any_box_is_read_as_zarr_reads_it(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, height: int, width: int, codec: str
) -> None:
    dtype = data.draw(st.sampled_from(["float16", "uint8", "uint16"]))
    shards, values = (
        plane(tmp_path_factory.mktemp("s"), (2, height, width), dtype=dtype, codec=codec),
        content((2, height, width), dtype),
    )
    fill(shards, values)
    y, x = (sorted(data.draw(st.tuples(*[st.integers(0, length)] * 2))) for length in (height, width))
    box = Box(y[0], x[0], y[1], x[1])
    np.testing.assert_array_equal(shards.read(box), values[(..., *box.slices)])


@pytest.fixture(scope="module", params=["lz4", "zstd"])
def masks(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Shards:
    """Discs in chunks of several Blosc blocks, most of which are only 0 or only 1."""
    values = np.zeros((4, 700, 1100), np.uint8)
    values[1] = 1
    for at, (y, x, radius) in enumerate([(90, 100, 30), (400, 600, 60), (600, 1000, 5), (300, 515, 9)]):
        rows, columns = np.ogrid[:700, :1100]
        values[at % 3][(rows - y) ** 2 + (columns - x) ** 2 < radius**2] = 1 - at % 2
    group = create_group(tmp_path_factory.mktemp("masks") / "s.zarr", attributes={})
    storage = Storage.model_validate({"chunk": 512, "shard": 1024, "codec": request.param})
    shards = Shards.of(create_plane(group, "a", shape=values.shape, dtype="uint8", storage=storage))
    fill(shards, values)
    return shards


@settings(deadline=None, max_examples=30)
@given(data=st.data())
def test_pieces_of_some_planes_are_all_that_is_not_zero(masks: Shards, data: st.DataObject) -> None:
    y, x = (sorted(data.draw(st.tuples(*[st.integers(0, length)] * 2))) for length in masks.array.shape[1:])
    wanted = data.draw(st.lists(st.integers(0, 3), unique=True))
    box, found = Box(y[0], x[0], y[1], x[1]), np.zeros(masks.array.shape, np.uint8)
    for number, part, pixels in masks.pieces(box, planes=wanted):
        assert box.contains(part)
        assert number in wanted
        found[(number, *part.slices)] += pixels
    expected = np.zeros_like(found)
    expected[(wanted, *box.slices)] = np.asarray(masks.array[:])[(wanted, *box.slices)]
    np.testing.assert_array_equal(found, expected)


def test_planes_that_hold_nothing_give_no_piece(masks: Shards) -> None:
    assert 3 not in {number for number, *_ in masks.pieces(Box(0, 0, 700, 1100))}
    assert {number for number, *_ in masks.pieces(Box(520, 0, 700, 500))} == {1}


@pytest.mark.parametrize("damage", ["cut", "index", "content"])
def test_a_damaged_shard_is_refused_by_name(tmp_path: Path, damage: str) -> None:
    shards = plane(tmp_path, (1, 32, 32), dtype="uint8")
    fill(shards, (np.arange(1024).reshape(1, 32, 32) % 251).astype(np.uint8))
    [path] = [each for each in (tmp_path / "s.zarr" / "a" / "c").rglob("*") if each.is_file()]
    raw = bytearray(path.read_bytes())
    if damage == "cut":
        del raw[-50:]
    elif damage == "index":
        raw[-30] ^= 1
    else:
        raw[:16] = bytes(16)
    path.write_bytes(raw)
    with pytest.raises(StoreError, match=r"damaged(.|\n)*s\.zarr"):
        shards.read(Box(0, 0, 32, 32))
