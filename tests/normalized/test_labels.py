"""Labels of a normalised image show its truth and region at every level, in the colours of the classes, and lose no lesion."""

from pathlib import Path

import numpy as np
import pytest
from ome_zarr_models.v05.image import Image as OmeImage
from ome_zarr_models.v05.image_label import ImageLabel

from pipeline.stores import open_array, open_group
from pipeline.stores.verify import faults
from tests.scenes.labelled_eye import CODES, masks, normalised, record


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return normalised(tmp_path_factory.mktemp("labels"))


def listed(store: Path) -> list[str]:
    return open_group(store)["labels"].attrs["ome"]["labels"]


def levels(store: Path, name: str) -> list[np.ndarray]:
    count = len(open_group(store).attrs["ome"]["multiscales"][0]["datasets"])
    return [open_array(store, f"labels/{name}/{at}")[:] for at in range(count)]


def covered(mask: np.ndarray, side: int) -> np.ndarray:
    """Which squares of a side hold a pixel of a mask."""
    height, width = (-(-each // side) for each in mask.shape)
    squares = np.zeros((height * side, width * side), bool)
    squares[: mask.shape[0], : mask.shape[1]] = mask
    return squares.reshape(height, side, width, side).any(axis=(1, 3))


@pytest.mark.parametrize("order", [("MA", "EX", "OD"), ("OD", "MA", "EX")])
def test_each_level_of_truth_is_the_first_class_by_priority_under_each_pixel(tmp_path, order):
    path = normalised(tmp_path, facts=record(priority=order))
    truth = open_array(path, "truth")[:]
    for at, found in enumerate(levels(path, "truth")):
        expected = np.zeros_like(found)
        for code in reversed(order):
            plane = CODES.index(code)
            expected[covered(truth[plane] > 0, 2**at)] = plane + 1
        np.testing.assert_array_equal(found, expected)
        assert found.shape == open_array(path, str(at)).shape[1:]


def test_a_lesion_of_one_pixel_is_seen_at_every_level(store):
    coarsest = levels(store, "truth")[-1]
    step = 2 ** (len(levels(store, "truth")) - 1)
    for y, x in zip(*np.nonzero(masks(overlap=True)["MA"]), strict=True):
        assert coarsest[y // step, x // step] == CODES.index("MA") + 1


def test_only_classes_that_overlap_have_a_label_of_their_own_with_all_their_pixels(store, tmp_path):
    assert listed(store) == ["truth", "roi", "truth_EX", "truth_OD"]
    truth = open_array(store, "truth")[:]
    for code in ("EX", "OD"):
        plane = CODES.index(code)
        for at, found in enumerate(levels(store, f"truth_{code}")):
            np.testing.assert_array_equal(found, np.uint8(plane + 1) * covered(truth[plane] > 0, 2**at))
    apart = normalised(tmp_path, overlap=False)
    assert listed(apart) == ["truth", "roi"]
    assert not (apart / "labels" / "truth_EX").exists()


def test_the_region_is_a_label_and_an_image_that_nobody_annotated_has_no_other(store, tmp_path):
    roi = open_array(store, "roi")[:]
    for at, found in enumerate(levels(store, "roi")):
        np.testing.assert_array_equal(found, covered(roi > 0, 2**at))
    assert listed(normalised(tmp_path, annotated=False)) == ["roi"]


def test_areas_of_which_truth_is_not_sure_are_a_label_of_their_own_at_every_level(tmp_path):
    path = normalised(tmp_path, unsure=True)
    assert listed(path) == ["truth", "roi", "ignore", "truth_EX", "truth_OD"]
    ignored = open_array(path, "ignore")[:]
    assert ignored.sum() == 29
    for at, found in enumerate(levels(path, "ignore")):
        np.testing.assert_array_equal(found, covered(ignored > 0, 2**at))
    label = open_group(path)["labels/ignore"].attrs["ome"]["image-label"]
    assert label["properties"] == [{"label-value": 1, "code": "ignore", "name": "truth not sure"}]
    assert "ignore" not in listed(normalised(tmp_path / "sure"))


def test_labels_are_valid_lie_on_the_image_and_have_the_colours_of_the_classes(store):
    group = open_group(store)
    OmeImage.from_zarr(group)
    image = group.attrs["ome"]["multiscales"][0]
    for name in listed(store):
        found = ImageLabel.from_zarr(group[f"labels/{name}"])
        assert [axis.unit for axis in found.attributes.ome.multiscales[0].axes] == ["micrometer"] * 2
        datasets = group[f"labels/{name}"].attrs["ome"]["multiscales"][0]["datasets"]
        for mine, its in zip(datasets, image["datasets"], strict=True):
            for one, other in zip(mine["coordinateTransformations"], its["coordinateTransformations"], strict=True):
                assert one[one["type"]] == other[other["type"]][1:]
    label = group["labels/truth"].attrs["ome"]["image-label"]
    assert {each["label-value"]: each["rgba"] for each in label["colors"]} == {
        1: [255, 0, 0, 255],
        2: [0, 0, 255, 255],
        3: [255, 0, 255, 255],
    }
    assert label["properties"][0] == {"label-value": 1, "code": "MA", "name": "Microaneurysms"}
    alone = group["labels/truth_OD"].attrs["ome"]["image-label"]["colors"]
    assert alone == [{"label-value": 3, "rgba": [255, 0, 255, 255]}]


def test_blocks_chunks_and_workers_change_no_label(store, tmp_path):
    other = normalised(tmp_path, workers=3, rows=512, shard=256, chunk=64)
    for name in listed(store):
        for one, two in zip(levels(store, name), levels(other, name), strict=False):
            np.testing.assert_array_equal(one, two)


def test_a_damaged_or_missing_shard_of_a_label_is_told_by_its_name(store, tmp_path):
    assert list(faults(store)) == []
    copy = normalised(tmp_path)
    shard = next(
        path for path in (copy / "labels" / "truth" / "1").rglob("*") if path.is_file() and path.name != "zarr.json"
    )
    raw = bytearray(shard.read_bytes())
    raw[len(raw) // 2] ^= 1
    shard.write_bytes(raw)
    assert all(str(shard) in str(each) for each in faults(copy))
    assert len(list(faults(copy))) == 1
    shard.unlink()
    assert all(str(shard) in str(each) for each in faults(copy))
    assert len(list(faults(copy))) == 1
