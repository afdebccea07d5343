"""What would take more memory than is allowed is refused from its header, before a decoder is asked."""

import itertools
import struct
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from pipeline.config.manifest import DatasetRecord
from pipeline.errors import ImageRejected
from pipeline.geometry import Box
from pipeline.raw.datasets.entry import ImageEntry
from pipeline.raw.datasets.headers import check_headers
from pipeline.raw.facts import fact_sheet
from pipeline.raw.formats import pillow_file
from pipeline.raw.formats.decoded_size import Unit, stream_unit
from pipeline.raw.formats.openslide import open_slide
from pipeline.raw.formats.reader import file_size, open_picture, open_values
from pipeline.raw.formats.reading import Reading
from pipeline.raw.formats.stream_headers import jpeg_xl_size, jpeg_xr_size, lerc_size
from pipeline.seeds import stream

HIGH, WIDE = 96, 160
RGB = stream(0, "test", "decoded size").integers(0, 256, (HIGH, WIDE, 3), dtype=np.uint8)
GREY, DEEP = RGB[:, :, 0], RGB.astype(np.uint16) * 257
WHOLE = {
    "a.jpg": ({"quality": 90}, RGB.nbytes),
    "progressive.jpg": ({"progressive": True}, RGB.nbytes),
    "a.png": ({}, RGB.nbytes),
    "a.bmp": ({}, RGB.nbytes),
    "a.ppm": ({}, RGB.nbytes),
    "a.jp2": ({}, RGB.nbytes),
    "a.webp": ({}, RGB.nbytes),
    "lossless.webp": ({"lossless": True}, RGB.nbytes),
    "grey.png": ({}, GREY.nbytes),
    "a.gif": ({}, GREY.nbytes),
}
"""File that is decoded whole → how Pillow writes it, and its bytes once decoded."""
PIECES = {
    "tiles": ({"tile": (32, 48)}, 32 * 48 * 3),
    "jpeg tiles": ({"tile": (32, 48), "compression": "jpeg", "photometric": "ycbcr"}, 32 * 48 * 3),
    "jpeg 2000 tiles": ({"tile": (32, 48), "compression": "jpeg2000"}, 32 * 48 * 3),
    "webp tiles": ({"tile": (32, 48), "compression": "webp"}, 32 * 48 * 3),
    "strips": ({"rowsperstrip": 20, "compression": "deflate"}, 20 * WIDE * 3),
    "one strip": ({"compression": "lzw"}, RGB.nbytes),
    "planes apart": ({"tile": (32, 48), "planarconfig": "separate"}, 32 * 48),
}
"""Pieces of a TIFF → how it is written, and the bytes of a decoded piece."""


def look(path: Path, **how) -> None:
    with open_picture(path, reading=Reading(**how)) as source:
        source.read(Box.of_shape(*source.levels[0]))


def look_at_values(path: Path, **how) -> None:
    with open_values(path, reading=Reading(**how)) as source:
        source.read(Box.of_shape(*source.shape))


def refused(read: Callable[[], object], *words: str) -> None:
    with pytest.raises(ImageRejected) as problem:
        read()
    text = str(problem.value)
    assert all(word in text for word in ("too large to be decoded at once", "raw.largest_decode", *words)), text


@pytest.mark.parametrize("name", WHOLE)
def test_a_picture_is_refused_above_its_decoded_size_and_not_at_it(tmp_path, name):
    how, size = WHOLE[name]
    path = tmp_path / name
    Image.fromarray(GREY if size == GREY.nbytes else RGB).save(path, **how)
    for read in (look, look_at_values, file_size):
        if not (read is look_at_values and size == RGB.nbytes):  # several colours are no mask
            read(path, largest=size)
        refused(
            lambda read=read: read(path, largest=size - 1), f"{WIDE}×{HIGH} pixels", f"({size} bytes) decoded", name
        )


def test_a_png_of_16_bits_counts_them(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", DEEP)
    import imagecodecs

    (tmp_path / "a.png").write_bytes(imagecodecs.png_encode(DEEP))
    look(tmp_path / "a.png", largest=DEEP.nbytes)
    refused(lambda: look(tmp_path / "a.png", largest=DEEP.nbytes - 1), "16 bits")


@pytest.mark.parametrize("kind", PIECES)
def test_a_piece_of_a_tiff_is_refused_above_its_decoded_size_and_not_at_it(tmp_path, kind):
    how, size = PIECES[kind]
    stored = np.moveaxis(RGB, 2, 0) if kind == "planes apart" else RGB
    tifffile.imwrite(tmp_path / "a.tif", stored, **({"photometric": "rgb"} | how))
    look(tmp_path / "a.tif", largest=size)
    for read in (look, look_at_values, file_size):
        refused(lambda read=read: read(tmp_path / "a.tif", largest=size - 1), f"({size} bytes) decoded", "a.tif")


def patched(path: Path, **tags: int) -> Path:
    """A TIFF whose header says something else."""
    with tifffile.TiffFile(path, mode="r+") as file:
        for name, value in tags.items():
            file.pages[0].tags[name].overwrite(value)
    return path


def peak_of(read: Callable[[], object]) -> int:
    tracemalloc.start()
    try:
        read()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_a_page_of_one_strip_of_billions_of_pixels_asks_for_no_memory(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", GREY, compression="deflate", photometric="minisblack")
    patched(tmp_path / "a.tif", ImageWidth=60_000, ImageLength=60_000, RowsPerStrip=60_000)
    for read in (look, look_at_values, file_size):
        peak = peak_of(lambda read=read: refused(lambda: read(tmp_path / "a.tif"), "60000×60000", "page"))
        assert peak < 2**24


SIDES = ((1, 1), (8, 16), (64, 64), (77, 205), (90, 160), (120, 100), (300, 280))
READERS = {"jpegxl": jpeg_xl_size, "jpegxr": jpeg_xr_size, "lerc": lerc_size}
CODECS = pytest.mark.parametrize("codec", READERS)


@CODECS
@pytest.mark.parametrize("kind", ["u1", "u2", "f4"])
def test_the_size_in_the_header_of_a_stream_is_that_of_its_pixels(codec, kind):
    import imagecodecs

    encode, random = getattr(imagecodecs, f"{codec}_encode"), stream(3, "streams")
    for (height, width), channels in itertools.product(SIDES, ((), (3,))):
        if codec == "jpegxr" and kind == "f4":
            continue
        pixels = (random.random((height, width, *channels)) * (1 if kind == "f4" else 250)).astype(kind)
        found = READERS[codec](encode(pixels))
        assert found[:2] == (height, width)
        assert found[2] * found[3] * height * width >= pixels.nbytes
        assert [read(encode(pixels)) for name, read in READERS.items() if name != codec] == [None, None]
    assert all(READERS[codec](data) is None for data in (b"", b"\xff\xd8\xff", b"II*\0", b"\0" * 64))


@CODECS
def test_a_tile_whose_stream_declares_more_than_its_tile_is_refused_before_it_is_decoded(tmp_path, codec, monkeypatch):
    import imagecodecs

    path, tile = tmp_path / "a.tif", GREY[:64, :64]
    tifffile.imwrite(path, tile, tile=(64, 64), compression=codec, photometric="minisblack")
    look(path)
    for side in (80, 4000):
        data = getattr(imagecodecs, f"{codec}_encode")(np.zeros((side, side), np.uint8))
        at = path.stat().st_size
        path.write_bytes(path.read_bytes() + data)
        patched(path, TileOffsets=at, TileByteCounts=len(data))
        with pytest.raises(ImageRejected, match=rf"(?s)declares another size.*{side}×{side}.*64×64"):
            look(path)
    refused(lambda: look(path, largest=4000 * 4000 - 1), "data of tile 0", "4000×4000")


def grown(data: bytes) -> bytes:
    """A JPEG whose header names 60 000 pixels a side."""
    at = next(at for at in range(len(data)) if data[at : at + 2] == b"\xff\xc0")
    return data[: at + 5] + struct.pack(">HH", 60_000, 60_000) + data[at + 9 :]


def test_a_tile_whose_data_name_another_size_is_refused(tmp_path):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, RGB, tile=(96, 160), compression="jpeg", photometric="ycbcr")
    with tifffile.TiffFile(path) as file:
        offset, count = file.pages[0].dataoffsets[0], file.pages[0].databytecounts[0]
    data = path.read_bytes()
    path.write_bytes(data[:offset] + grown(data[offset : offset + count]) + data[offset + count :])
    for checked in (False, True):
        peak = peak_of(
            lambda checked=checked: refused(lambda: look(path, checked=checked), "data of tile 0", "60000×60000")
        )
        assert peak < 2**24


def test_a_webp_is_not_opened_by_a_library_that_would_ask_for_its_memory(tmp_path, monkeypatch):
    path = tmp_path / "a.webp"
    Image.new("RGBA", (WIDE, HIGH), (1, 2, 3, 4)).save(path)
    data = bytearray(path.read_bytes())
    assert data[12:16] == b"VP8X"
    data[24:30] = b"\xfe\x3f\x00" * 2
    path.write_bytes(data)
    monkeypatch.setattr(pillow_file.Image, "open", lambda *_, **__: pytest.fail("it was opened"))
    refused(lambda: file_size(path, largest=2**28), "16383×16383")


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.jp2", "a.webp", "lossless.webp"])
def test_streams_name_their_size(tmp_path, name):
    Image.fromarray(RGB).save(tmp_path / name, **WHOLE[name][0])
    unit = stream_unit((tmp_path / name).read_bytes(), name="tile")
    assert unit == Unit("tile", HIGH, WIDE, 3)
    assert stream_unit((tmp_path / name).read_bytes()[:11], name="tile") is None
    assert stream_unit(b"anything else", name="tile") is None


def test_a_tile_of_a_slide_is_refused_above_its_size(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", RGB, tile=(32, 48), photometric="rgb", compression="jpeg")
    with open_slide(tmp_path / "a.tif", largest=32 * 48 * 4):
        pass
    with (
        pytest.raises(ImageRejected, match=r"tile of level 0 is too large"),
        open_slide(tmp_path / "a.tif", largest=6143),
    ):
        pass


def test_stage_raw_and_check_refuse_what_the_configuration_says(tmp_path):
    Image.fromarray(RGB).save(tmp_path / "eye.png")
    Image.fromarray((GREY > 99).astype(np.uint8) * 255).save(tmp_path / "eye_A.png")
    facts = {"title": "t", "adaptor": "folder", "modality": "fundus", "task": "multilabel"}
    facts |= {"classes": [{"code": "A", "name": "a"}], "folder": {"images": "{image}.png"}}
    for largest, what in ((RGB.nbytes, None), (RGB.nbytes - 1, "eye.png"), (GREY.nbytes - 1, "eye.png")):
        entry = ImageEntry("eye", tmp_path / "eye.png", (("A", tmp_path / "eye_A.png"),), largest_decode=largest)
        said = fact_sheet(entry, record=DatasetRecord.model_validate(facts))["rejected"]
        assert (what in said and "too large" in said) if what else said == ""
        assert bool(check_headers(entry)) == bool(what)
    mask = ImageEntry("eye", None, (("A", tmp_path / "eye_A.png"),), largest_decode=GREY.nbytes - 1)
    refused(lambda: look_at_values(mask.masks[0][1], largest=mask.largest_decode), "eye_A.png")
