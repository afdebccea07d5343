"""An OME-TIFF holds every level of a store, its channels, colours and pixel size; what it reads is what was stored."""

import json
import re

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.cli import main
from pipeline.config import Storage
from pipeline.errors import StoreError
from pipeline.stores import create_group, create_plane, open_array, seal
from pipeline.stores.ome_tiff import RGB, write_ome_tiff
from tests.scenes.random_pyramid import stored


@settings(max_examples=8, deadline=None)
@given(st.integers(1, 3), st.integers(1, 600), st.integers(1, 600), st.sampled_from(["float16", "uint8"]))
def test_every_level_reads_as_it_was_stored(tmp_path_factory, classes, height, width, dtype):
    folder = tmp_path_factory.mktemp("a")
    path = stored(folder, shape=(classes, height, width), dtype=dtype)
    for values in ("uint8", "float32"):
        write_ome_tiff(path, folder / f"{values}.ome.tiff", values=values)
        with tifffile.TiffFile(folder / f"{values}.ome.tiff") as file:
            levels = file.series[0].levels
            assert file.is_ome
            assert len(levels) == 2
            for at, level in enumerate(levels):
                expected = open_array(path, str(at))[:].astype(np.float32)
                expected = expected / 255 if dtype == "uint8" else expected
                found = level.asarray().reshape(expected.shape)
                if values == "uint8":
                    assert np.abs(found.astype(int) - np.rint(expected * 255)).max() <= 0
                else:
                    assert np.abs(found - expected).max() <= 2**-11


def test_a_normalised_image_keeps_its_bytes_its_colours_and_its_pixel_size(tmp_path):
    path = stored(tmp_path, stage="normalized", shape=(3, 300, 200), dtype="uint8", um=0.5)
    found = write_ome_tiff(path, tmp_path / "a.ome.tiff", values="float32")
    assert found == {
        "shape": (3, 300, 200),
        "dtype": "uint8",
        "levels": 2,
        "channels": ["C0", "C1", "C2"],
        "pixel_size_um": 0.5,
    }
    with tifffile.TiffFile(tmp_path / "a.ome.tiff") as file:
        assert np.array_equal(file.series[0].asarray(), open_array(path, "0")[:])
        assert 'PhysicalSizeX="0.5"' in file.ome_metadata
        assert 'Name="C1"' in file.ome_metadata
        assert "Description" not in file.ome_metadata
        numerator, denominator = file.pages[0].tags["XResolution"].value
        assert numerator / denominator == pytest.approx(20_000)


@settings(max_examples=8, deadline=None)
@given(st.integers(1, 1100), st.integers(1, 600))
def test_red_green_and_blue_of_an_image_are_samples_of_each_pixel_at_every_level(tmp_path_factory, height, width):
    folder = tmp_path_factory.mktemp("a")
    path = stored(folder, stage="normalized", shape=(3, height, width), dtype="uint8", um=0.5, channels=RGB)
    found = write_ome_tiff(path, folder / "a.ome.tiff")
    assert (found["shape"], found["channels"]) == ((3, height, width), list(RGB))
    with tifffile.TiffFile(folder / "a.ome.tiff") as file:
        series = file.series[0]
        assert (series.axes, len(series.levels)) == ("YXS", 2)
        for at, level in enumerate(series.levels):
            assert level.pages[0].photometric == tifffile.PHOTOMETRIC.RGB
            assert np.array_equal(np.moveaxis(level.asarray(), 2, 0), open_array(path, str(at))[:])
        pixels = tifffile.xml2dict(file.ome_metadata)["OME"]["Image"]["Pixels"]
        assert (pixels["Channel"]["SamplesPerPixel"], pixels["PhysicalSizeX"]) == (3, 0.5)
        assert tifffile.xml2dict(file.ome_metadata)["OME"]["Image"]["Name"] == path.stem


def test_classes_named_like_colours_stay_channels_of_a_map(tmp_path):
    path = stored(tmp_path, shape=(3, 40, 30), dtype="uint8", channels=RGB)
    write_ome_tiff(path, tmp_path / "a.ome.tiff")
    with tifffile.TiffFile(tmp_path / "a.ome.tiff") as file:
        told = tifffile.xml2dict(file.ome_metadata)["OME"]["Image"]["Pixels"]["Channel"]
    assert [each["Name"] for each in told] == list(RGB)


@pytest.mark.parametrize(
    ("values", "said"), [("uint8", "bytes of 1/255: 255 is probability 1"), ("float32", "float32")]
)
def test_the_file_of_a_map_says_what_its_values_mean(tmp_path, values, said):
    write_ome_tiff(stored(tmp_path, shape=(1, 40, 30)), tmp_path / "a.ome.tiff", values=values)
    with tifffile.TiffFile(tmp_path / "a.ome.tiff") as file:
        assert f"{said}</Description>" in file.ome_metadata


def test_the_command_says_what_bytes_mean_and_writes_over_nothing(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = stored(tmp_path)
    assert main(["export", str(path), "--format", "ome-tiff"]) == 0
    said = capsys.readouterr().out
    assert "255 is probability 1" in said
    assert "530×700 pixels, 2 channels: C0, C1; 2 levels; no pixel size is known" in said
    assert [each.name for each in tmp_path.glob("*.tiff*")] == ["a.ome.tiff"]
    assert main(["export", str(path), "--format", "ome-tiff"]) == 1


def test_a_colour_that_was_changed_since_is_that_of_the_file(tmp_path, monkeypatch, capsys):
    """No value depends on it, so that the store keeps the old one."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine").mkdir()
    path = stored(tmp_path / "mine")
    classes = [{"code": code, "name": f"class {code}", "colour": "#00FF00"} for code in ("C0", "C1")]
    record = {
        "title": "t",
        "adaptor": "folder",
        "root": ".",
        "modality": "fundus",
        "task": "multilabel",
        "classes": classes,
    }
    record["folder"] = {"images": "{image}.png"}
    (tmp_path / "m.yaml").write_text(json.dumps({"datasets": {"mine": record}}))
    (tmp_path / "c.yaml").write_text(json.dumps({"manifest": "m.yaml", "datasets": ["mine"]}))
    call = ["export", "--format", "ome-tiff", "--configfile", "c.yaml", "--out"]
    assert main([*call[:3], "--out", "old.ome.tiff", str(path)]) == 0
    assert main([*call, "new.ome.tiff", str(path)]) == 0
    colours = {}
    for name in ("old", "new"):
        with tifffile.TiffFile(tmp_path / f"{name}.ome.tiff") as file:
            colours[name] = set(re.findall(r'Color="(-?\d+)"', file.ome_metadata))
    assert colours["new"] == {str(0x00FF00FF)}
    assert colours["new"] != colours["old"]
    (tmp_path / "mine").rename(tmp_path / "other")
    assert main([*call, "other.ome.tiff", str(tmp_path / "other" / path.name)]) == 1
    assert "of no data set of the configuration" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("form", "name", "ending"),
    [("ome-tiff", "q4.txt", ".ome.tiff"), ("geojson", "q4.json", ".geojson"), ("torch", "q4", ".pt2")],
)
def test_a_name_with_the_ending_of_another_format_is_refused(tmp_path, capsys, form, name, ending):
    assert main(["export", str(tmp_path / "a"), "--format", form, "--out", str(tmp_path / name)]) == 1
    said = capsys.readouterr().err
    assert f"--out q4{ending}" in said
    assert not (tmp_path / name).exists()


def test_a_store_without_a_pyramid_is_refused(tmp_path):
    create_group(tmp_path / "a.zarr", attributes={"provenance": {}})
    with pytest.raises(StoreError):
        write_ome_tiff(tmp_path / "a.zarr", tmp_path / "a.ome.tiff")


OME = {"multiscales": [{"datasets": [{"path": "0"}]}]}


def test_a_label_map_is_refused_and_its_outlines_are_named(tmp_path):
    path = tmp_path / "segmentation" / "a.zarr"
    group = create_group(path, attributes={"ome": OME, "provenance": {"stage": "test"}})
    create_plane(group, "0", shape=(20, 30), dtype="uint8", storage=Storage(chunk=128, shard=256))
    seal(path)
    with pytest.raises(StoreError, match=r"(?s)no channels.*geojson"):
        write_ome_tiff(path, tmp_path / "a.ome.tiff")
    assert not list(tmp_path.glob("*.tiff*"))
