"""A store that is not all there is named, with what it lacks."""

import numpy as np
import pytest

from pipeline.config import Storage
from pipeline.errors import StoreError
from pipeline.geometry import Box
from pipeline.stores import create_plane, create_pyramid, open_unfinished, write_box
from pipeline.stores.image_store import image_notes, open_normalized, whole_image
from pipeline.stores.record import seal

STORAGE = Storage(chunk=16, shard=32)
NOTES = {"image_id": "eye", "mapping": {"factor_y": 0.5, "factor_x": 0.25}}


def store(path, *, notes=NOTES, channels=3, dtype=np.uint8, planes=(("roi", (40, 30)), ("truth", (2, 40, 30)))):
    group = create_pyramid(
        path,
        channels=[str(at) for at in range(channels)],
        shapes=((40, 30),),
        dtype=dtype,
        storage=STORAGE,
        provenance={"stage": "normalized"},
        extra={} if notes is None else {"lesionmap": notes},
    )
    for name, shape in planes:
        create_plane(group, name, shape=shape, dtype=np.uint8, storage=STORAGE)
    seal(path)
    return path


def test_a_whole_store_gives_its_notes(tmp_path):
    assert whole_image(store(tmp_path / "a.zarr")) == image_notes(tmp_path / "a.zarr") == NOTES
    assert whole_image(store(tmp_path / "b.zarr", planes=(("roi", (40, 30)),))) == NOTES


def test_an_opened_store_reads_boxes_and_says_where_nobody_annotated(tmp_path):
    notes = {**NOTES, "classes": ["A", "B"]}
    path = store(tmp_path / "a.zarr", notes=notes)
    truth = np.zeros((2, 40, 30), np.uint8)
    truth[1, 3:5, 7] = 1
    unfinished = open_unfinished(path)  # written anew, and finished anew
    write_box(create_plane(unfinished, "truth", shape=truth.shape, dtype=np.uint8, storage=STORAGE), truth, y0=0, x0=0)
    seal(path)
    opened = open_normalized(str(path))
    assert (opened.image_id, opened.classes, opened.image.shape) == ("eye", ("A", "B"), (40, 30))
    assert np.array_equal(opened.truth.read(Box(2, 6, 6, 8)), truth[:, 2:6, 6:8])
    assert opened.roi.read(opened.roi.box).shape == (40, 30)
    assert open_normalized(store(tmp_path / "b.zarr", planes=(("roi", (40, 30)),))).truth is None
    with pytest.raises(StoreError, match="roi"):
        open_normalized(store(tmp_path / "c.zarr", planes=()))


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        ({"notes": None}, "no attribute lesionmap"),
        ({"notes": {"image_id": "eye"}}, "mapping"),
        ({"notes": {**NOTES, "mapping": {"factor_y": 0.5}}}, "factor_x"),
        ({"notes": {**NOTES, "mapping": {"factor_y": 0.5, "factor_x": 0}}}, "above 0"),
        ({"channels": 4}, r"\(4, 40, 30\) uint8"),
        ({"dtype": np.uint16}, "uint16"),
        ({"planes": ()}, "roi"),
        ({"planes": (("roi", (40, 31)),)}, r"array roi \(40, 31\)"),
        ({"planes": (("roi", (40, 30)), ("truth", (2, 39, 30)))}, r"array truth \(2, 39, 30\)"),
    ],
)
def test_what_is_missing_is_named(tmp_path, broken, words):
    with pytest.raises(StoreError, match=words) as caught:
        whole_image(store(tmp_path / "eye.zarr", **broken))
    assert "eye.zarr" in str(caught.value)


def test_a_torn_store_is_named(tmp_path):
    (store(tmp_path / "eye.zarr") / "0" / "zarr.json").write_text('{"zarr_format": 3, "node_')
    with pytest.raises(StoreError, match=r"eye\.zarr"):
        whole_image(tmp_path / "eye.zarr")
    with pytest.raises(StoreError, match=r"nowhere\.zarr"):
        image_notes(tmp_path / "nowhere.zarr")
