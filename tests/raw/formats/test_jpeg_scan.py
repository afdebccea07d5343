"""JPEG damage that changes pixels is an error, in files and in tiles; what does no harm is counted."""

import io

import numpy as np
import pytest
import tifffile
from hypothesis import example, given
from hypothesis import strategies as st
from PIL import Image
from scipy.ndimage import gaussian_filter

from pipeline.errors import ImageRejected
from pipeline.geometry import Box
from pipeline.raw.formats.jpeg_progressive import progressive_fault
from pipeline.raw.formats.jpeg_scan import check_scans
from pipeline.raw.formats.reader import open_picture, open_values
from pipeline.seeds import stream

RNG = stream(0, "test", "scan")
SIDE = 128
RGB = np.clip(gaussian_filter(RNG.normal(128, 300, (SIDE, SIDE, 3)), (3, 3, 0)), 0, 255).astype(np.uint8)
END = b"\xff\xd9"


def encoded(pixels=RGB, mode="RGB", **options):
    stored = io.BytesIO()
    Image.fromarray(pixels).convert(mode).save(stored, "JPEG", **{"quality": 85, **options})
    return stored.getvalue()


def start(data):
    """Of the codes of the first scan."""
    header = data.index(b"\xff\xda")
    return header + 2 + int.from_bytes(data[header + 2 : header + 4], "big")


def cut(data):
    return data[: (start(data) + len(data)) // 2] + END


def bad_code(data):
    """Sixteen ones, which no Huffman code of JPEG is, in the middle of the scan."""
    middle = (start(data) + len(data)) // 2
    return data[:middle] + b"\xff\x00" * 4 + data[middle + 8 :]


DAMAGES = {"cut": cut, "bad code": bad_code, "no end": lambda data: data[:-2], "broken off": lambda data: data[:-40]}
HARMLESS = {
    "extra bytes": (lambda data: data[:-2] + bytes(5) + END, 1),
    "padding": (lambda data: data + bytes(999), 0),
    "filled": (lambda data: data[:-2] + b"\xff" * 9 + END, 0),
    "whole": (lambda data: data, 0),
}


@given(
    st.integers(1, 70),
    st.integers(1, 70),
    st.sampled_from(["RGB", "L", "CMYK"]),
    st.integers(1, 100),
    st.integers(0, 2),
    st.integers(0, 5),
    st.booleans(),
)
def test_what_an_encoder_writes_is_whole(height, width, mode, quality, subsampling, restart, optimize):
    options = {"subsampling": subsampling} if mode == "RGB" else {}
    noise = stream(height, width, quality).integers(0, 256, (height, width, 3), dtype=np.uint8)
    data = encoded(noise, mode, quality=quality, restart_marker_blocks=restart, optimize=optimize, **options)
    found = check_scans(data)
    assert found.known
    assert (found.fault, found.extra) == ("", 0)


def with_segment(data, marker, body):
    return data[:2] + b"\xff" + bytes([marker]) + (len(body) + 2).to_bytes(2, "big") + body + data[2:]


@given(st.integers(1, 70), st.integers(1, 70), st.booleans(), st.integers(1, 100), st.integers(0, 2), st.integers(0, 5))
def test_progressive_jpeg_that_an_encoder_writes_is_whole(height, width, grey, quality, subsampling, restart):
    noise = stream(height, width, quality).integers(0, 256, (height, width, 3), dtype=np.uint8)
    options = {} if grey else {"subsampling": subsampling}
    data = encoded(noise, "L" if grey else "RGB", progressive=True, restart_marker_blocks=restart, **options)
    assert not check_scans(data).known
    bad_profile = with_segment(data, 0xE2, b"ICC_PROFILE\0\x01\x01bad")
    for change in (data, data + bytes(999), data[:-2] + b"\xff" * 9 + END, bad_profile, with_segment(data, 0xFE, b"c")):
        assert not progressive_fault(change)


@example(b"", 160)  # ends inside the header of the frame
@given(st.binary(max_size=300), st.integers(0, 900))
def test_any_bytes_have_an_answer_about_progressive_scans(noise, place):
    data = encoded(RGB[:32, :32], progressive=True)
    progressive_fault(noise)
    progressive_fault(data[:place] + noise + data[place:])
    progressive_fault(data[:place])


@pytest.mark.parametrize("share", [0.2, 0.5, 0.8, 0.99])
def test_a_progressive_jpeg_that_was_cut_and_closed_is_damaged(share):
    data = encoded(progressive=True)
    assert progressive_fault(data[: int(len(data) * share)] + END)


@given(st.binary(max_size=400), st.integers(0, 900))
def test_any_bytes_have_an_answer(noise, place):
    data = encoded(RGB[:32, :32])
    check_scans(noise)
    check_scans(data[:place] + noise + data[place:])
    check_scans(data[:place])


def test_a_lost_restart_marker_is_damage():
    data = encoded(restart_marker_blocks=4)
    second = data.index(b"\xff\xd1")
    assert "restart" in check_scans(data[:second] + data[second + 2 :]).fault


def read_whole(path, opened=open_picture):
    with opened(path) as source:
        shape = source.shape if opened is open_values else source.levels[0]
        return source.read(Box.of_shape(*shape)), dict(getattr(source, "remarks", {}))


@pytest.mark.parametrize(
    "options", [{}, {"mode": "L"}, {"mode": "CMYK"}, {"restart_marker_rows": 2}, {"progressive": True}]
)
@pytest.mark.parametrize("kind", DAMAGES)
def test_a_damaged_file_is_rejected(tmp_path, kind, options):
    path = tmp_path / "eye.jpg"
    path.write_bytes(DAMAGES[kind](encoded(**options)))
    for opened in (open_picture, open_values):
        with pytest.raises(ImageRejected, match="eye"):
            read_whole(path, opened)


@pytest.mark.parametrize("kind", HARMLESS)
def test_what_does_no_harm_to_a_file_is_counted(tmp_path, kind):
    change, count = HARMLESS[kind]
    path = tmp_path / "eye.jpg"
    path.write_bytes(change(encoded()))
    found, remarks = read_whole(path)
    assert np.array_equal(found, np.asarray(Image.open(io.BytesIO(encoded()))))
    assert sum(remarks.values()) == count


def tiled(path, change, *, tables):
    """A TIFF of four JPEG tiles, the last of them changed; with the tables in each tile or once in the file."""
    tiles = [encoded(RGB[y : y + 64, x : x + 64], subsampling=0) for y in (0, 64) for x in (0, 64)]
    tags = []
    if tables:
        first = tiles[0]
        frame, scan = first.index(b"\xff\xc0"), first.index(b"\xff\xda")
        length = frame + 2 + int.from_bytes(first[frame + 2 : frame + 4], "big")
        tags = [(347, 7, None, b"\xff\xd8" + first[20:frame] + first[length:scan] + END, True)]
        tiles = [b"\xff\xd8" + each[frame:length] + each[scan:] for each in tiles]
    tiles[3] = change(tiles[3])
    options = {"photometric": "ycbcr", "tile": (64, 64), "compression": "jpeg", "extratags": tags, "metadata": None}
    tifffile.imwrite(path, iter(tiles), shape=RGB.shape, dtype=np.uint8, subsampling=(1, 1), **options)
    return path


@pytest.mark.parametrize("tables", [False, True], ids=["own tables", "shared tables"])
@pytest.mark.parametrize("kind", DAMAGES)
def test_a_damaged_tile_is_rejected_and_named(tmp_path, kind, tables):
    with pytest.raises(ImageRejected, match=r"tile 3 at row 64, column 64"):
        read_whole(tiled(tmp_path / "a.tif", DAMAGES[kind], tables=tables))


@pytest.mark.parametrize("tables", [False, True], ids=["own tables", "shared tables"])
@pytest.mark.parametrize("kind", HARMLESS)
def test_what_does_no_harm_to_a_tile_is_counted(tmp_path, kind, tables):
    change, count = HARMLESS[kind]
    expected, _ = read_whole(tiled(tmp_path / "b.tif", lambda data: data, tables=tables))
    found, remarks = read_whole(tiled(tmp_path / "a.tif", change, tables=tables))
    assert np.array_equal(found, expected)
    assert np.abs(found.astype(int) - RGB).mean() < 20
    assert sum(remarks.values()) == count
