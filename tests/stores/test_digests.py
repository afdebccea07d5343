"""JSON and Parquet results are read only as they were written: each holds the digest of its content."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline.errors import StoreError
from pipeline.seeds import stream
from pipeline.stores import read_rows, read_table, table_metadata, write_table
from pipeline.stores.documents import json_text, read_json, write_json

CONTENT = {"classes": {"EX": {"threshold": 0.1234567, "name": "ü"}}, "none": None, "list": [1, 2.5, "x"]}


def written(folder: Path) -> dict[str, Path]:
    frame = pd.DataFrame({"split": pd.Categorical(["train", "test"] * 40), "y": np.arange(80, dtype=np.int32)})
    write_table(frame, folder / "t.parquet", provenance={"stage": "index"}, extra={"summary": {"n": 2}}, ends=[40, 80])
    write_json(CONTENT, folder / "t.json")
    return {"parquet": folder / "t.parquet", "json": folder / "t.json"}


def content(path: Path) -> object:
    if path.suffix == ".json":
        return read_json(path)
    rows = read_rows(path, split="test")
    return read_table(path).to_dict("list"), table_metadata(path), rows.to_dict("list")


@pytest.mark.parametrize("kind", ["parquet", "json"])
def test_a_flipped_bit_of_a_file_is_noticed_or_changes_no_value(tmp_path, kind):
    path = written(tmp_path)[kind]
    raw, expected, draw, noticed = path.read_bytes(), content(path), stream(0, "flips", kind), 0
    for _ in range(150):
        at, bit = int(draw.integers(len(raw))), int(draw.integers(8))
        path.write_bytes(raw[:at] + bytes([raw[at] ^ 1 << bit]) + raw[at + 1 :])
        try:
            assert content(path) == expected, (at, bit)
        except StoreError as error:
            assert path.name in str(error)  # noqa: PT017
            noticed += 1
    assert noticed == 150 if kind == "parquet" else noticed > 120


@pytest.mark.parametrize("kind", ["parquet", "json"])
@pytest.mark.parametrize("part", [0.0, 0.4, 0.97])
def test_a_file_cut_short_is_named_with_what_to_do(tmp_path, kind, part):
    path = written(tmp_path)[kind]
    raw = path.read_bytes()
    path.write_bytes(raw[: int(len(raw) * part)])
    with pytest.raises(StoreError, match=rf"{path.name}(.|\n)*found: (.|\n)*expected: (.|\n)*Delete"):
        content(path)


def test_a_file_of_before_is_refused_with_the_command_that_remakes_it(tmp_path):
    pd.DataFrame({"a": [1]}).to_parquet(tmp_path / "a.parquet")
    (tmp_path / "a.json").write_text(json.dumps(CONTENT))
    for path in (tmp_path / "a.parquet", tmp_path / "a.json"):
        with pytest.raises(StoreError, match="snakemake -j8 all"):
            content(path)
    assert read_json(tmp_path / "a.json", foreign=True) == CONTENT
    assert read_table(tmp_path / "a.parquet", foreign=True)["a"].tolist() == [1]


def test_other_programs_read_the_files(tmp_path):
    paths = written(tmp_path)
    assert pd.read_parquet(paths["parquet"]).shape == (80, 2)
    assert json.loads(paths["json"].read_text()) == CONTENT | {"digest": json.loads(json_text(CONTENT))["digest"]}


@pytest.mark.parametrize(
    ("name", "origin"),
    [("thresholds.mean.json", "segmentation/unet/mean/thresholds.json"), ("card.json", None)],
)
def test_a_damaged_file_beside_a_model_names_the_result_that_it_is_made_with(tmp_path, name, origin):
    path = tmp_path / "eyes" / "model" / "unet" / name
    path.parent.mkdir(parents=True)
    path.write_bytes(b"\0\0")
    with pytest.raises(StoreError) as refused:
        read_json(path)
    together = str(path) if origin is None else f"{path} and {tmp_path / 'eyes' / origin}"
    assert f"Delete {together} and run again" in str(refused.value)
