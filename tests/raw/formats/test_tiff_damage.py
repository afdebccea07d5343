"""TIFF files whose header is damaged are refused by name, before any memory is asked for."""

import io
import struct
from pathlib import Path

import numpy as np
import pytest
import tifffile

from pipeline.errors import ImageRejected
from pipeline.geometry import Box
from pipeline.raw.formats.reader import open_picture, open_values

WIDTH, LENGTH, PHOTOMETRIC, ROWS = 256, 257, 262, 278
COUNT, VALUE = 4, 8
"""Places in an entry of the directory: how many values a tag has, and the only one."""


def changed(tag: int, place: int, value: int) -> bytes:
    """A small TIFF file with one number of its directory changed."""
    target = io.BytesIO()
    tifffile.imwrite(target, np.zeros((12, 15), np.uint8), photometric="minisblack", compression="zlib", metadata=None)
    content = bytearray(target.getvalue())
    first = struct.unpack_from("<I", content, 4)[0]
    entries = [first + 2 + 12 * at for at in range(struct.unpack_from("<H", content, first)[0])]
    entry = next(at for at in entries if struct.unpack_from("<H", content, at)[0] == tag)
    content[entry + 2 : entry + 4] = struct.pack("<H", 4)  # a number of 32 bits
    struct.pack_into("<I", content, entry + place, value)
    return bytes(content)


def read_picture(path: Path) -> None:
    with open_picture(path) as source:
        source.read(Box.of_shape(*(min(side, 12) for side in source.levels[0])))


def read_values(path: Path) -> None:
    with open_values(path) as values:
        values.read(Box.of_shape(*(min(side, 12) for side in values.shape[:2])))


@pytest.mark.parametrize(
    ("tag", "place", "value"),
    [
        pytest.param(PHOTOMETRIC, COUNT, 0, id="a tag without value"),
        pytest.param(WIDTH, VALUE, 922_746_881, id="a width of thousands of millions"),
        pytest.param(LENGTH, VALUE, 922_746_881, id="as many rows"),
        pytest.param(ROWS, VALUE, 0, id="strips without rows"),
    ],
)
def test_a_damaged_header_is_refused(tmp_path: Path, tag: int, place: int, value: int) -> None:
    path = tmp_path / "damaged.tif"
    path.write_bytes(changed(tag, place, value))
    with pytest.raises(ImageRejected):
        read_picture(path)
    with pytest.raises(ImageRejected):
        read_values(path)
