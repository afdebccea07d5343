"""A store is read only as it was written: any flipped bit, torn, stale, swapped, missing or additional file is told by name."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from pipeline.config import Storage
from pipeline.errors import StoreError
from pipeline.geometry import Box
from pipeline.seeds import stream
from pipeline.stores import create_plane, create_pyramid, open_array, open_group, raster_of, seal, write_box
from pipeline.stores.record import store_faults

SIZE, STORAGE = (44, 60), Storage(chunk=8, shard=16)
WHOLE = Box.of_shape(*SIZE)


def values(seed: int) -> np.ndarray:
    found = stream(seed, "record").integers(0, 3, (2, *SIZE), dtype=np.uint8)
    found[:, :16, :16] = 0  # a shard that is no file
    # Two shards of one size and of other content: what does not compress is copied.
    found[:, 16:32, :32] = stream(seed, "copied").integers(0, 256, (2, 16, 32), dtype=np.uint8)
    return found


def store(path: Path, *, seed: int = 0) -> Path:
    group = create_pyramid(
        path, channels=("a", "b"), shapes=(SIZE,), dtype="uint8", storage=STORAGE, provenance={"stage": "x"}
    )
    write_box(group["0"], values(seed), y0=0, x0=0)
    write_box(create_plane(group, "roi", shape=SIZE, dtype="uint8", storage=STORAGE), values(seed)[1], y0=0, x0=0)
    seal(path)
    return path


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return store(tmp_path_factory.mktemp("whole") / "a.zarr")


@pytest.fixture
def copy(whole, tmp_path):
    return Path(shutil.copytree(whole, tmp_path / "a.zarr"))


def read_all(path: Path) -> list[np.ndarray]:
    """The store as it is read anywhere: by patch, chunk, plane and whole, with its attributes."""
    image, roi = open_array(path, "0"), open_array(path, "roi")
    boxes = [Box(3, 5, 12, 21), Box(16, 16, 24, 24), WHOLE]
    found = [raster_of(image).read(box) for box in boxes] + [raster_of(image, 1).read(box) for box in boxes]
    return [*found, raster_of(roi).read(WHOLE), np.asarray([str(dict(open_group(path).attrs).get("provenance"))])]


def shard(path: Path, key: str, array: str = "0") -> Path:
    return path / array / "c" / (f"0/{key}" if array == "0" else key)


def test_a_whole_store_reads_as_it_was_written(whole):
    assert np.array_equal(read_all(whole)[2], values(0))
    assert list(store_faults(whole)) == []


def test_what_snakemake_puts_into_a_store_is_not_one_too_many(copy):
    (copy / ".snakemake_timestamp").touch()
    assert list(store_faults(copy)) == []


def test_a_flipped_bit_is_noticed_or_changes_no_value(copy):
    expected, files = read_all(copy), sorted(each for each in copy.rglob("*") if each.is_file())
    draw, noticed = stream(0, "flips"), 0
    for number in range(250):
        path = files[number % len(files)]
        raw = path.read_bytes()
        at, bit = int(draw.integers(len(raw))), int(draw.integers(8))
        path.write_bytes(raw[:at] + bytes([raw[at] ^ 1 << bit]) + raw[at + 1 :])
        try:
            found = read_all(copy)
        except StoreError as error:
            assert str(copy) in str(error)  # noqa: PT017
            noticed += 1
        else:
            assert all(map(np.array_equal, found, expected)), (path, at, bit)
        if path.name != "zarr.json":  # of those only what they say is compared, not their spaces
            assert [str(path) in str(fault) for fault in store_faults(copy)] == [True]
        path.write_bytes(raw)
    assert noticed > 200


@pytest.mark.parametrize("part", [0.0, 0.1, 0.5, 0.98])
def test_a_shard_cut_short_is_named(copy, part):
    path = shard(copy, "1/0")
    raw = path.read_bytes()
    path.write_bytes(raw[: int(len(raw) * part)])
    with pytest.raises(StoreError, match=r"1/0(.|\n)*found: (.|\n)*expected: (.|\n)*Delete .*a\.zarr and run again"):
        read_all(copy)


@pytest.mark.parametrize("array", ["0", "roi"])
def test_a_deleted_shard_does_not_read_as_zeros(copy, array):
    shard(copy, "1/0", array).unlink()
    with pytest.raises(StoreError, match=f"{array}/c(.|\n)*found: +no file"):
        read_all(copy)
    assert len(list(store_faults(copy))) == 1


def test_swapped_shards_of_one_size_are_named(copy):
    one, other = shard(copy, "1/0"), shard(copy, "1/1")
    assert one.stat().st_size == other.stat().st_size
    first, second = one.read_bytes(), other.read_bytes()
    assert first != second
    one.write_bytes(second)
    other.write_bytes(first)
    with pytest.raises(StoreError, match=r"c/0/1/[01]"):
        read_all(copy)
    assert len(list(store_faults(copy))) == 2


def test_a_stale_shard_of_an_earlier_store_is_named(copy, tmp_path):
    shutil.copy(shard(store(tmp_path / "b.zarr", seed=1), "2/2"), shard(copy, "2/2"))
    with pytest.raises(StoreError, match="2/2"):
        read_all(copy)


def test_an_additional_shard_is_named(copy):
    shard(copy, "0/0").parent.mkdir(exist_ok=True)
    shutil.copy(shard(copy, "1/0"), shard(copy, "0/0"))
    with pytest.raises(StoreError, match=r"0/0(.|\n)*expected: no file"):
        read_all(copy)
    (copy / "roi" / "note.txt").touch()
    assert [str(fault).count("a file too many") for fault in store_faults(copy)] == [1, 1]


def test_a_lost_array_is_not_one_that_was_never_there(copy):
    shutil.rmtree(copy / "roi")
    with pytest.raises(StoreError, match=r"roi/zarr\.json"):
        open_group(copy)


def test_a_store_of_before_is_refused_with_the_command_that_remakes_it(tmp_path):
    create_pyramid(tmp_path / "a.zarr", channels=("a",), shapes=(SIZE,), dtype="uint8", storage=STORAGE, provenance={})
    with pytest.raises(StoreError, match="snakemake -j8 all"):
        open_group(tmp_path / "a.zarr")
