"""Corrections: polygons replace the truth of their images and of no other, and nothing is taken for healthy by a slip."""

import json

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from pipeline.config.manifest import DatasetRecord
from pipeline.config.raw import RawConfig
from pipeline.errors import ManifestError, MissingDataError
from pipeline.raw.datasets.entry import entry_from_files
from pipeline.raw.datasets.left_over import left_over
from pipeline.raw.datasets.listing import list_images
from pipeline.raw.facts import fact_sheet
from pipeline.raw.sheet_warnings import sheet_warnings
from pipeline.raw.table import images_table

SIZE = (30, 40)
RECORD = DatasetRecord.model_validate(
    {
        "title": "t",
        "adaptor": "folder",
        "modality": "fundus",
        "task": "multilabel",
        "classes": [{"code": "EX", "name": "Exudates"}, {"code": "OD", "name": "Disc"}],
        "folder": {"images": "{image}.png", "masks": {"EX": "ex/{image}.png", "OD": "od/{image}.png"}},
    }
)


def square(name: str, y: int, x: int, side: int) -> dict:
    ring = [[x, y], [x + side, y], [x + side, y + side], [x, y + side], [x, y]]
    return {
        "type": "Feature",
        "geometry": {"type": "Polygon", "coordinates": [ring]},
        "properties": {"classification": {"name": name}},
    }


def collection(*features: dict, **members: object) -> str:
    return json.dumps({"type": "FeatureCollection", "features": list(features), **members})


@pytest.fixture
def folders(tmp_path):
    """Data with three images, the last without truth, and an empty folder of corrections beside it."""
    root, corrections = tmp_path / "data", tmp_path / "corrections"
    for folder in (root / "ex", root / "od", corrections):
        folder.mkdir(parents=True)
    for name in ("a", "b", "c"):
        Image.fromarray(np.full((*SIZE, 3), 99, np.uint8)).save(root / f"{name}.png")
    for folder in ("ex", "od"):
        mask = np.zeros(SIZE, np.uint8)
        mask[:5, :5] = 255
        for name in ("a", "b"):
            Image.fromarray(mask).save(root / folder / f"{name}.png")
    return root, corrections


def listed(folders):
    return list_images(RECORD, dataset="mine", root=folders[0], corrections=folders[1])


def sheets(folders) -> dict[str, dict]:
    """Fact sheets of the images as jobs make them, from facts and files."""
    made = [
        entry_from_files(each.facts("official_test", "group", "centre"), **each.file_lists())
        for each in listed(folders)
    ]
    return {each.image_id: fact_sheet(each, record=RECORD) for each in made}


def test_polygons_are_the_truth_of_their_image_and_of_no_other(folders):
    before = sheets(folders)
    (folders[1] / "a.geojson").write_text(collection(square("Exudates", 10, 10, 6), square("od", 2, 20, 3)))
    after = sheets(folders)
    assert after["a"]["pixels"] == {"EX": 36, "OD": 9}
    assert [each["truth_origin"] for each in after.values()] == ["correction", "data set", ""]
    assert {name: after[name] for name in "bc"} == {name: before[name] for name in "bc"}
    assert [each.facts() for each in listed(folders)][1:] == [
        each.facts() for each in list_images(RECORD, dataset="mine", root=folders[0])
    ][1:]


def test_an_image_that_nobody_annotated_is_learned_from_once_it_is_corrected(folders):
    (folders[1] / "sub").mkdir()
    (folders[1] / "sub" / "c.png.geojson").write_text(collection(square("EX", 1, 1, 4)))
    found = sheets(folders)
    assert found["c"]["annotated"]
    assert found["c"]["pixels"] == {"EX": 16, "OD": 0}
    table = images_table(list(found.values()), dataset="mine", record=RECORD, config=RawConfig(), seed=0)
    assert table["truth_origin"].tolist() == ["data set", "data set", "correction"]
    assert "predict" not in table["split"].tolist()


@pytest.mark.parametrize(
    "text",
    [
        collection(reviewed="negative"),
        collection(square("reviewed: negative", 0, 0, 30)),
        json.dumps([{**square("x", 0, 0, 9), "properties": {"classification": {"names": ["Reviewed", "Negative"]}}}]),
    ],
)
def test_an_image_is_without_lesions_where_the_file_says_so(folders, text):
    (folders[1] / "a.geojson").write_text(text)
    found = sheets(folders)
    assert found["a"]["rejected"] == ""
    assert found["a"]["pixels"] == {"EX": 0, "OD": 0}
    assert found["a"]["polygons"]["reviewed"] == "negative"
    assert not [each for each in sheet_warnings(found.values()) if each.kind == "emptied"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (collection(), "no area of a class"),
        (collection(reviewed="yes"), "no area of a class"),
        (collection(square("Drusen", 1, 1, 3)), "no area of a class, but features of Drusen"),
        (collection(square("Drusen", 1, 1, 3)), "classes EX (Exudates), OD (Disc)"),
        (collection(square("Drusen", 1, 1, 3)), "a.geojson"),
        (collection(square("EX", 1, 1, 3), reviewed="negative"), "1 features with areas, and reviewed: negative"),
        ("{", "no JSON: Expecting property name"),
        ("nothing", "no JSON: Expecting value"),
        ("", "a.geojson"),
    ],
)
def test_a_correction_without_areas_is_not_guessed_to_be_negative(folders, text, said):
    (folders[1] / "a.geojson").write_text(text)
    found = sheets(folders)
    assert said in found["a"]["rejected"]
    assert found["b"]["rejected"] == ""


@pytest.mark.parametrize(
    "name", ["a.json", "a.png.json", "a.xml", "a.geojson.txt", "b.JSON", "a.zip", "a.geojson.gz", "a.GEOJSON.GZ"]
)
def test_a_correction_with_another_ending_is_refused_and_not_passed_over(folders, name):
    (folders[1] / name).write_text(collection(square("EX", 1, 1, 3)))
    with pytest.raises(ManifestError, match=rf"another ending(.|\n)*{name}(.|\n)*{name[0]}\.geojson"):
        listed(folders)
    (folders[1] / name).rename(folders[1] / "project.json")
    assert [each.corrected for each in listed(folders)] == [None] * 3


def test_a_feature_of_another_class_beside_one_that_is_known_is_warned_of_with_the_classes(folders):
    (folders[1] / "a.geojson").write_text(collection(square("EX", 1, 1, 3), square("Drusen", 9, 9, 3)))
    (said,) = [each.sentence for each in sheet_warnings(sheets(folders).values()) if each.kind == "other_class"]
    assert all(part in said for part in ("Drusen", "1 feature (Drusen)", "classes are EX, OD", "images: 1 (a)"))


def test_a_class_that_a_correction_leaves_out_is_warned_of(folders):
    (folders[1] / "a.geojson").write_text(collection(square("EX", 10, 10, 6)))
    (warning,) = (each for each in sheet_warnings(sheets(folders).values()) if each.kind == "emptied")
    assert warning.code == "OD"
    assert warning.names == ("a",)


def test_a_file_of_no_image_is_counted_and_the_masks_that_are_replaced_are_not_left_over(folders):
    for name in ("a", "A1"):
        (folders[1] / f"{name}.geojson").write_text(collection(square("EX", 10, 10, 6)))
    said = " ".join(left_over(RECORD, entries=listed(folders), root=folders[0], corrections=folders[1]))
    assert "1 (A1.geojson) corrections are named like no image" in said
    assert "ex/a.png" not in said


def test_a_folder_that_is_not_there_and_two_files_of_one_image_are_refused(folders):
    with pytest.raises(MissingDataError, match="folder of corrections is missing"):
        list_images(RECORD, dataset="mine", root=folders[0], corrections=folders[1] / "nowhere")
    for name in ("a", "a.png"):
        (folders[1] / f"{name}.geojson").write_text(collection())
    with pytest.raises(ManifestError, match="two corrections"):
        listed(folders)


def test_the_data_set_is_not_written(folders):
    def state() -> dict:
        return {path: (path.stat().st_mtime_ns, path.is_file() and path.read_bytes()) for path in folders[0].rglob("*")}

    before = state()
    (folders[1] / "a.geojson").write_text(collection(square("EX", 10, 10, 6)))
    sheets(folders)
    assert state() == before


def test_the_column_is_text_for_every_image(folders):
    table = images_table(list(sheets(folders).values()), dataset="mine", record=RECORD, config=RawConfig(), seed=0)
    assert pd.api.types.is_string_dtype(table["truth_origin"])
