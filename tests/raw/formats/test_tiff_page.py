"""Only the tiles and strips that a box touches are decoded, each once, in bounded memory."""

import tracemalloc

import imagecodecs
import numpy as np
import tifffile

from pipeline.geometry import Box
from pipeline.raw.formats.reading import Reading
from pipeline.raw.formats.source import blocks
from pipeline.raw.formats.tiff import open_tiff
from pipeline.raw.formats.tiff_page import Page
from pipeline.seeds import stream


def counted(monkeypatch) -> list[int]:
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
    with open_tiff(path, reading=Reading(workers=2, cache_bytes=held)) as source:
        tracemalloc.start()
        for box in blocks(source, most=most):
            total += int(source.read(box).sum())
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert total == expected
    assert peak < held + 8 * 3 * most < side * side * 3 / 2
