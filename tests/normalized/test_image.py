"""A normalised store holds the image, its truth and its region on one grid, and says how it came to be."""

import cv2
import numpy as np
import pytest
from ome_zarr_models.v05.image import Image as OmeImage
from PIL import Image

from pipeline.config import NormalizedConfig, Rescale, Storage
from pipeline.config.manifest import DatasetRecord
from pipeline.normalized.fundus.image import normalise_fundus
from pipeline.normalized.rescale import Vanished
from pipeline.normalized.thumbnail import Thumbnail
from pipeline.normalized.truth_counts import flags_of
from pipeline.normalized.view import rescaling_of
from pipeline.raw.datasets.entry import ImageEntry
from pipeline.raw.phantom.fundus import fundus_phantom
from pipeline.stores import open_group
from pipeline.stores.image_store import open_normalized
from pipeline.stores.job import Job
from pipeline.stores.provenance import Provenance

CODES = ("EX", "OD")
RECORD = DatasetRecord.model_validate(
    {
        "title": "t",
        "adaptor": "folder",
        "modality": "fundus",
        "task": "multilabel",
        "classes": [{"code": code, "name": code} for code in CODES],
        "folder": {"images": "{image}.png"},
    }
)
PHANTOM = fundus_phantom(1, size=200, seed=0)


def settings(**changes):
    return NormalizedConfig(strip_rows=64, strip_columns=128, storage=Storage(chunk=32, shard=64), **changes)


def normalised(tmp_path, image, masks, config, *, annotated=True, name="eye", unknown=()):
    Image.fromarray(image).save(tmp_path / "eye.png")
    for code, mask in masks.items():
        Image.fromarray(mask).save(tmp_path / f"eye_{code}.png")
    paths = tuple((code, tmp_path / f"eye_{code}.png") for code in masks)
    entry = ImageEntry("eye", tmp_path / "eye.png", paths, annotated=annotated, unknown=unknown)
    output = tmp_path / "results" / "d" / "normalized" / f"{name}.zarr"
    normalise_fundus(entry, config=config, job=Job(RECORD, Provenance("normalized", {}, "c")), output=output)
    return open_group(output)


def test_the_store_is_complete_and_valid(tmp_path):
    masks = {code: PHANTOM.masks[code] for code in CODES}
    group = normalised(tmp_path, PHANTOM.image, masks, settings())
    OmeImage.from_zarr(group)
    height, width = PHANTOM.image.shape[:2]
    assert group["0"].shape == (3, height, width)
    assert group["1"].shape == (3, -(-height // 2), -(-width // 2))
    assert np.array_equal(group["truth"][:], np.stack([masks[code] for code in CODES]))
    assert 0.5 < group["roi"][:].mean() < 1
    attributes = dict(group.attrs)
    assert attributes["provenance"]["stage"] == "normalized"
    assert attributes["lesionmap"]["classes"] == list(CODES)


def test_strips_and_shards_change_no_pixel(tmp_path):
    masks = {"EX": PHANTOM.masks["EX"]}
    one = normalised(tmp_path, PHANTOM.image, masks, settings(), name="one")
    other = normalised(
        tmp_path,
        PHANTOM.image,
        masks,
        NormalizedConfig(strip_rows=512, strip_columns=512, storage=Storage(chunk=128, shard=256)),
        name="two",
    )
    for name in ("0", "1", "truth", "roi"):
        assert np.array_equal(one[name][:], other[name][:]), name


def test_rescaling_keeps_image_truth_and_region_on_one_grid_and_records_the_way_back(tmp_path):
    masks = {"OD": PHANTOM.masks["OD"]}
    group = normalised(tmp_path, PHANTOM.image, masks, settings(rescale=Rescale(factor=0.5)))
    height, width = PHANTOM.image.shape[:2]
    mapping = dict(group.attrs)["lesionmap"]["mapping"]
    assert group["0"].shape[1:] == group["roi"].shape == group["truth"].shape[1:]
    assert (mapping["source_height"], mapping["source_width"]) == (height, width)
    assert mapping["factor_y"] * height == group["0"].shape[1]
    centre = [axis.mean() for axis in np.nonzero(PHANTOM.masks["OD"])]
    found = [axis.mean() + 0.5 for axis in np.nonzero(group["truth"][1])]
    expected = [(centre[0] + 0.5) * mapping["factor_y"], (centre[1] + 0.5) * mapping["factor_x"]]
    assert np.allclose(found, expected, atol=0.3)


def test_rescaling_to_a_diameter_gives_that_diameter():
    image = np.zeros((300, 420, 3), np.uint8)
    cv2.circle(image, (210, 150), 120, (180, 90, 40), -1)
    small = Thumbnail(image, 1, 300, 420)
    rescaling = rescaling_of(
        [(300, 420)], rescale=Rescale(fov_diameter=120), pixel_size_um=None, thumbnail=lambda: small, name="eye"
    )
    assert rescaling.factor == pytest.approx(0.5, abs=0.01)


def test_an_image_without_field_of_view_goes_through_with_a_flag(tmp_path):
    black = np.zeros((90, 70, 3), np.uint8)
    group = normalised(tmp_path, black, {}, settings(rescale=Rescale(fov_diameter=60)))
    assert dict(group.attrs)["lesionmap"]["flags"] == ["no field of view found"]
    assert (group["0"][:] == 128).all()


def test_pictures_of_another_kind_keep_every_pixel_where_the_whole_picture_is_asked_for(tmp_path):
    masks = {code: PHANTOM.masks[code] for code in CODES}
    plain = {name: {"apply": False} for name in ("clahe", "gaussian", "difference")}
    group = normalised(tmp_path, PHANTOM.image, masks, settings(**plain, field_of_view="whole"))
    assert group["roi"][:].all()
    assert np.array_equal(np.moveaxis(group["0"][:], 0, 2), PHANTOM.image)
    assert dict(group.attrs)["lesionmap"]["roi_share"] == 1


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (7, 130)])
def test_tiny_and_thin_images_go_through(tmp_path, shape):
    image = np.full((*shape, 3), 120, np.uint8)
    group = normalised(tmp_path, image, {"EX": np.ones(shape, bool)}, settings())
    assert group["0"].shape[1:] == shape
    assert group["truth"][0].all()


def test_an_image_nobody_annotated_has_no_truth(tmp_path):
    group = normalised(tmp_path, PHANTOM.image, {}, settings(), annotated=False)
    assert "truth" not in group


def test_a_class_that_nobody_looked_for_is_named_and_not_counted(tmp_path):
    masks = {code: PHANTOM.masks[code] for code in CODES if code != "EX"}
    partly = normalised(tmp_path, PHANTOM.image, masks, settings(rescale=Rescale(factor=0.5)), unknown=("EX",))
    notes = dict(partly.attrs)["lesionmap"]
    assert notes["unknown"] == ["EX"]
    assert set(notes["truth"]) == {*CODES} - {"EX"}
    assert not partly["truth"][CODES.index("EX")].any()
    assert open_normalized(tmp_path / "results" / "d" / "normalized" / "eye.zarr").unknown == ("EX",)
    whole = normalised(tmp_path, PHANTOM.image, masks, settings(), name="whole")
    assert "unknown" not in dict(whole.attrs)["lesionmap"]


def test_the_store_counts_truth_in_the_region_and_lesions_that_rescaling_erased(tmp_path):
    dots = np.zeros(PHANTOM.image.shape[:2], np.uint8)
    dots[100, 60:140:10] = dots[0, 0] = 255
    masks = {"EX": dots, "OD": PHANTOM.masks["OD"]}
    same = dict(normalised(tmp_path, PHANTOM.image, masks, settings(), name="same").attrs)["lesionmap"]
    assert same["truth"]["EX"] == {"pixels": 9, "in_roi": 8}
    group = normalised(tmp_path, PHANTOM.image, masks, settings(rescale=Rescale(factor=0.25)))
    notes = dict(group.attrs)["lesionmap"]
    assert notes["truth"]["EX"] == {"pixels": 0, "in_roi": 0, "components": 9, "erased": 9}
    inside = int((group["truth"][1] & group["roi"][:]).sum())
    assert notes["truth"]["OD"] == {"pixels": inside, "in_roi": inside, "components": 1, "erased": 0}
    assert notes["flags"] == ["9 regions of EX were too small for this size"]


def test_one_region_that_vanished_is_said_in_the_singular():
    found = flags_of({"EX": Vanished(5, 1), "OD": Vanished(3, 0), "HE": Vanished(1200, 1100)})
    assert found == ["1 region of EX was too small for this size", "1,100 regions of HE were too small for this size"]
