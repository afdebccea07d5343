"""Files that QuPath 0.5.1 wrote by its own exporter, from shapes of ``benchmarks/qupath``, are read as QuPath means them."""

from pathlib import Path

import pytest

from pipeline.config.manifest import ClassRecord
from pipeline.geometry import Box
from pipeline.raw.annotations import read_annotations

FILES = Path(__file__).with_name("qupath")
SIZE = (80, 120)
CLASSES = (ClassRecord(code="EX", name="Exudates"), ClassRecord(code="OD", name="Disc"))
CENTRES = {"EX": 132, "OD": 330}
"""Pixels whose centres lie inside, as JTS counts them in QuPath's objects before they were written."""


def test_what_a_user_drew_has_the_pixels_that_qupath_finds_inside() -> None:
    read = read_annotations(FILES / "collection.geojson", classes=CLASSES, size=SIZE, correction=True)
    assert {code: int(read.read(code, Box(0, 0, *SIZE)).sum()) for code in CENTRES} == CENTRES
    assert read.notes["used"] == {"EX": {"Exudates": 4}, "OD": {"Disc": 5}}
    assert read.notes["no_area"] == {"LineString": 1, "MultiPoint": 1}
    assert read.notes["other"] == {"no class": 1}


@pytest.mark.parametrize(("y", "x", "inside"), [(8, 25, True), (9, 23, False), (8, 20, True)])
def test_holes_stay_holes(y: int, x: int, inside: bool) -> None:
    read = read_annotations(FILES / "collection.geojson", classes=CLASSES, size=SIZE)
    assert read.read("EX", Box(y, x, y + 1, x + 1)).item() is inside


def test_the_whole_image_of_the_class_reviewed_negative_says_that_nothing_was_found() -> None:
    read = read_annotations(FILES / "negative.geojson", classes=CLASSES, size=SIZE, correction=True)
    assert read.notes["reviewed"] == "negative"
    assert not any(read.read(code, Box(0, 0, *SIZE)).any() for code in CENTRES)
