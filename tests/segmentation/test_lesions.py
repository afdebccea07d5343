"""The table of lesions holds every outline of every image, with declared columns, even where there are none."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline.errors import StoreError
from pipeline.segmentation.geojson import feature, feature_collection
from pipeline.segmentation.lesions import COLUMNS, write_lesions
from pipeline.segmentation.polygons import trace
from pipeline.stores import table_metadata
from pipeline.stores.documents import json_text
from pipeline.stores.provenance import Provenance

ORIGIN = Provenance("segmentation", {}, "code")


def outlines(folder: Path, name: str, *, codes: tuple[str, ...]) -> Path:
    features = []
    for number, code in enumerate(codes):
        properties = {"image_id": name, "component": number, "area_px": 7 + number, "area_source_px": 28.5}
        corners = {
            "y": 4.5,
            "x": 5.0,
            "holes": 1,
            "hole_area_px": 2,
            "y0": 1.5,
            "x0": 2.0,
            "y1": 9.0,
            "x1": 8.0,
            "mean_probability": 0.5,
            "max_probability": 0.75,
        }
        polygons = trace(np.ones((2, 3), bool))
        features.append(
            feature(polygons, class_code=code, name=code, colour=(1, 2, 3), properties={**properties, **corners})
        )
    (folder / f"{name}.geojson").write_text(json_text(feature_collection(features)))
    return folder / f"{name}.geojson"


def test_every_outline_is_a_row_sorted_by_image(tmp_path: Path) -> None:
    paths = {name: outlines(tmp_path, name, codes=codes) for name, codes in (("b", ("EX",)), ("a", ("MA", "EX")))}
    write_lesions(paths, output=tmp_path / "lesions.parquet", provenance=ORIGIN)
    frame = pd.read_parquet(tmp_path / "lesions.parquet")
    assert frame["image_id"].tolist() == ["a", "a", "b"]
    assert frame["class_code"].tolist() == ["MA", "EX", "EX"]
    assert frame["area_px"].tolist() == [7, 8, 7]
    assert frame["y0"].tolist() == [1.5] * 3
    assert frame["max_probability"].tolist() == [0.75] * 3
    assert frame[["y", "holes", "hole_area_px"]].to_numpy().tolist() == [[4.5, 1, 2]] * 3
    assert frame["area_um2"].isna().all()


@pytest.mark.parametrize("codes", [(), ("MA",)])
def test_the_columns_are_those_declared_even_without_lesions(tmp_path: Path, codes: tuple[str, ...]) -> None:
    write_lesions({"a": outlines(tmp_path, "a", codes=codes)}, output=tmp_path / "lesions.parquet", provenance=ORIGIN)
    frame = pd.read_parquet(tmp_path / "lesions.parquet")
    assert {name: str(kind) for name, kind in frame.dtypes.items()} == {
        name: kind for name, (kind, _) in COLUMNS.items()
    }
    notes = table_metadata(tmp_path / "lesions.parquet")
    assert notes["provenance"] == ORIGIN.as_attributes()
    assert list(notes["columns"]) == list(COLUMNS)


@pytest.mark.parametrize("content", ["{", "[]", '{"features": [{"properties": {"measurements": {}, "metadata": {}}}]}'])
def test_a_damaged_file_is_named_and_leaves_no_table(tmp_path: Path, content: str) -> None:
    (tmp_path / "bad.geojson").write_text(content)
    with pytest.raises(StoreError, match=r"bad\.geojson"):
        write_lesions({"a": tmp_path / "bad.geojson"}, output=tmp_path / "lesions.parquet", provenance=ORIGIN)
    assert not (tmp_path / "lesions.parquet").exists()
