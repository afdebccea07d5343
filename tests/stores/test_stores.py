"""Stores are aligned, complete, standard, and say where they came from."""

import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ome_zarr_models.v05.image import Image as OmeImage
from scipy.ndimage import center_of_mass
from skimage.measure import block_reduce

from pipeline.config import Storage
from pipeline.errors import StoreError, UnalignedWrite
from pipeline.geometry import Box
from pipeline.seeds import stream
from pipeline.stores import (
    create_group,
    create_plane,
    create_pyramid,
    input_digest,
    open_array,
    open_group,
    read_box,
    read_table,
    table_metadata,
    write_box,
    write_table,
)
from pipeline.stores.multiscales import multiscales
from pipeline.stores.record import seal

STORAGE = Storage(chunk=16, shard=32)
SHAPES = ((70, 100), (35, 50), (18, 25))


def pyramid(path, **options):
    return create_pyramid(
        path,
        channels=("red", "green", "blue"),
        shapes=SHAPES,
        dtype=np.uint8,
        storage=STORAGE,
        provenance={"stage": "normalized"},
        **options,
    )


@pytest.fixture
def store(tmp_path):
    group = pyramid(tmp_path / "a.zarr")
    create_plane(group, "roi", shape=(70, 100), dtype=np.uint8, storage=STORAGE)
    seal(tmp_path / "a.zarr")
    return tmp_path / "a.zarr", group


def test_a_pyramid_is_a_valid_ome_zarr_image(store):
    path, _ = store
    group = open_group(path)
    image = OmeImage.from_zarr(group)
    assert [level.path for level in image.ome_attributes.multiscales[0].datasets] == ["0", "1", "2"]


def test_viewers_are_told_the_colours_names_and_windows_of_the_channels():
    shown = multiscales("a", ("red", "green", "blue"), levels=1, pixel_size_um=None)["omero"]["channels"]
    assert [(each["label"], each["color"]) for each in shown] == [
        ("red", "FF0000"),
        ("green", "00FF00"),
        ("blue", "0000FF"),
    ]
    assert {(each["window"]["start"], each["window"]["end"]) for each in shown} == {(0, 255)}
    maps = multiscales("a", ("MA", "HE"), levels=1, pixel_size_um=None, largest=1)["omero"]["channels"]
    assert [(each["label"], each["window"]["end"]) for each in maps] == [("MA", 1), ("HE", 1)]


@pytest.mark.parametrize("size", [1.0, 0.25])
def test_levels_of_means_lie_where_their_pixels_lay(size):
    """The centre of mass of a spot is the same in micrometres whatever the level it is measured in."""
    spot = np.zeros((64, 64))
    spot[24:40, 16:48] = 1.0
    levels = multiscales("a", ("c",), levels=3, pixel_size_um=size)["multiscales"][0]["datasets"]
    centres = []
    for at, level in enumerate(levels):
        scale, *shift = level["coordinateTransformations"]
        found = np.array(center_of_mass(block_reduce(spot, (2**at, 2**at), np.mean)))
        centres.append(found * scale["scale"][1:] + (shift[0]["translation"][1:] if shift else 0.0))
    np.testing.assert_allclose(centres, [centres[0]] * 3)


def test_a_known_pixel_size_is_the_scale(tmp_path):
    group = pyramid(tmp_path / "b.zarr", pixel_size_um=0.5)
    scale = dict(group.attrs)["ome"]["multiscales"][0]
    assert scale["datasets"][1]["coordinateTransformations"][0]["scale"] == [1.0, 1.0, 1.0]
    assert scale["axes"][1]["unit"] == "micrometer"


@pytest.mark.parametrize(
    ("box", "allowed"),
    [
        ((0, 0, 32, 32), True),
        ((32, 64, 64, 96), True),
        ((64, 96, 70, 100), True),
        ((0, 0, 70, 100), True),
        ((0, 0, 16, 32), False),
        ((16, 0, 48, 32), False),
        ((0, 0, 33, 32), False),
        ((0, 0, 32, 99), False),
    ],
)
def test_only_whole_shards_are_written(tmp_path, box, allowed):
    group = pyramid(tmp_path / "a.zarr")
    y0, x0, y1, x1 = box
    block = np.ones((3, y1 - y0, x1 - x0), np.uint8)
    if allowed:
        write_box(group["0"], block, y0=y0, x0=x0)
        assert (read_box(group["0"], Box(*box)) == 1).all()
    else:
        with pytest.raises(UnalignedWrite, match="aligned"):
            write_box(group["0"], block, y0=y0, x0=x0)


def test_a_block_beyond_the_image_or_with_other_channels_is_refused(store):
    _, group = store
    with pytest.raises(UnalignedWrite):
        write_box(group["0"], np.ones((3, 32, 32), np.uint8), y0=64, x0=0)
    with pytest.raises(UnalignedWrite):
        write_box(group["0"], np.ones((1, 32, 32), np.uint8), y0=0, x0=0)


@given(st.integers(1, 90), st.integers(1, 90), st.sampled_from([(4, 8), (16, 16), (8, 64)]))
def test_shards_written_one_by_one_give_back_the_array(height, width, sides):
    import tempfile
    from pathlib import Path

    chunk, shard = sides
    data = stream(0, height, width).integers(0, 256, (height, width), dtype=np.uint8)
    with tempfile.TemporaryDirectory() as folder:
        group = create_group(Path(folder) / "a.zarr", attributes={"provenance": {}})
        array = create_plane(group, "x", shape=data.shape, dtype=np.uint8, storage=Storage(chunk=chunk, shard=shard))
        for y0 in range(0, height, shard):
            for x0 in range(0, width, shard):
                write_box(array, data[y0 : y0 + shard, x0 : x0 + shard], y0=y0, x0=x0)
        seal(Path(folder) / "a.zarr")
        assert np.array_equal(open_array(Path(folder) / "a.zarr", "x")[:], data)


def test_an_unfinished_store_is_continued(tmp_path):
    path = tmp_path / "a.zarr"
    group = pyramid(path)
    write_box(group["0"], np.ones((3, 32, 32), np.uint8), y0=0, x0=0)
    again = pyramid(path)
    assert read_box(again["0"], Box(0, 0, 32, 32)).all()


def test_a_foreign_file_in_the_store_does_no_harm(store):
    path, _ = store
    (path / ".snakemake_timestamp").touch()
    assert open_array(path, "roi").shape == (70, 100)


def test_missing_and_foreign_stores_are_explained(tmp_path, store):
    path, _ = store
    with pytest.raises(StoreError, match="no Zarr group"):
        open_group(tmp_path / "none.zarr")
    with pytest.raises(StoreError, match="lacks an array"):
        open_array(path, "truth")
    create_group(tmp_path / "half.zarr", attributes={})
    with pytest.raises(StoreError, match="incomplete"):
        open_group(tmp_path / "half.zarr")


def test_a_table_comes_back_with_types_and_notes(tmp_path):
    frame = pd.DataFrame({"split": pd.Categorical(["train", "test"]), "y": np.array([1, 2], np.int32)})
    write_table(frame, tmp_path / "t.parquet", provenance={"stage": "index"}, extra={"summary": {"n": 2}})
    again = pd.read_parquet(tmp_path / "t.parquet")
    pd.testing.assert_frame_equal(again, frame)
    assert table_metadata(tmp_path / "t.parquet") == {"provenance": {"stage": "index"}, "summary": {"n": 2}}


def test_equal_tables_are_equal_bytes(tmp_path):
    frame = pd.DataFrame({"a": [1.5, 2.5]})
    for name in ("one", "two"):
        write_table(frame, tmp_path / name, provenance={"stage": "x"})
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_a_broken_table_is_explained(tmp_path):
    (tmp_path / "t.parquet").write_text("no")
    with pytest.raises(StoreError, match=r"t\.parquet"):
        read_table(tmp_path / "t.parquet")


def test_the_digest_of_a_store_is_that_of_its_origin(tmp_path, store):
    path, _ = store
    first = input_digest(path)
    other = create_group(tmp_path / "c.zarr", attributes={"provenance": {"stage": "other"}})
    assert other is not None
    seal(tmp_path / "c.zarr")
    assert input_digest(tmp_path / "c.zarr") != first
    assert json.dumps(first)


def test_a_job_on_an_image_imports_no_pandas() -> None:
    """Most jobs are on one image, and pandas takes half as long as all else that they import."""
    modules = "pipeline.runtime.job, pipeline.stores.job, pipeline.raw.facts, pipeline.normalized.stain.image"
    code = f"import sys, {modules}; print('pandas' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "False"
