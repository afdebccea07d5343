"""`lesionmap index` says what is in an index, draws it, and explains what it cannot do."""

import json
import subprocess
import sys

import cv2
import pandas as pd
import pytest
import yaml

from pipeline.cli import main
from pipeline.config import GuidedSampling
from tests.scenes.dataset import CODES, Dataset, Picture, blobs

SPLITS = {"a": "train", "b": "train", "v": "validation", "t": "test"}


@pytest.fixture(scope="module")
def index(tmp_path_factory):
    pictures = {
        name: Picture(blobs(at + 3, height=90, width=110, count=9), split=split)
        for at, (name, split) in enumerate(SPLITS.items())
    }
    data = Dataset(tmp_path_factory.mktemp("eyes"), pictures)
    sampling = GuidedSampling(strategy="guided", patch=32, total=24, jitter=4, background_share=0.25)
    return data.write(sampling)


def test_show_prints_counts_and_writes_a_sheet_and_a_map_of_each_image(index, capsys, tmp_path):
    assert main(["index", "show", str(index), "--out", str(tmp_path / "pictures")]) == 0
    text = capsys.readouterr().out
    frame = pd.read_parquet(index)
    assert f"{len(frame):,} patches" in text
    for word in ["background", "median", "untouched", "spread", *SPLITS.values(), *CODES]:
        assert word in text
    names = sorted(path.name for path in (tmp_path / "pictures").iterdir())
    assert names == [*(f"map.{name}.jpg" for name in sorted(SPLITS)), "sheet.jpg"]
    assert all(cv2.imread(str(path)) is not None for path in (tmp_path / "pictures").iterdir())


def test_show_writes_beside_the_results_where_nothing_else_is_said_and_twice_the_same(index, capsys):
    folder = index.parents[1] / "report" / "patches" / index.stem
    found = []
    for _ in range(2):
        assert main(["index", "show", str(index)]) == 0
        found.append({path.name: path.read_bytes() for path in folder.iterdir()})
    assert found[0] == found[1]
    assert "".join(str(folder).split()) in "".join(capsys.readouterr().out.split())
    # Only indexes lie in index/ itself.
    assert {path.name for path in index.parent.iterdir()} == {index.name, "candidates"}


def test_a_reader_that_has_enough_ends_it_without_a_word(index, tmp_path):
    command = [sys.executable, "-m", "pipeline.cli", "index", "show", str(index), "--out", str(tmp_path / "p")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert "patches" in process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == ""


def test_colours_come_from_the_manifest_that_is_named(index, tmp_path, capsys):
    classes = [{"code": code, "name": code, "colour": "#010203"} for code in CODES]
    record = {"title": "t", "adaptor": "idrid", "modality": "fundus", "task": "multilabel", "classes": classes}
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump({"datasets": {index.parents[1].name: record}}))
    arguments = ["index", "show", str(index), "--out", str(tmp_path / "p"), "--manifest", str(tmp_path / "mine.yaml")]
    assert main(arguments) == 0
    sheet = cv2.imread(str(tmp_path / "p" / "sheet.jpg"))
    # The shipped palette would begin with red.
    assert not ((sheet[..., 2] > 200) & (sheet[..., :2] < 60).all(axis=-1)).any()


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("nowhere.parquet", ["nowhere.parquet", "no such file", "snakemake index"]),
        ("candidates/a.parquet", ["candidates"]),
    ],
)
def test_what_is_no_index_is_refused(index, path, words, capsys):
    assert main(["index", "show", str(index.parent / path)]) == 1
    text = capsys.readouterr().err
    assert all(word in text for word in words), text


@pytest.mark.parametrize("above", [0, 1, 2])
@pytest.mark.parametrize("verb", ["show", "export"])
def test_a_folder_is_refused_with_the_indexes_in_it_and_what_to_type(index, above, verb, capsys, tmp_path):
    folder = index.parents[above]
    assert main(["index", verb, str(folder), *(["--to", str(tmp_path / "to")] if verb == "export" else [])]) == 1
    said = capsys.readouterr().err
    assert "This is a folder" in said
    assert f"found:    {index}" in said
    assert "images.parquet" not in said
    assert "candidates" not in said
    assert f"lesionmap index {verb} {index}" in said


def test_a_folder_without_indexes_is_told_how_they_are_built(tmp_path, capsys):
    assert main(["index", "show", str(tmp_path)]) == 1
    assert "Build the indexes" in capsys.readouterr().err


def test_an_index_without_its_stores_is_told_where_they_should_be(index, tmp_path, capsys):
    moved = tmp_path / "eyes" / "index" / index.name
    moved.parent.mkdir(parents=True)
    moved.write_bytes(index.read_bytes())
    assert main(["index", "show", str(moved)]) == 1
    shown = capsys.readouterr()
    assert "normalised store" in shown.err
    assert "median" in shown.out  # the tables need no pictures


def test_export_writes_a_data_set_of_nnunet_and_names_what_is_left_to_do(index, tmp_path, capsys):
    folder = tmp_path / "Dataset501_eyes"
    assert main(["index", "export", str(index), "--to", str(folder), "--format", "nnunet"]) == 0
    text = capsys.readouterr().out
    frame = pd.read_parquet(index)
    assert f"{len(frame):,} patches of 4 images" in text
    assert "splits_final.json" in text
    facts = json.loads((folder / "dataset.json").read_text())
    assert facts["numTraining"] == (frame["split"] != "test").sum()
    assert facts["lesionmap"]["index"] == index.name
    assert str(index.parent) not in (folder / "dataset.json").read_text()
    assert main(["index", "export", str(index), "--to", str(folder), "--format", "nnunet"]) == 1
    assert "there already" in capsys.readouterr().err


def test_export_of_some_splits_writes_only_those(index, tmp_path):
    assert main(["index", "export", str(index), "--to", str(tmp_path / "out"), "--splits", "validation"]) == 0
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"validation", "patches.csv", "dataset.json"}
