"""Pictures from the table of images are those from the headers of the files."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile
from PIL import Image

from pipeline.config.manifest import DatasetRecord
from pipeline.errors import StoreError
from pipeline.raw.datasets.entry import ImageEntry
from pipeline.raw.datasets.headers import picture_of
from pipeline.raw.datasets.pictures import picture_of_job, pictures_in
from pipeline.runtime.job_memory import Picture
from pipeline.stores import write_table

RECORD = DatasetRecord.model_validate(
    {
        "title": "t",
        "adaptor": "folder",
        "modality": "fundus",
        "task": "multilabel",
        "classes": [{"code": "A", "name": "A"}, {"code": "B", "name": "B"}],
        "folder": {"images": "{image}.*"},
    }
)


@pytest.mark.parametrize(("name", "whole"), [("a.png", True), ("a.JPG", True), ("a.tif", False), ("a.SVS", False)])
@pytest.mark.parametrize("annotated", [True, False])
def test_header_and_table_tell_the_same(tmp_path: Path, name: str, whole: bool, annotated: bool) -> None:
    pixels, path = np.zeros((30, 50, 3), np.uint8), tmp_path / name
    if whole:
        Image.fromarray(pixels).save(path)
    else:
        tifffile.imwrite(path, pixels, photometric="rgb")
    found = picture_of(ImageEntry("a", path, annotated=annotated), record=RECORD)
    assert found == Picture(30, 50, whole=whole, truth=2 if annotated else 0)
    row = {"image_id": "a", "file": name, "height": 30, "width": 50, "annotated": annotated, "rejected": ""}
    assert pictures_in(pd.DataFrame([row]), classes=2) == {"a": found}


def test_a_rejected_image_has_no_picture(tmp_path: Path) -> None:
    row = {"image_id": "a", "file": "a.png", "height": 0, "width": 0, "annotated": True, "rejected": "truncated"}
    assert pictures_in(pd.DataFrame([row]), classes=2) == {}
    (tmp_path / "a.png").write_bytes(b"nothing")
    assert picture_of(ImageEntry("a", tmp_path / "a.png"), record=RECORD) is None


def test_a_table_with_a_flipped_bit_is_refused(tmp_path: Path) -> None:
    row = {"image_id": "a", "file": "a.png", "height": 30, "width": 50, "annotated": True, "rejected": ""}
    path = tmp_path / "images.parquet"
    for flip in (None, "bit"):
        write_table(pd.DataFrame([row]), path, provenance={"flip": str(flip)})
        if flip is None:
            assert picture_of_job("a", table=path, entries={}, record=RECORD) == Picture(30, 50, whole=True, truth=2)
            continue
        data = bytearray(path.read_bytes())
        data[60] ^= 1
        path.write_bytes(data)
        with pytest.raises(StoreError, match=r"images\.parquet"):
            picture_of_job("a", table=path, entries={}, record=RECORD)
