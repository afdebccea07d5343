"""A picture in OME-Zarr, of version 0.4 or 0.5 and whatever its axes, is read as what it holds, chunk by chunk."""

import json
from pathlib import Path

import numpy as np
import pytest
import zarr
from PIL import Image

from pipeline.config import NormalizedConfig, Storage
from pipeline.config.manifest import DatasetRecord
from pipeline.errors import ImageRejected
from pipeline.geometry import Box
from pipeline.normalized.fundus.image import normalise_fundus
from pipeline.predict.normalise import image_entry
from pipeline.raw.datasets.folder import list_folder
from pipeline.raw.facts import fact_sheet
from pipeline.raw.formats.ome_zarr import OmeZarrSource
from pipeline.raw.formats.reader import file_size, open_picture
from pipeline.raw.phantom.fundus import fundus_phantom
from pipeline.runtime.input_records import hashed
from pipeline.seeds import stream
from pipeline.stores import open_array
from pipeline.stores.arrays import input_digest
from pipeline.stores.job import Job
from pipeline.stores.provenance import Provenance

SIZE = (150, 211)
KINDS = {"t": "time", "c": "channel", "z": "space", "y": "space", "x": "space"}
COLOURS = ("FF0000", "00FF00", "0000FF")


def picture(*, channels=3, dtype=np.uint8) -> np.ndarray:
    """``(c, y, x)``"""
    return stream(0, "ome-zarr").integers(0, np.iinfo(dtype).max + 1, (channels, *SIZE)).astype(dtype)


def written(
    path: Path, pixels: np.ndarray, *, version="0.5", axes="cyx", um=0.5, colours=COLOURS, chunk=64, unit="micrometer"
):
    """Two levels of ``(c, y, x)`` pixels as other programs write them."""
    group = zarr.create_group(path, zarr_format=2 if version == "0.4" else 3)
    datasets = []
    for level, values in enumerate((pixels, pixels[:, ::2, ::2])):
        order = [axis for axis in "cyx" if axis in axes]
        values = values if "c" in axes else values[0]
        values = np.transpose(values, [order.index(axis) for axis in axes if axis in order])
        values = values.reshape(
            [values.shape["".join(a for a in axes if a in order).index(axis)] if axis in order else 1 for axis in axes]
        )
        chunks = tuple(min(chunk, size) if axis in "yx" else 1 for axis, size in zip(axes, values.shape, strict=True))
        array = group.create_array(str(level), shape=values.shape, chunks=chunks, dtype=values.dtype)
        array[...] = values
        scale = [um * 2**level if axis in "yx" else 1.0 for axis in axes]
        datasets.append({"path": str(level), "coordinateTransformations": [{"type": "scale", "scale": scale}]})
    listed = [{"name": axis, "type": KINDS[axis], **({"unit": unit} if axis in "yx" and unit else {})} for axis in axes]
    omero = {"omero": {"channels": [{"color": each} for each in colours]}} if colours else {}
    ome = {"multiscales": [{"axes": listed, "datasets": datasets, "version": version}], **omero}
    group.attrs.update({"ome": {**ome, "version": version}} if version == "0.5" else ome)
    return path


@pytest.mark.parametrize("version", ["0.4", "0.5"])
@pytest.mark.parametrize("axes", ["cyx", "tczyx", "yxc"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_every_box_of_every_level_is_what_was_stored(tmp_path, version, axes, dtype):
    pixels = picture(dtype=dtype)
    path = written(tmp_path / "a.ome.zarr", pixels, version=version, axes=axes)
    assert file_size(path) == SIZE
    with open_picture(path) as source:
        assert source.levels == (SIZE, (75, 106))
        assert (source.pixel_size_um, source.dtype, source.whole) == (0.5, dtype, False)
        for level, box in (
            (0, Box(0, 0, *SIZE)),
            (0, Box(63, 60, 130, 211)),
            (0, Box(5, 7, 6, 8)),
            (1, Box(3, 50, 75, 106)),
        ):
            expected = np.moveaxis(pixels[:, :: 2**level, :: 2**level], 0, 2)[box.slices]
            np.testing.assert_array_equal(source.read(box, level=level), expected)


def test_a_grey_picture_without_an_axis_of_channels_is_grey(tmp_path):
    pixels = picture(channels=1)
    with open_picture(written(tmp_path / "a.zarr", pixels, axes="yx", colours=())) as source:
        np.testing.assert_array_equal(source.read(Box(0, 0, *SIZE)), np.repeat(pixels[0][:, :, None], 3, axis=2))


def test_channels_are_taken_in_the_order_that_their_colours_tell(tmp_path):
    pixels = picture()
    with open_picture(written(tmp_path / "a.zarr", pixels, colours=COLOURS[::-1])) as source:
        np.testing.assert_array_equal(source.read(Box(0, 0, *SIZE)), np.moveaxis(pixels[::-1], 0, 2))


@pytest.mark.parametrize(
    ("um", "unit", "expected"), [(500.0, "nanometer", 0.5), (0.5, None, None), (0.00025, "millimeter", 0.25)]
)
def test_the_pixel_size_is_that_of_the_scale_and_its_unit(tmp_path, um, unit, expected):
    with open_picture(written(tmp_path / "a.zarr", picture(), um=um, unit=unit)) as source:
        assert source.pixel_size_um == (None if expected is None else pytest.approx(expected))


def test_a_box_decodes_only_the_chunks_under_it_and_each_once(tmp_path, monkeypatch):
    decoded = []
    decode = OmeZarrSource._decode
    monkeypatch.setattr(
        OmeZarrSource, "_decode", lambda self, tile, level: decoded.append(tile) or decode(self, tile, level)
    )
    with open_picture(written(tmp_path / "a.zarr", picture())) as source:
        for _ in range(2):
            source.read(Box(60, 70, 70, 120))
    assert sorted(tile.y0 for tile in decoded) == [0, 64]
    assert {tile.x0 for tile in decoded} == {64}


def test_chunks_that_are_not_stored_hold_the_fill_value_and_are_counted(tmp_path):
    path = written(tmp_path / "a.zarr", picture())
    (path / "0" / "c" / "1" / "0" / "0").unlink()
    with open_picture(path) as source:
        assert not source.read(Box(0, 0, 64, 64))[:, :, 1].any()
        assert source.remarks == {"chunks that are not stored and so hold 0": 1}


def test_what_is_no_picture_is_rejected_with_what_was_found(tmp_path):
    stack = written(tmp_path / "stack.zarr", picture(), axes="cyx")
    attributes = json.loads((stack / "zarr.json").read_text())
    attributes["attributes"]["ome"]["multiscales"][0]["axes"][0] = {"name": "z", "type": "space"}
    (stack / "zarr.json").write_text(json.dumps(attributes))
    with pytest.raises(ImageRejected, match="z 3 × y 150"), open_picture(stack):
        pass
    with (
        pytest.raises(ImageRejected, match="c 2"),
        open_picture(written(tmp_path / "two.zarr", picture(channels=2), colours=())),
    ):
        pass
    plate = zarr.create_group(tmp_path / "plate.zarr", attributes={"ome": {"plate": {}}})
    assert plate is not None
    for path in (tmp_path / "plate.zarr", tmp_path / "nothing.zarr"):
        with pytest.raises(ImageRejected), open_picture(path):
            pass


def test_a_damaged_chunk_is_named(tmp_path):
    path = written(tmp_path / "a.zarr", picture())
    (path / "0" / "c" / "1" / "1" / "2").write_bytes(b"torn")
    with open_picture(path) as source, pytest.raises(ImageRejected, match="row 64, column 128 of level 0"):
        source.read(Box(0, 0, *SIZE))


LAYOUT = {"images": "{image}.ome.zarr", "masks": {"EX": "{image}_EX.png"}}
RECORD = DatasetRecord.model_validate(
    {
        "title": "t",
        "adaptor": "folder",
        "modality": "fundus",
        "task": "binary",
        "classes": [{"code": "EX", "name": "Exudates"}],
        "folder": LAYOUT,
    }
)


def test_a_store_of_a_folder_is_normalised_like_the_same_picture_in_a_png(tmp_path):
    made = fundus_phantom(0, size=200, seed=1)
    (tmp_path / "data").mkdir()
    written(tmp_path / "data" / "eye.ome.zarr", np.moveaxis(made.image, 2, 0), unit=None)
    Image.fromarray(np.uint8(255) * made.masks["EX"].astype(np.uint8)).save(tmp_path / "data" / "eye_EX.png")
    Image.fromarray(made.image).save(tmp_path / "eye.png")
    (entry,) = list_folder(tmp_path / "data", layout=RECORD.layout)
    assert (entry.image_id, entry.image.name, entry.annotated) == ("eye", "eye.ome.zarr", True)
    sheet = fact_sheet(entry, record=RECORD)
    assert sheet["rejected"] == ""
    assert sheet["sha256"] == input_digest(entry.image) == hashed(entry.files)["image"].sha256
    config = NormalizedConfig(strip_rows=64, strip_columns=64, storage=Storage(chunk=32, shard=64))
    stores = []
    for each in (entry, image_entry(tmp_path / "eye.png")):
        stores.append(tmp_path / "normalized" / f"{len(stores)}.zarr")
        normalise_fundus(each, config=config, job=Job(RECORD, Provenance("normalized", {}, "c")), output=stores[-1])
    for name in ("0", "1", "roi"):
        np.testing.assert_array_equal(*(open_array(store, name)[:] for store in stores))
    assert open_array(stores[0], "truth")[:].any()


def test_another_chunk_is_seen_at_a_glance_and_is_another_content(tmp_path):
    path = written(tmp_path / "a.zarr", picture())
    before = hashed({"image": path})["image"]
    assert before.is_of(path)
    chunk = path / "0" / "c" / "0" / "0" / "0"
    chunk.write_bytes(chunk.read_bytes() + b"\0")
    assert not before.is_of(path)
    assert hashed({"image": path})["image"].sha256 != before.sha256
