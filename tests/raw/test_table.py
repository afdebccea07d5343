"""The table of images is written from fact sheets, and says in the log which pictures lie in two splits."""

import logging

import pytest

from pipeline.config import RawConfig
from pipeline.config.manifest import DatasetRecord
from pipeline.errors import ConfigurationError
from pipeline.raw.table import write_images
from pipeline.stores import read_table
from pipeline.stores.documents import json_text
from pipeline.stores.job import Job
from pipeline.stores.provenance import Provenance

RECORD = DatasetRecord.model_validate(
    {
        "title": "t",
        "adaptor": "folder",
        "modality": "fundus",
        "task": "binary",
        "classes": [{"code": "EX", "name": "Exudates"}],
        "folder": {"images": "{image}.png"},
    }
)


@pytest.fixture
def sheets(tmp_path):
    paths = []
    for at, name in enumerate("abcd"):
        sheet = {
            "image_id": name,
            "file": f"{name}.png",
            "group_id": f"p{at // 2}",
            "centre": "",
            "height": 8,
            "width": 9,
            "sha256": name,
            "perceptual_hash": "0f" * 32 if name in "ad" else "",
            "stored": "",
            "rejected": "",
            "official_test": False,
            "annotated": True,
            "pixel_size_um": None,
            "pixels": {"EX": 3},
        }
        paths.append(tmp_path / f"{name}.json")
        paths[-1].write_text(json_text(sheet))
    return paths


def write(sheets, folder, text):
    (folder / "splits.csv").write_text(text)
    output = folder / "results" / "d" / "raw" / "images.parquet"
    write_images(
        sheets,
        dataset="d",
        config=RawConfig(splits_csv=str(folder / "splits.csv")),
        job=Job(RECORD, Provenance("raw", {}, "0")),
        output=output,
    )
    return read_table(output).set_index("image_id")


def test_a_picture_in_two_splits_is_logged_with_both_names(sheets, tmp_path, caplog):
    with caplog.at_level(logging.WARNING):
        frame = write(sheets, tmp_path, "image_id,split\na,train\nc,test\n")
    assert frame["split"].tolist() == ["train", "train", "test", "test"]
    assert frame["alike"].tolist() == ["d", "", "", "a"]
    assert [record.getMessage() for record in caplog.records] == [
        "a and d show the same picture and lie in two splits or folds; give both one patient"
    ]


def test_a_picture_twice_in_one_split_is_no_warning(sheets, tmp_path, caplog):
    with caplog.at_level(logging.WARNING):
        write(sheets, tmp_path, "image_id,split\na,train\nc,train\n")
    assert not caplog.records


def test_a_csv_that_parts_a_patient_writes_nothing(sheets, tmp_path):
    with pytest.raises(ConfigurationError, match=r"Patient p1 .*\n.*\n.*test: d; train: c"):
        write(sheets, tmp_path, "image_id,split\nc,train\nd,test\n")
    assert not (tmp_path / "results" / "d" / "raw" / "images.parquet").exists()
