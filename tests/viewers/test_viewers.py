"""Readers of other programs find images, labels, colours and scales in our stores: napari's, without a window, and ome-zarr-py.

They need other versions of libraries than ours, so they have an environment of their own: `make viewers`. Elsewhere these
tests are passed over.
"""

from pathlib import Path

import numpy as np
import pytest

from pipeline.config import ProbabilityConfig, Storage
from pipeline.probability.map_store import create_map
from pipeline.stores import as_array, create_group, create_plane, open_array, seal, write_box
from pipeline.stores.job import Job
from pipeline.stores.labels import class_labels, label_attributes
from pipeline.stores.provenance import Provenance
from pipeline.stores.verify import faults, verified_results
from tests.scenes.labelled_eye import CODES, SIZE, normalised, record

io = pytest.importorskip("ome_zarr.io")
reader = pytest.importorskip("ome_zarr.reader")
napari = pytest.importorskip("napari_ome_zarr")
xarray = pytest.importorskip("xarray")

RGB = {"MA": (1.0, 0.0, 0.0), "EX": (0.0, 0.0, 1.0), "OD": (1.0, 0.0, 1.0)}
UM = 2.0
STORAGE = Storage(chunk=32, shard=64)


def written_map(path: Path) -> Path:
    """A map as stage probability makes it: a probability of its own in each class."""
    mapping = {"factor_y": 1.0, "factor_x": 1.0, "pixel_size_um": UM}
    half = tuple(-(-each // 2) for each in SIZE)
    config = ProbabilityConfig(storage=STORAGE)
    job = Job(record(), Provenance("probability", {}, "c"))
    group = create_map(path, (SIZE, half), {"image_id": "eye", "mapping": mapping}, config=config, job=job)
    for level, shape in enumerate((SIZE, half)):
        values = np.stack([np.full(shape, 0.25 * (plane + 1), np.float16) for plane in range(len(CODES))])
        write_box(as_array(group, str(level)), values, y0=0, x0=0)
    seal(path)
    return path


def written_labels(path: Path) -> Path:
    """A label image as stage segmentation makes it."""
    ome = label_attributes("eye", class_labels(record()), levels=1, pixel_size_um=UM)
    group = create_group(path, attributes={"ome": ome, "provenance": {}})
    labels = np.arange(SIZE[0] * SIZE[1]).reshape(SIZE).astype(np.uint8) % 4
    write_box(create_plane(group, "0", shape=SIZE, dtype=np.uint8, storage=STORAGE), labels, y0=0, x0=0)
    seal(path)
    return path


@pytest.fixture(scope="module")
def results(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("viewers")
    eyes = normalised(folder).parents[1]
    written_map(eyes / "probability" / "unet" / "mean" / "eye.zarr")
    written_labels(eyes / "segmentation" / "unet" / "mean" / "eye.zarr")
    return eyes


def layers(path: Path) -> list[tuple]:
    """Layers that napari shows: levels, facts, kind."""
    return napari.napari_get_reader(str(path))()


def test_napari_shows_the_image_in_true_colours_with_labels_on_its_place(results):
    path = results / "normalized" / "eye.zarr"
    (pixels, facts, kind), *labels = layers(path)
    assert kind == "image"
    assert [tuple(each.colors[-1][:3]) for each in facts["colormap"]] == [(1, 0, 0), (0, 1, 0), (0, 0, 1)]
    assert facts["contrast_limits"] == [[0, 255]] * 3
    assert [each.rpartition(": ")[2] for each in facts["name"]] == ["red", "green", "blue"]
    np.testing.assert_array_equal(pixels[0].compute(), open_array(path, "0")[:])
    assert [each["name"].rpartition("/")[2] for _, each, _ in labels] == ["truth", "roi", "truth_EX", "truth_OD"]
    for levels, label, kind in labels:
        assert kind == "labels"
        assert label["scale"] == facts["scale"] == [UM, UM]
        assert label["units"] == facts["units"] == ("micrometer", "micrometer")
        assert [each.shape for each in levels] == [each.shape[1:] for each in pixels]
    truth, shown, _ = labels[0]
    assert {value: tuple(rgba[:3]) for value, rgba in shown["colormap"].items()} == dict(
        enumerate((RGB[code] for code in CODES), start=1)
    )
    assert shown["properties"]["code"] == list(CODES)
    np.testing.assert_array_equal(truth[1].compute(), open_array(path, "labels/truth/1")[:])


def test_napari_shows_maps_in_the_colours_of_the_classes(results):
    path = results / "probability" / "unet" / "mean" / "eye.zarr"
    ((levels, facts, kind),) = layers(path)
    assert kind == "image"
    assert [tuple(each.colors[-1][:3]) for each in facts["colormap"]] == [RGB[code] for code in CODES]
    assert [each.rpartition(": ")[2] for each in facts["name"]] == list(CODES)
    assert facts["contrast_limits"] == [[0, 1]] * len(CODES)
    assert levels[0].dtype == np.float16
    assert levels[0][:, 0, 0].compute().tolist() == [0.25, 0.5, 0.75]


def test_napari_shows_a_segmentation_and_what_it_leaves_beside_is_no_fault(results):
    """Its reader opens the folder two above as a group for writing, and so makes a ``zarr.json`` there."""
    path = results / "segmentation" / "unet" / "mean" / "eye.zarr"
    ((levels, facts, kind),) = layers(path)
    assert kind == "labels"
    assert set(facts["colormap"]) == {1, 2, 3}
    np.testing.assert_array_equal(levels[0].compute(), open_array(path, "0")[:])
    found = verified_results(results.parent)
    assert path in found
    assert [str(fault) for each in found for fault in faults(each)] == []


def test_ome_zarr_reads_image_and_labels_and_from_a_label_the_image(results):
    path = results / "normalized" / "eye.zarr"
    image, _, *labels = reader.Reader(io.parse_url(path, mode="r"))()
    assert image.metadata["channel_names"] == ["red", "green", "blue"]
    assert [each.metadata["name"] for each in labels] == ["truth", "roi", "truth_EX", "truth_OD"]
    for at in range(len(image.data)):
        transforms = [each.metadata["coordinateTransformations"][at] for each in (image, *labels)]
        places = [[each[each["type"]][-2:] for each in transform] for transform in transforms]
        assert all(place == places[0] for place in places)
    assert labels[0].metadata["color"][1] == [*RGB["MA"], 1.0]
    first = next(iter(reader.Reader(io.parse_url(path / "labels" / "truth", mode="r"))()))
    assert first.metadata["channel_names"] == ["red", "green", "blue"]


def test_xarray_opens_one_level_at_a_time(results):
    path, others = results / "normalized" / "eye.zarr" / "labels" / "truth", ["1"]
    found = xarray.open_dataset(path, engine="zarr", consolidated=False, drop_variables=others)["0"]
    assert found.dims == ("y", "x")
    np.testing.assert_array_equal(found.to_numpy(), open_array(path.parents[1], "labels/truth/0")[:])
