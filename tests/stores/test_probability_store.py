"""A byte reads as the probability that it stands for, and float16 as it is."""

from pathlib import Path

import numpy as np
import pytest

from pipeline.config import Storage
from pipeline.errors import StoreError
from pipeline.geometry import Box
from pipeline.stores import create_pyramid, write_box
from pipeline.stores.probability_store import SCALE, as_float16, open_probability
from pipeline.stores.record import seal


def test_bytes_read_as_their_share_of_255() -> None:
    codes = np.arange(256, dtype=np.uint8)
    np.testing.assert_array_equal(as_float16(codes), (codes * SCALE["uint8"]).astype(np.float16))
    halves = np.linspace(0, 1, 9, dtype=np.float16)
    assert as_float16(halves) is halves


@pytest.mark.parametrize("stored", [np.uint8, np.float16])
def test_a_map_reads_as_float16_however_it_is_stored(tmp_path: Path, stored: type) -> None:
    path = tmp_path / "eye.zarr"
    group = create_pyramid(
        path, channels=("a", "b"), shapes=((70, 50),), dtype=stored, storage=Storage(chunk=32, shard=64), provenance={}
    )
    rng = np.random.Generator(np.random.PCG64(0))
    values = rng.integers(0, 256, (2, 70, 50)).astype(np.uint8) if stored is np.uint8 else rng.random((2, 70, 50))
    write_box(group["0"], values.astype(stored), y0=0, x0=0)
    seal(path)
    maps, box = open_probability(path), Box(3, 5, 69, 41)
    assert maps.shape == (2, 70, 50)
    expected = as_float16(values.astype(stored))[(slice(None), *box.slices)]
    np.testing.assert_array_equal(maps.read(box), expected)
    np.testing.assert_array_equal(maps.plane(box, number=1), expected[1])
    assert maps.read(box).dtype == np.float16


def test_a_map_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"gone\.zarr"):
        open_probability(tmp_path / "gone.zarr")
