"""The same content gives the same picture in every container: bits, transparency, several pictures in one file."""

import io

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image

from pipeline.config.manifest import DatasetRecord
from pipeline.errors import ImageRejected
from pipeline.geometry import Box
from pipeline.raw.bits import check_bits
from pipeline.raw.datasets.entry import ImageEntry
from pipeline.raw.facts import fact_sheet
from pipeline.raw.formats.jpeg_png import picture_size
from pipeline.raw.formats.mask_values import decode_values, one_value
from pipeline.raw.formats.reader import file_size
from pipeline.raw.formats.source import to_eight_bit
from pipeline.raw.pixels import open_image
from pipeline.seeds import stream

RNG = stream(0, "test", "containers")
RGB = RNG.integers(0, 256, (96, 112, 3), dtype=np.uint8)
RGB[:8] = 255
FULL = RGB.astype(np.uint16) * 257
CONTAINERS = [(suffix, channels) for suffix in (".png", ".tif") for channels in (1, 3)]


def record(modality="fundus", **facts):
    tree = {"title": "t", "adaptor": "folder", "modality": modality, "task": "binary"}
    tree |= {"classes": [{"code": "A", "name": "a"}], "folder": {"images": "{image}.png"}, **facts}
    return DatasetRecord.model_validate(tree)


def decoded(path, **facts):
    with open_image(ImageEntry("i", path), record=record(**facts)) as source:
        return to_eight_bit(source.read(Box.of_shape(*source.levels[0])))


def sheet(path, **facts):
    return fact_sheet(ImageEntry("i", path, annotated=False), record=record(**facts))


def write(path, samples, **options):
    """The samples ``(h, w, 1 to 4)`` of 8 or 16 bit, as PNG or as TIFF in tiles."""
    if path.suffix == ".png":
        order = {1: [0], 2: [0, 0, 0, 1], 3: [2, 1, 0], 4: [2, 1, 0, 3]}[samples.shape[2]]
        cv2.imwrite(str(path), samples[:, :, order])
        return path
    kind = "rgb" if samples.shape[2] > 2 else "minisblack"
    alpha = {"extrasamples": ["unassalpha"]} if samples.shape[2] in (2, 4) else {}
    samples = samples[:, :, 0] if samples.shape[2] == 1 else samples
    tifffile.imwrite(path, samples, photometric=kind, tile=(32, 32), planarconfig="contig", **alpha, **options)
    return path


@pytest.mark.parametrize(("suffix", "channels"), CONTAINERS)
def test_the_full_sixteen_bits_come_out_as_the_eight_they_were_made_of(tmp_path, suffix, channels):
    path = write(tmp_path / f"a{suffix}", FULL[:, :, :channels])
    assert np.array_equal(decoded(path), np.broadcast_to(RGB[:, :, :channels], RGB.shape))
    assert not sheet(path)["rejected"]


@pytest.mark.parametrize("bits", [10, 12, 14])
@pytest.mark.parametrize(("suffix", "channels"), CONTAINERS)
def test_fewer_bits_in_sixteen_are_refused_unless_the_manifest_names_them(tmp_path, suffix, channels, bits):
    path = write(tmp_path / f"a{suffix}", FULL[:, :, :channels] >> (16 - bits))
    assert f"significant_bits in the manifest: {bits}" in sheet(path)["rejected"]
    with pytest.raises(ImageRejected, match="significant_bits"):
        check_bits(ImageEntry("i", path), record=record())
    check_bits(ImageEntry("i", path), record=record(significant_bits=bits))
    assert not sheet(path, significant_bits=bits)["rejected"]
    found = decoded(path, significant_bits=bits)
    assert np.abs(found.astype(int) - RGB[:, :, :channels]).max() <= (1 if bits < 16 else 0)
    assert not sheet(path, significant_bits=16)["rejected"]
    assert "significant_bits 9" in sheet(path, significant_bits=9)["rejected"]


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_transparency_does_not_hide_that_bits_are_few(tmp_path, suffix):
    alpha = np.full((96, 112, 1), 4095, np.uint16)
    alpha[20:40] = 0
    path = write(tmp_path / f"a{suffix}", np.dstack([FULL >> 4, alpha]))
    found = decoded(path, modality="histology", significant_bits=12)
    assert (found[20:40] == 255).all()
    assert np.abs(found[40:].astype(int) - RGB[40:]).max() <= 1
    full = write(tmp_path / f"b{suffix}", np.dstack([FULL >> 4, np.where(alpha > 0, 65535, 0).astype(np.uint16)]))
    assert "significant_bits" in sheet(full, modality="histology")["rejected"]


def on_white(colours, alpha):
    share = alpha.astype(float)[:, :, None] / 255
    return np.broadcast_to(colours * share + 255 * (1 - share), RGB.shape)


def transparent_files(folder, alpha):
    rgba, grey = np.dstack([RGB, alpha]), np.dstack([RGB[:, :, 0], alpha])
    wide = rgba.astype(np.uint16) * 257
    yield write(folder / "rgba.png", rgba), RGB
    yield write(folder / "wide.png", wide), RGB
    yield write(folder / "rgba.tif", rgba), RGB
    yield write(folder / "wide.tif", wide), RGB
    yield write(folder / "grey.tif", grey), RGB[:, :, :1]
    Image.fromarray(grey, "LA").save(folder / "grey.png")
    yield folder / "grey.png", RGB[:, :, :1]
    Image.fromarray(rgba).save(folder / "rgba.webp", lossless=True, exact=True)
    yield folder / "rgba.webp", RGB
    share = alpha[:, :, None] / 255
    multiplied = np.dstack([np.rint(RGB * share).astype(np.uint8), alpha])
    tifffile.imwrite(folder / "pre.tif", multiplied, photometric="rgb", extrasamples=["assocalpha"], rowsperstrip=9)
    yield folder / "pre.tif", RGB


def test_transparent_glass_is_white_whoever_decodes(tmp_path):
    alpha = np.repeat(np.array([[255, 0, 128, 40]], np.uint8), 28, axis=1).repeat(96, axis=0)
    for path, colours in transparent_files(tmp_path, alpha):
        found = decoded(path, modality="histology").astype(float)
        assert np.abs(found - on_white(colours, alpha)).max() <= 1, path.name
        if path.name != "pre.tif":
            assert np.array_equal(decoded(path), np.broadcast_to(colours, RGB.shape)), path.name


def test_a_transparent_colour_or_palette_entry_is_glass(tmp_path):
    few = np.where(RGB[:, :, :1] > 99, np.uint8(200), np.uint8(10)).repeat(3, axis=2)
    Image.fromarray(few).save(tmp_path / "colour.png", transparency=(10, 10, 10))
    Image.fromarray(few[:, :, 0]).save(tmp_path / "grey.png", transparency=10)
    indices = (few[:, :, 0] == 10).astype(np.uint8)
    for suffix in (".png", ".gif"):
        palette = Image.fromarray(indices, "P")
        palette.putpalette([200, 200, 200, 10, 10, 10])
        palette.save(tmp_path / f"palette{suffix}", transparency=1)
    for path in sorted(tmp_path.iterdir()):
        assert np.array_equal(decoded(path, modality="histology"), np.where(few == 10, 255, 200)), path.name
        assert np.array_equal(decoded(path), few), path.name


def test_a_turned_png_of_sixteen_bits_stands_upright(tmp_path):
    for turn in range(1, 9):
        exif, stored = Image.Exif(), io.BytesIO()
        exif[0x0112] = turn
        Image.fromarray(RGB).save(stored, "PNG", exif=exif)
        Image.fromarray(RGB).save(tmp_path / "eight.png", exif=exif)
        wide = cv2.imencode(".png", FULL[:, :, ::-1])[1].tobytes()
        data, start = stored.getvalue(), stored.getvalue().index(b"eXIf") - 4
        length = int.from_bytes(data[start : start + 4], "big") + 12
        (tmp_path / "wide.png").write_bytes(wide[:33] + data[start : start + length] + wide[33:])
        assert np.array_equal(decoded(tmp_path / "wide.png"), decoded(tmp_path / "eight.png")), turn


@pytest.mark.parametrize("kept", [40, 0.5, -40])
def test_a_cut_png_of_sixteen_bits_is_refused(tmp_path, kept):
    path = write(tmp_path / "a.png", FULL)
    data = path.read_bytes()
    path.write_bytes(data[: kept if isinstance(kept, int) else int(len(data) * kept)])
    with pytest.raises(ImageRejected, match=r"a\.png"):
        decoded(path)


def test_values_of_a_mask_of_sixteen_bits_in_colour_are_not_cut_to_eight(tmp_path):
    mask = (RGB[:, :, :1] > 99).astype(np.uint16).repeat(3, axis=2)
    values, lossy = decode_values(write(tmp_path / "m.png", mask))
    assert np.array_equal(values, mask[:, :, 0])
    assert not lossy


@pytest.mark.parametrize("suffix", [".gif", ".webp", ".png", ".tif"])
def test_several_frames_are_refused_as_a_stack_is(tmp_path, suffix):
    frames = [Image.fromarray(RGB), Image.fromarray(RGB[::-1].copy())]
    path = tmp_path / f"several{suffix}"
    frames[0].save(path, save_all=True, append_images=frames[1:], **({} if suffix == ".tif" else {"duration": 50}))
    for read in (decoded, decode_values if suffix != ".tif" else decoded, file_size if suffix != ".tif" else decoded):
        with pytest.raises(ImageRejected, match=r"(?s)several.*(frames|stack)"):
            read(path)
    single = tmp_path / f"one{suffix}"
    frames[0].save(single)
    assert decoded(single).shape == RGB.shape


def test_only_pictures_are_decoded_whatever_a_file_is_called(tmp_path):
    for kind in ("EPS", "TGA", "PCX", "SGI"):
        Image.fromarray(RGB).save(tmp_path / "a.png", kind)
        for read in (decoded, decode_values, picture_size):
            with pytest.raises(ImageRejected, match="JPEG, PNG, TIFF"):
                read(tmp_path / "a.png")


def palette_file(path):
    with tifffile.TiffWriter(path) as file:
        table = np.zeros((3, 256), np.uint16)
        table[:, :] = np.arange(256) * 257
        for values in (RGB[::4, ::4, 0], RGB[:, :, 0]):
            file.write(np.ascontiguousarray(values), photometric="palette", colormap=table, metadata=None)
    return path


@pytest.mark.parametrize("ome", [True, False])
@pytest.mark.parametrize("place", [0, 1, 2])
def test_the_largest_series_is_the_picture(tmp_path, ome, place):
    path, sizes = tmp_path / ("a.ome.tif" if ome else "a.tif"), {0: RGB, 1: RGB[::4, ::4], 2: RGB[:24, ::2]}
    order = [1, 2]
    order.insert(place, 0)
    with tifffile.TiffWriter(path, ome=ome) as file:
        for number in order:
            um = 0.5 if number == 0 else 4.0
            notes = {"axes": "YXS", "PhysicalSizeX": um, "PhysicalSizeY": um} if ome else None
            file.write(np.ascontiguousarray(sizes[number]), photometric="rgb", metadata=notes)
    assert np.array_equal(decoded(path), RGB)
    assert file_size(path) == RGB.shape[:2]
    assert sheet(path)["pixel_size_um"] == (0.5 if ome else None)


def test_the_largest_page_is_the_picture_where_pillow_decodes(tmp_path):
    assert np.array_equal(decoded(palette_file(tmp_path / "p.tif"))[:, :, 0], RGB[:, :, 0])


def test_two_largest_pictures_of_one_kind_are_refused(tmp_path):
    with tifffile.TiffWriter(tmp_path / "two.ome.tif", ome=True) as file:
        for values in (RGB, RGB[::-1].copy()):
            file.write(values, photometric="rgb", metadata={"axes": "YXS"})
    with pytest.raises(ImageRejected, match="stack"):
        decoded(tmp_path / "two.ome.tif")


def test_a_mask_of_one_bit_may_be_transparent(tmp_path):
    stored = np.array([[[True, True], [True, False], [False, True]]])
    found = one_value(stored, alpha=True, labels=False, lossy=False, path=tmp_path)
    assert found.tolist() == [[True, False, False]]
