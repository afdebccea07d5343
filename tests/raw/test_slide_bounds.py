"""Polygons of slides count from the scanned field, as QuPath counts, or from level 0 where the manifest says so."""

import json

import numpy as np
import pytest
import tifffile

from pipeline.config.manifest import DatasetRecord
from pipeline.geometry import Box
from pipeline.raw.datasets.entry import ImageEntry
from pipeline.raw.facts import fact_sheet
from pipeline.raw.pixels import open_image, polygon_origin
from tests.raw.whole import whole_truth

pytest.importorskip("openslide")

NM, GLASS, FIELD, CORNER = 500, (512, 768), (256, 384), (96, 160)
"""Nanometres a pixel; rows and columns of the glass, of the scanned field, and of its corner on the glass."""


def _image(name, *, size, view, corner, page):
    return f"""<image name="{name}"><device model="x" version="1"/><pixels sizeX="{size[1]}" sizeY="{size[0]}">
<dimension sizeX="{size[1]}" sizeY="{size[0]}" r="0" ifd="{page}"/></pixels>
<view sizeX="{view[1] * NM}" sizeY="{view[0] * NM}" offsetX="{corner[1] * NM}" offsetY="{corner[0] * NM}" spacingZ="0"/>
<scanSettings><objectiveSettings><objective>20</objective></objectiveSettings><illuminationSettings>
<numericalAperture>0.4</numericalAperture><illuminationSource>brightfield</illuminationSource></illuminationSettings>
</scanSettings></image>"""


def leica(path):
    """Leica SCN slide: a macro picture of the glass, and a field of it that was scanned."""
    small = (GLASS[0] // 8, GLASS[1] // 8)
    images = _image("macro", size=small, view=GLASS, corner=(0, 0), page=0)
    images += _image("scan", size=FIELD, view=FIELD, corner=CORNER, page=1)
    xml = f"""<?xml version="1.0"?><scn xmlns="http://www.leica-microsystems.com/scn/2010/10/01" uuid="urn:uuid:0">
<collection name="c" uuid="urn:uuid:1" sizeX="{GLASS[1] * NM}" sizeY="{GLASS[0] * NM}" barcode="">
<barcode></barcode>{images}</collection></scn>"""
    scan = np.full((*FIELD, 3), 200, np.uint8)
    scan[40:80, 60:120] = (40, 20, 60)
    with tifffile.TiffWriter(path, bigtiff=True) as file:
        kept = {"photometric": "rgb", "tile": (64, 64), "metadata": None, "resolutionunit": "CENTIMETER"}
        file.write(np.full((*small, 3), 240, np.uint8), description=xml, resolution=(2500, 2500), **kept)
        file.write(scan, resolution=(20000, 20000), **kept)


def record(**layout):
    return DatasetRecord.model_validate(
        {
            "title": "t",
            "adaptor": "slide",
            "modality": "histology",
            "task": "binary",
            "classes": [{"code": "TU", "name": "Tumour"}],
            "slide": {"images": "{image}.scn", "annotations": "{image}.geojson", **layout},
        }
    )


@pytest.fixture(params=["bounds", "level0"])
def drawn(tmp_path, request):
    y, x = (0, 0) if request.param == "bounds" else CORNER
    box = [[x + 60, y + 40], [x + 120, y + 40], [x + 120, y + 80], [x + 60, y + 80]]
    geometry = {"type": "Polygon", "coordinates": [[*box, box[0]]]}
    feature = {"type": "Feature", "geometry": geometry, "properties": {"classification": {"name": "Tumour"}}}
    (tmp_path / "s.geojson").write_text(json.dumps({"type": "FeatureCollection", "features": [feature]}))
    leica(tmp_path / "s.scn")
    entry = ImageEntry("s", tmp_path / "s.scn", annotations=tmp_path / "s.geojson")
    return entry, record(origin=request.param), request.param


def test_polygons_lie_on_what_they_were_drawn_around(drawn):
    entry, facts, kind = drawn
    with open_image(entry, record=facts) as source:
        height, width = source.levels[0]
        origin = polygon_origin(source, record=facts)
        dark = source.read(Box.of_shape(height, width))[:, :, 0] == 40
    assert origin == (CORNER if kind == "bounds" else (0, 0))
    assert np.array_equal(whole_truth(entry, record=facts, height=height, width=width, origin=origin)[0] != 0, dark)
    sheet = fact_sheet(entry, record=facts)
    assert sheet["pixels"] == {"TU": 40 * 60}
    assert sheet["polygons"]["origin"] == {"y": origin[0], "x": origin[1]}


def test_no_other_origin_is_known():
    with pytest.raises(ValueError, match="origin"):
        record(origin="level1")
