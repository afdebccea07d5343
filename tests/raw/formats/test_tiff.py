"""Any box of any level of a TIFF file holds the pixels that its whole decode has there."""

import struct
from concurrent.futures import ThreadPoolExecutor

import imagecodecs
import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

from pipeline.errors import ImageRejected
from pipeline.geometry import Box
from pipeline.raw.formats.reading import Reading
from pipeline.raw.formats.tiff import open_tiff, open_tiff_values
from pipeline.seeds import stream

RNG = stream(0, "test", "tiff")
HEIGHT, WIDTH = 203, 311
RGB = RNG.integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
SMOOTH = np.clip(gaussian_filter(RNG.normal(128, 500, (HEIGHT, WIDTH, 3)), (6, 6, 0)), 0, 255).astype(np.uint8)
WIDE = RNG.integers(0, 65536, (HEIGHT, WIDTH, 3), dtype=np.uint16)
GREY = RGB[:, :, 0]
RGBA = np.dstack([RGB, GREY])
APART = {"photometric": "rgb", "planarconfig": "separate"}
TILED = {"photometric": "rgb", "tile": (48, 64)}

FILES = {
    "tiles, JPEG": (SMOOTH, {**TILED, "compression": "jpeg"}),
    "tiles, JPEG 2000": (RGB, {**TILED, "compression": "aperio_jp2000_rgb"}),
    "tiles, JPEG 2000, other number": (RGB, {**TILED, "compression": "jpeg2000"}),
    "tiles, deflate, predictor": (RGB, {**TILED, "compression": "zlib", "predictor": True}),
    "tiles, BigTIFF, zstd": (RGB, {**TILED, "compression": "zstd", "bigtiff": True}),
    "tiles, none": (RGB, TILED),
    "tiles, planes apart": (np.moveaxis(RGB, 2, 0), {**TILED, **APART, "compression": "zlib"}),
    "strips, LZW": (RGB, {"photometric": "rgb", "compression": "lzw", "rowsperstrip": 7}),
    "strips, JPEG": (SMOOTH, {"photometric": "rgb", "compression": "jpeg", "rowsperstrip": 16}),
    "strips, none": (RGB, {"photometric": "rgb", "rowsperstrip": 10}),
    "strips, planes apart, none": (np.moveaxis(RGB, 2, 0), {**APART, "rowsperstrip": 10}),
    "one strip, none": (RGB, {"photometric": "rgb"}),
    "one strip, LZW": (RGB, {"photometric": "rgb", "compression": "lzw", "rowsperstrip": HEIGHT}),
    "16 bit, big-endian": (WIDE, {"photometric": "rgb", "byteorder": ">"}),
    "16 bit, tiles": (WIDE, {**TILED, "compression": "zlib"}),
    "grey": (GREY, {"photometric": "minisblack", "tile": (48, 64)}),
    "grey, white is 0": (GREY, {"photometric": "miniswhite", "rowsperstrip": 9}),
    "alpha": (RGBA, {**TILED, "compression": "lzw", "extrasamples": ["unassalpha"]}),
    "one bit": (GREY > 99, {"photometric": "minisblack", "rowsperstrip": 15}),
}


def shown(values: np.ndarray, *, kind: str) -> np.ndarray:
    """What the whole decode shows, by definition."""
    if "apart" in kind:
        values = np.moveaxis(values, 0, 2)
    if values.dtype == bool:
        values = values.astype(np.uint8) * 255
    if "white is 0" in kind:
        values = 255 - values
    return np.repeat(values[:, :, None], 3, axis=2) if values.ndim == 2 else values[:, :, :3]


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tiff")
    found = {}
    for number, (kind, (pixels, options)) in enumerate(FILES.items()):
        found[kind] = folder / f"{number}.tif"
        tifffile.imwrite(found[kind], pixels, **options)
    return found


def boxes(height: int = HEIGHT, width: int = WIDTH) -> st.SearchStrategy[Box]:
    def interval(length: int) -> st.SearchStrategy[tuple[int, int]]:
        return st.tuples(st.integers(0, length), st.integers(0, length)).map(lambda pair: tuple(sorted(pair)))

    return st.tuples(interval(height), interval(width)).map(
        lambda axes: Box(axes[0][0], axes[1][0], axes[0][1], axes[1][1])
    )


@pytest.mark.parametrize("kind", FILES)
def test_any_box_of_any_layout_equals_the_whole_decode(written, kind):
    whole = shown(tifffile.imread(written[kind]), kind=kind)
    if "JPEG" not in kind or "2000" in kind:
        assert np.array_equal(whole, shown(FILES[kind][0], kind=kind))
    with open_tiff(written[kind]) as source:
        assert source.levels == ((HEIGHT, WIDTH),)
        assert source.dtype == whole.dtype
        assert not source.whole

        @given(boxes())
        def check(box):
            assert np.array_equal(source.read(box), whole[box.slices])

        check()


@given(st.integers(1, 150), st.integers(1, 150), st.integers(1, 6), st.integers(1, 6), st.data())
def test_any_size_and_any_tile_size(tmp_path_factory, height, width, rows, columns, data):
    path = tmp_path_factory.getbasetemp() / "any.tif"
    tifffile.imwrite(path, RGB[:height, :width], photometric="rgb", tile=(16 * rows, 16 * columns), compression="lzw")
    box = data.draw(boxes(height, width))
    with open_tiff(path) as source:
        assert np.array_equal(source.read(box), RGB[:height, :width][box.slices])


def by_subifds(path, levels, **options):
    with tifffile.TiffWriter(path) as writer:
        for at, level in enumerate(levels):
            extra = {"subifds": len(levels) - 1} if at == 0 else {"subfiletype": 1}
            writer.write(level, photometric="rgb", tile=(64, 64), compression="lzw", **extra, **options)


def by_pages(path, levels):
    with tifffile.TiffWriter(path) as writer:
        for at, level in enumerate(levels):
            writer.write(
                level, photometric="rgb", tile=(64, 64), compression="lzw", metadata=None, subfiletype=int(at > 0)
            )


def as_svs(path, levels):
    text = "Aperio Image Library v11\n311x203 (64x64) LZW|AppMag = 20|MPP = 0.4990"
    with tifffile.TiffWriter(path) as writer:
        writer.write(levels[0], photometric="rgb", tile=(64, 64), compression="lzw", metadata=None, description=text)
        writer.write(RGB[:40, :60], photometric="rgb", rowsperstrip=16, metadata=None)  # thumbnail
        for level in levels[1:]:
            writer.write(level, photometric="rgb", tile=(64, 64), compression="lzw", metadata=None, description=text)
        writer.write(RGB[:50, :50], photometric="rgb", metadata=None, subfiletype=1)  # label
        writer.write(RGB[:40, :90], photometric="rgb", metadata=None, subfiletype=9)  # macro


LEVELS = [RGB, np.ascontiguousarray(RGB[::2, ::2]), np.ascontiguousarray(RGB[1::4, 1::4])]


@pytest.mark.parametrize("write", [by_subifds, by_pages, as_svs])
def test_each_level_of_a_pyramid_is_read_on_its_own(tmp_path, write):
    path = tmp_path / "slide.svs"
    write(path, LEVELS)
    with open_tiff(path) as source:
        assert source.levels == tuple(level.shape[:2] for level in LEVELS)
        for at, level in enumerate(LEVELS):
            box = Box(5, 3, level.shape[0] - 2, level.shape[1])
            assert np.array_equal(source.read(box, level=at), level[box.slices])


def test_many_threads_read_what_one_reads(written):
    picked = [Box(y, x, y + 61, x + 90) for y in range(0, 142, 20) for x in range(0, 220, 30)]
    with open_tiff(written["tiles, JPEG"], reading=Reading(workers=3)) as source, ThreadPoolExecutor(4) as pool:
        found = list(pool.map(source.read, picked * 3))
    whole = tifffile.imread(written["tiles, JPEG"])
    assert all(np.array_equal(each, whole[box.slices]) for each, box in zip(found, picked * 3, strict=True))


def test_opening_decodes_nothing(written, monkeypatch):
    def refuse(*arguments, **options):
        raise AssertionError("decoded")

    monkeypatch.setattr("pipeline.raw.formats.tiff_page.Page._decode", refuse)
    for path in written.values():
        with open_tiff(path) as source:
            assert source.levels


def test_a_compressed_file_of_one_giant_strip_is_decoded_whole(written, monkeypatch):
    monkeypatch.setattr("pipeline.raw.formats.tiff.LARGEST_PIECE", 1000)
    with open_tiff(written["one strip, LZW"]) as source:
        assert source.whole
        assert np.array_equal(source.read(Box(2, 3, 50, 60)), RGB[2:50, 3:60])


def test_a_giant_strip_without_compression_is_read_in_runs_of_rows(written, monkeypatch):
    monkeypatch.setattr("pipeline.raw.formats.tiff_page.RUN_BYTES", 5000)
    monkeypatch.setattr("pipeline.raw.formats.tiff.LARGEST_PIECE", 10_000)
    for kind in ("one strip, none", "strips, planes apart, none", "16 bit, big-endian"):
        whole = shown(FILES[kind][0], kind=kind)
        with open_tiff(written[kind]) as source:
            assert not source.whole
            assert np.array_equal(source.read(Box(2, 3, 150, 60)), whole[2:150, 3:60])


def ycbcr(rgb: np.ndarray) -> np.ndarray:
    """JFIF's definition, in floating point."""
    weights = np.array([[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]])
    return np.clip(np.rint(rgb @ weights.T + [0, 128, 128]), 0, 255).astype(np.uint8)


def test_aperio_jpeg_2000_that_holds_ycbcr_is_shown_in_rgb(tmp_path):
    path, arguments = tmp_path / "j.svs", {"level": 0, "codecformat": "j2k", "mct": False}
    tifffile.imwrite(
        path,
        ycbcr(SMOOTH),
        photometric="rgb",
        tile=(64, 64),
        compression="aperio_jp2000_ycbc",
        compressionargs=arguments,
    )
    with open_tiff(path) as source:
        found = source.read(Box.of_shape(HEIGHT, WIDTH))
    assert np.abs(found.astype(int) - SMOOTH).max() <= 2


def holed(missing, pixels=RGB):
    for y in range(0, HEIGHT, 64):
        for x in range(0, WIDTH, 64):
            tile = np.zeros((64, 64, 3), np.uint8)
            part = pixels[y : y + 64, x : x + 64]
            tile[: part.shape[0], : part.shape[1]] = part
            yield b"" if (y, x) in missing else imagecodecs.zlib_encode(tile.tobytes())


def test_a_tile_that_the_scanner_left_out_is_white_and_a_mask_there_is_empty(tmp_path):
    path, grey = tmp_path / "holes.tif", np.repeat(RGB[:, :, :1], 3, axis=2)  # a mask has one colour
    expected = grey.copy()
    tifffile.imwrite(
        path,
        holed({(64, 128), (192, 256)}, grey),
        shape=RGB.shape,
        dtype=np.uint8,
        tile=(64, 64),
        photometric="rgb",
        compression="zlib",
    )
    expected[64:128, 128:192] = expected[192:, 256:] = 255
    whole = Box.of_shape(HEIGHT, WIDTH)
    with open_tiff(path) as source:
        assert np.array_equal(source.read(whole), expected)
    with open_tiff_values(path) as values:
        assert not values.read(whole)[64:128, 128:192].any()
        assert np.array_equal(values.read(Box(0, 0, 64, 64)), grey[:64, :64, 0])


SIZES = [
    ({"resolution": (20000, 20000), "resolutionunit": "centimeter"}, 0.5),
    ({"resolution": (50800, 50800), "resolutionunit": "inch"}, 0.5),
    ({"resolution": (72, 72), "resolutionunit": "inch"}, None),
    ({"resolution": (20000, 20000), "resolutionunit": "none"}, None),
    ({"description": "Aperio\n|AppMag = 40|MPP = 0.2527|Left = 1"}, 0.2527),
    ({"ome": True, "metadata": {"PhysicalSizeX": 0.33, "PhysicalSizeXUnit": "µm"}}, 0.33),
    ({"ome": True, "metadata": {"PhysicalSizeX": 250.0, "PhysicalSizeXUnit": "nm"}}, 0.25),
    ({}, None),
]


@pytest.mark.parametrize(("options", "expected"), SIZES)
def test_the_pixel_size_is_what_the_file_says(tmp_path, options, expected):
    path = tmp_path / "size.tif"
    tifffile.imwrite(path, RGB, photometric="rgb", **options)
    with open_tiff(path) as source:
        assert source.pixel_size_um == (None if expected is None else pytest.approx(expected, rel=1e-4))


def stack_of_channels(path):
    tifffile.imwrite(path, np.zeros((5, 40, 50), np.uint8), photometric="minisblack")


def stack_of_pictures(path):
    tifffile.imwrite(path, np.zeros((4, 40, 50, 3), np.uint8), photometric="rgb")


def ome_channels(path):
    tifffile.imwrite(
        path, np.zeros((3, 40, 50), np.uint16), photometric="minisblack", ome=True, metadata={"axes": "CYX"}
    )


def five_samples(path):
    tifffile.imwrite(path, np.zeros((40, 50, 5), np.uint8), photometric="minisblack", planarconfig="contig")


def floating(path):
    tifffile.imwrite(path, np.zeros((40, 50, 3), np.float32), photometric="rgb")


@pytest.mark.parametrize("write", [stack_of_channels, stack_of_pictures, ome_channels, five_samples, floating])
def test_what_is_no_picture_is_rejected_with_what_it_is(tmp_path, write):
    write(tmp_path / "x.tif")
    with pytest.raises(ImageRejected, match=r"found: .*(stack|channels|float32)"), open_tiff(tmp_path / "x.tif"):
        pass


def pieces(path, level=0):
    with tifffile.TiffFile(path) as file:
        page = file.series[0].levels[level].pages[0]
        return list(page.dataoffsets), list(page.databytecounts)


@pytest.mark.parametrize("kind", ["tiles, JPEG", "tiles, deflate, predictor", "strips, LZW", "one strip, none"])
def test_a_truncated_file_is_found_when_it_is_opened(written, tmp_path, kind):
    path, data = tmp_path / "cut.tif", written[kind].read_bytes()
    offsets, counts = pieces(written[kind])
    path.write_bytes(data[: max(map(sum, zip(offsets, counts, strict=True))) - 1])
    with pytest.raises(ImageRejected, match=r"cut\.tif(.|\n)*cut at"), open_tiff(path):
        pass


@pytest.mark.parametrize("kind", ["tiles, JPEG", "tiles, deflate, predictor", "tiles, JPEG 2000", "strips, LZW"])
def test_a_damaged_piece_is_named_and_the_others_are_still_read(written, tmp_path, kind):
    source, word = written[kind], kind[:5].rstrip("s")
    path, data = tmp_path / "bad.tif", bytearray(source.read_bytes())
    offsets, counts = pieces(source)
    data[offsets[6] + counts[6] // 2 : offsets[6] + counts[6]] = bytes(counts[6] - counts[6] // 2)
    path.write_bytes(data)
    with open_tiff(path) as opened:
        assert np.array_equal(opened.read(Box(0, 0, 7, 64)), tifffile.imread(source)[:7, :64])
        with pytest.raises(ImageRejected, match=f"{word} 6 at row (42|48), column"):
            opened.read(Box.of_shape(HEIGHT, WIDTH))
        with pytest.raises(ImageRejected, match=f"{word} 6"):  # and again: a failure is not kept
            opened.read(Box.of_shape(HEIGHT, WIDTH))


def test_a_table_of_pieces_that_is_too_short_is_rejected(written, tmp_path):
    source = written["tiles, deflate, predictor"]
    path, data = tmp_path / "short.tif", bytearray(source.read_bytes())
    with tifffile.TiffFile(source) as file:
        tag = file.pages[0].tags["TileOffsets"]
        data[tag.offset + 4 : tag.offset + 8] = struct.pack("<I", 3)
    path.write_bytes(data)
    with pytest.raises(ImageRejected, match=r"short\.tif"), open_tiff(path):
        pass


@pytest.mark.data
def test_the_real_slide_has_the_pixels_that_openslide_gives(real_data):
    openslide = pytest.importorskip("openslide")
    path = real_data / "wsi" / "CMU-1-Small-Region.svs"
    with open_tiff(path, reading=Reading(workers=2)) as source, openslide.OpenSlide(str(path)) as slide:
        assert source.levels == tuple((h, w) for w, h in slide.level_dimensions)
        assert source.pixel_size_um == pytest.approx(float(slide.properties["openslide.mpp-x"]))
        whole = np.asarray(slide.read_region((0, 0), 0, slide.dimensions))[:, :, :3]
        assert np.array_equal(source.read(Box.of_shape(*source.levels[0])), whole)


def ome_of_a_set(shapes: dict[str, tuple[int, int]]) -> str:
    """OME-XML as each file of a set holds it: all pictures, and the file that each lies in."""
    pictures = "".join(
        f'<Image ID="Image:{at}"><Pixels ID="Pixels:{at}" DimensionOrder="XYCZT" Type="uint8" SizeX="{shape[1]}"'
        f' SizeY="{shape[0]}" SizeC="3" SizeZ="1" SizeT="1"><Channel ID="Channel:{at}:0" SamplesPerPixel="3"/>'
        f'<TiffData IFD="0" PlaneCount="1"><UUID FileName="{name}">urn:uuid:{name}</UUID></TiffData></Pixels></Image>'
        for at, (name, shape) in enumerate(shapes.items())
    )
    own = 'xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" UUID="urn:uuid:{}"'
    return f'<?xml version="1.0" encoding="UTF-8"?><OME {own}>{pictures}</OME>'


def test_each_file_of_a_set_of_ome_tiffs_gives_its_own_picture(tmp_path):
    files = {"large.ome.tif": SMOOTH, "small.ome.tif": RGB[:96, :128]}
    text = ome_of_a_set({name: values.shape[:2] for name, values in files.items()})
    for name, values in files.items():
        tifffile.imwrite(tmp_path / name, values, **TILED, description=text.format(name), metadata=None)
        with (tmp_path / name).open("ab") as file:
            file.write(WIDE.tobytes())  # so that no place of the other picture lies beyond its end
    for name, values in files.items():
        with open_tiff(tmp_path / name) as opened:
            assert np.array_equal(opened.read(Box.of_shape(*opened.levels[0])), values)
