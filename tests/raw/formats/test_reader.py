"""Pixels come out as they were stored, and damage never comes out as grey."""

import numpy as np
import pytest
import tifffile
from PIL import Image

from pipeline.config.manifest import DatasetRecord
from pipeline.errors import ImageRejected
from pipeline.geometry import Box
from pipeline.raw.datasets.entry import ImageEntry
from pipeline.raw.datasets.headers import check_headers, header_size
from pipeline.raw.formats.jpeg_png import decode_picture
from pipeline.raw.formats.reader import open_picture, open_values
from pipeline.raw.formats.source import to_eight_bit
from pipeline.raw.pixels import open_image
from pipeline.raw.truth_values import count_values, mask_cut
from pipeline.seeds import stream

RNG = stream(0, "test", "reader")
RGB = RNG.integers(0, 256, (40, 50, 3), dtype=np.uint8)
MASK = RNG.random((40, 50)) < 0.3


RECORD = DatasetRecord.model_validate(
    {
        "title": "t",
        "adaptor": "folder",
        "modality": "fundus",
        "task": "binary",
        "classes": [{"code": "A", "name": "a"}],
        "folder": {"images": "{image}.png"},
    }
)


def decode_image(path):
    with open_image(ImageEntry("i", path), record=RECORD) as source:
        return to_eight_bit(source.read(Box.of_shape(*source.levels[0])))


def decode_mask(path):
    with open_values(path) as source:
        cut = mask_cut(source, count_values(source, path=path), path=path)
        return source.read(Box.of_shape(*source.shape)) > cut


def save(path, pixels, **options):
    Image.fromarray(pixels).save(path, **options)
    return path


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_lossless_colour_comes_back_exactly(tmp_path, suffix):
    assert np.array_equal(decode_image(save(tmp_path / f"a{suffix}", RGB)), RGB)


def test_grey_and_alpha_become_three_channels(tmp_path):
    grey = decode_image(save(tmp_path / "g.png", RGB[:, :, 0]))
    assert np.array_equal(grey, np.repeat(RGB[:, :, :1], 3, axis=2))
    alpha = np.dstack([RGB, np.full((40, 50), 9, np.uint8)])
    assert np.array_equal(decode_image(save(tmp_path / "a.png", alpha)), RGB)


def test_sixteen_bit_is_scaled_over_its_full_range(tmp_path):
    wide = np.array([[0, 128, 257, 65535, 32768]], np.uint16)
    tifffile.imwrite(tmp_path / "w.tif", wide)
    assert decode_image(tmp_path / "w.tif")[0, :, 0].tolist() == [0, 0, 1, 255, 128]
    Image.fromarray(wide).save(tmp_path / "w.png")
    assert decode_image(tmp_path / "w.png")[0, :, 0].tolist() == [0, 0, 1, 255, 128]


def test_planar_tiff_is_brought_to_channels_last(tmp_path):
    tifffile.imwrite(tmp_path / "p.tif", np.moveaxis(RGB, 2, 0), photometric="rgb", planarconfig="separate")
    assert np.array_equal(decode_image(tmp_path / "p.tif"), RGB)


def test_orientation_tags_are_obeyed_for_image_and_mask(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    path = save(tmp_path / "o.png", RGB, exif=exif)
    assert np.array_equal(decode_image(path), np.rot90(RGB, 3))
    path = save(tmp_path / "m.png", MASK.astype(np.uint8), exif=exif)
    assert np.array_equal(decode_mask(path), np.rot90(MASK, 3))


def mask_files(folder):
    palette = Image.fromarray(MASK.astype(np.uint8)).convert("P")
    palette.putpalette([0, 0, 0, 255, 0, 0])
    palette.save(folder / "palette.png")
    tifffile.imwrite(folder / "bits.tif", MASK, photometric="minisblack")
    tifffile.imwrite(folder / "bytes.tif", MASK.astype(np.uint8) * 76)
    save(folder / "one.png", MASK.astype(np.uint8))
    save(folder / "bits.png", MASK)
    save(folder / "red.png", np.dstack([MASK * np.uint8(200), MASK * np.uint8(0), MASK * np.uint8(0)]))
    return sorted(folder.iterdir())


def test_a_mask_is_the_same_in_every_lossless_format(tmp_path):
    for path in mask_files(tmp_path):
        assert np.array_equal(decode_mask(path), MASK), path.name


def test_a_jpeg_mask_is_cut_at_the_middle(tmp_path):
    blocks = np.kron(MASK[:8, :8].astype(np.uint8) * np.uint8(255), np.ones((19, 19), np.uint8))
    path = save(tmp_path / "m.jpg", blocks, quality=75)
    stored = np.asarray(Image.open(path))
    assert len(np.unique(stored)) > 2
    assert np.array_equal(decode_mask(path), blocks > 0)


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif"])
@pytest.mark.parametrize("kept", [0.0, 0.1, 0.5, 0.95])
def test_a_truncated_file_is_rejected_and_named(tmp_path, suffix, kept):
    path = save(tmp_path / f"half{suffix}", np.kron(RGB, np.ones((4, 4, 1), np.uint8)))
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * kept)])
    with pytest.raises(ImageRejected, match="half"):
        decode_image(path)


def pillow_files(folder):
    smooth = np.kron(RGB, np.ones((3, 3, 1), np.uint8))
    for name, options in {
        "usual.jpg": {"quality": 75},
        "full_chroma.jpg": {"quality": 92, "subsampling": 0},
        "progressive.jpg": {"progressive": True},
        "restarts.jpg": {"restart_marker_rows": 1},
        "rgb.png": {},
        "rgb.jpg": {"keep_rgb": True},
    }.items():
        save(folder / name, smooth, **options)
    Image.fromarray(smooth).convert("CMYK").save(folder / "cmyk.jpg")
    Image.fromarray(smooth).convert("L").save(folder / "grey.jpg")
    Image.fromarray(smooth).convert("P").save(folder / "palette.png")
    Image.fromarray(smooth).save(folder / "transparent.png", transparency=(1, 2, 3))
    (folder / "trailer.jpg").write_bytes((folder / "usual.jpg").read_bytes() + b"of a camera" * 20)
    (folder / "padded.jpg").write_bytes((folder / "usual.jpg").read_bytes() + bytes(12))
    return sorted(folder.iterdir())


def test_every_kind_of_jpeg_and_png_comes_out_as_pillow_decodes_it(tmp_path):
    files = pillow_files(tmp_path)
    assert len(files) == 12
    for path in files:
        with Image.open(path) as picture:
            expected = np.asarray(picture.convert("RGB"))
        assert np.array_equal(decode_picture(path)[0], expected), path.name


@pytest.mark.parametrize("cut", [1, 2, 30, 300])
def test_a_jpeg_that_lacks_its_last_bytes_is_rejected(tmp_path, cut):
    path = save(tmp_path / "cut.jpg", np.kron(RGB, np.ones((4, 4, 1), np.uint8)))
    path.write_bytes(path.read_bytes()[:-cut])
    with pytest.raises(ImageRejected, match="cut"):
        decode_picture(path)


@pytest.mark.parametrize("name", ["text.jpg", "text.png", "text.tif"])
def test_a_file_that_is_no_picture_is_rejected(tmp_path, name):
    (tmp_path / name).write_text("not a picture")
    with pytest.raises(ImageRejected, match=name):
        decode_image(tmp_path / name)


def test_floating_point_pixels_are_rejected(tmp_path):
    tifffile.imwrite(tmp_path / "f.tif", RGB.astype(np.float32), photometric="rgb")
    with pytest.raises(ImageRejected, match="float32"):
        decode_image(tmp_path / "f.tif")


def test_sixteen_bit_stays_what_it_is_until_eight_are_asked_for(tmp_path):
    wide = RNG.integers(0, 65536, (40, 50), dtype=np.uint16)
    Image.fromarray(wide).save(tmp_path / "w.png")
    tifffile.imwrite(tmp_path / "w.tif", wide)
    for path in (tmp_path / "w.png", tmp_path / "w.tif"):
        with open_image(ImageEntry("i", path), record=RECORD) as source:
            found = source.read(Box(3, 4, 30, 40))
        assert found.dtype == np.uint16
        assert np.array_equal(found, np.repeat(wide[3:30, 4:40, None], 3, axis=2))


def test_a_palette_tiff_is_shown_in_its_colours(tmp_path):
    picture = Image.fromarray(MASK.astype(np.uint8), "P")
    picture.putpalette([10, 20, 30, 200, 100, 50])
    picture.save(tmp_path / "p.tif")
    assert np.array_equal(decode_image(tmp_path / "p.tif"), np.where(MASK[..., None], (200, 100, 50), (10, 20, 30)))


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif"])
def test_the_header_tells_the_size_that_decoding_gives(tmp_path, suffix):
    exif = Image.Exif()
    exif[0x0112] = 6
    path = save(tmp_path / f"o{suffix}", RGB, **({} if suffix == ".tif" else {"exif": exif}))
    with open_picture(path) as source:
        assert header_size(path) == source.levels[0]


def test_headers_of_masks_are_compared_with_the_image(tmp_path):
    image = save(tmp_path / "i.tif", RGB)
    half, other = save(tmp_path / "half.tif", RGB[::2, ::2]), save(tmp_path / "other.tif", RGB[:, :30])
    (tmp_path / "bad.tif").write_text("nothing")
    masks = (("A", half), ("B", other), ("C", tmp_path / "bad.tif"), ("D", image))
    entry = ImageEntry("i", image, masks)
    assert [line.split("(")[1][0] for line in check_headers(entry)] == ["A", "B", "C"]
    assert [line.split("(")[1][0] for line in check_headers(entry, any_level=True)] == ["B", "C"]
