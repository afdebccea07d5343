"""A pixel size is used where both axes name one that can be; what is not used is counted in the fact sheet."""

import numpy as np
import pytest
import tifffile

from pipeline.config.manifest import DatasetRecord
from pipeline.raw.datasets.entry import ImageEntry
from pipeline.raw.facts import fact_sheet
from pipeline.raw.formats.openslide import SlideSource
from pipeline.raw.formats.pixel_size import pixel_size

RGB = np.zeros((64, 80, 3), np.uint8)


def sheet(path, size=None):
    tree = {"title": "t", "adaptor": "folder", "modality": "histology", "task": "binary", "pixel_size_um": size}
    tree |= {"classes": [{"code": "A", "name": "a"}], "folder": {"images": "{image}.tif"}}
    entry = ImageEntry("i", path, annotated=False)
    return fact_sheet(entry, record=DatasetRecord.model_validate(tree))


def ome(path, **notes):
    tifffile.imwrite(path, RGB, photometric="rgb", metadata={"axes": "YXS", **notes})
    return path


@pytest.mark.parametrize(
    ("x", "y"), [(1e30, 1e30), (499, 499), (0.5, 499), (0.5, 0.25), (1e-9, 0.5), (0.0, 0.0), ("nan", "inf"), ("x", 1)]
)
def test_what_cannot_be_is_not_used_and_said(x, y):
    found = pixel_size(x, y)
    assert found.um is None
    assert list(found.remarks.values()) == [1]


@pytest.mark.parametrize(("x", "y"), [(0.25, 0.25), (0.25, None), (None, 0.25), (0.25, 0.2504)])
def test_what_can_be_is_used_as_it_is_written(x, y):
    assert pixel_size(x, y).um == 0.25
    assert not pixel_size(x, y).remarks


def test_nothing_said_is_nothing_to_remark():
    assert pixel_size(None, None).um is None
    assert not pixel_size(None, None).remarks


@pytest.mark.parametrize(
    ("notes", "um"),
    [
        ({"PhysicalSizeX": 0.5, "PhysicalSizeY": 0.5}, 0.5),
        ({"PhysicalSizeX": 500, "PhysicalSizeXUnit": "nm", "PhysicalSizeY": 0.5}, 0.5),
        ({"PhysicalSizeX": 0.5, "PhysicalSizeY": 1.0}, None),
        ({"PhysicalSizeX": 499.0, "PhysicalSizeY": 499.0}, None),
        ({"PhysicalSizeX": 1e30, "PhysicalSizeY": 1e30}, None),
        ({"PhysicalSizeX": 1.0, "PhysicalSizeXUnit": "pixel"}, None),
    ],
)
def test_ome_says_both_axes(tmp_path, notes, um):
    found = sheet(ome(tmp_path / "a.ome.tif", **notes))
    assert not found["rejected"]
    assert found["pixel_size_um"] == um
    assert len(found["passed_over"]) == (um is None)


@pytest.mark.parametrize(
    ("description", "um"),
    [("x|MPP = 0.499|y", 0.499), ("x|MPP = 499|y", None), ("x|MPP = 1e30|y", None), ("x|MPP = 0,499|y", None)],
)
def test_aperio_says_one_number(tmp_path, description, um):
    tifffile.imwrite(tmp_path / "a.tif", RGB, photometric="rgb", description=f"Aperio {description}", metadata=None)
    found = sheet(tmp_path / "a.tif")
    assert found["pixel_size_um"] == um
    assert len(found["passed_over"]) == (um is None)


@pytest.mark.parametrize(
    ("resolution", "unit", "um"),
    [((72, 72), 2, None), ((20000, 20000), 3, 0.5), ((20000, 10000), 3, None), ((1, 1), 1, "unsaid")],
)
def test_resolution_tags_say_both_axes(tmp_path, resolution, unit, um):
    tifffile.imwrite(tmp_path / "a.tif", RGB, photometric="rgb", resolution=resolution, resolutionunit=unit)
    found = sheet(tmp_path / "a.tif")
    assert found["pixel_size_um"] == (None if um == "unsaid" else um)
    assert len(found["passed_over"]) == (um is None)


def test_the_manifest_wins_over_what_cannot_be(tmp_path):
    assert sheet(ome(tmp_path / "a.ome.tif", PhysicalSizeX=499.0, PhysicalSizeY=499.0), 0.499)["pixel_size_um"] == 0.499
    with pytest.raises(ValueError, match="pixel_size_um"):
        sheet(tmp_path / "a.ome.tif", 1e30)


class Scanned:
    level_dimensions, level_downsamples = ((80, 64),), (1.0,)

    def __init__(self, x, y):
        self.properties = {"openslide.mpp-x": x, "openslide.mpp-y": y}


@pytest.mark.parametrize(("x", "y", "um"), [("0.25", "0.25", 0.25), ("0.25", "0.5", None), ("1e30", "1e30", None)])
def test_openslide_says_both_axes(tmp_path, x, y, um):
    assert SlideSource(Scanned(x, y), path=tmp_path, each=map).pixel_size_um == um
