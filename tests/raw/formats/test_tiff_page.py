"""Decoded pieces are kept within bounds, and each is decoded once for all who ask at the same time."""

import threading
import tracemalloc
from concurrent.futures import ThreadPoolExecutor

import imagecodecs
import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st

from pipeline.geometry import Box
from pipeline.raw.formats.source import blocks
from pipeline.raw.formats.tiff import open_tiff
from pipeline.raw.formats.tiff_page import PieceCache
from pipeline.seeds import stream


def piece(size: int) -> np.ndarray:
    return np.zeros(size, np.uint8)


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(1, 400)), max_size=60), st.integers(0, 1000))
def test_the_cache_never_holds_more_than_its_limit(asked, limit):
    cache, sizes = PieceCache(limit), {}
    for number, size in asked:
        size = sizes.setdefault(number, size)
        assert len(cache.get((0, number), lambda size=size: piece(size))) == size
        assert cache.held <= limit


def test_what_was_used_last_is_kept():
    cache, decoded = PieceCache(300), []

    def get(number):
        return cache.get((0, number), lambda: decoded.append(number) or piece(100))

    for number in (0, 1, 2, 0, 3, 0, 1):
        get(number)
    assert decoded == [0, 1, 2, 3, 1]


def test_threads_that_ask_for_one_piece_share_one_decode():
    cache, decoded, gate = PieceCache(), [], threading.Barrier(8)

    def decode():
        decoded.append(1)
        return piece(10)

    def ask(_):
        gate.wait()
        return cache.get((0, 0), decode)

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(ask, range(8)))
    assert len(decoded) == 1
    assert all(each is found[0] for each in found)


def test_a_failure_reaches_all_who_wait_and_is_not_kept():
    cache = PieceCache()

    def fail():
        raise ValueError("broken")

    for _ in range(2):
        with pytest.raises(ValueError, match="broken"):
            cache.get((0, 0), fail)
    assert cache.get((0, 0), lambda: piece(3)).size == 3


def counted(monkeypatch) -> list[int]:
    from pipeline.raw.formats.tiff_page import Page

    decoded, real = [], Page._decode

    def decode(self, index):
        decoded.append(index)
        return real(self, index)

    monkeypatch.setattr(Page, "_decode", decode)
    return decoded


def test_only_the_tiles_that_touch_a_box_are_decoded(tmp_path, monkeypatch):
    rgb = stream(0, "test", "segments").integers(0, 256, (256, 320, 3), dtype=np.uint8)
    tifffile.imwrite(tmp_path / "t.tif", rgb, photometric="rgb", tile=(64, 64), compression="zlib")
    decoded = counted(monkeypatch)
    with open_tiff(tmp_path / "t.tif") as source:
        source.read(Box(64, 100, 128, 200))
    assert sorted(decoded) == [6, 7, 8]


def test_strips_are_decoded_once_for_boxes_side_by_side(tmp_path, monkeypatch):
    rgb = np.zeros((256, 3000, 3), np.uint8)
    tifffile.imwrite(tmp_path / "s.tif", rgb, photometric="rgb", rowsperstrip=32, compression="lzw")
    decoded = counted(monkeypatch)
    with open_tiff(tmp_path / "s.tif") as source:
        for x0 in range(0, 3000, 500):
            source.read(Box(10, x0, 200, x0 + 500))
    assert sorted(decoded) == list(range(7))


def test_a_large_file_is_read_in_blocks_within_bounded_memory(tmp_path):
    side, path = 8192, tmp_path / "large.tif"
    tile = stream(0, "test", "tile").integers(0, 9, (512, 512, 3), dtype=np.uint8)
    encoded = imagecodecs.zlib_encode(tile.tobytes(), level=1)
    tifffile.imwrite(
        path,
        iter([encoded] * (side // 512) ** 2),
        shape=(side, side, 3),
        dtype=np.uint8,
        tile=(512, 512),
        photometric="rgb",
        compression="zlib",
    )
    expected, total, most, held = int(tile.sum()) * (side // 512) ** 2, 0, 2**21, 2**24
    with open_tiff(path, workers=2, cache_bytes=held) as source:
        tracemalloc.start()
        for box in blocks(source, most=most):
            total += int(source.read(box).sum())
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert total == expected
    assert peak < held + 8 * 3 * most < side * side * 3 / 2
