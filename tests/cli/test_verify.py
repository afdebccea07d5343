"""``lesionmap verify`` names every file that is not what was written, and says so by its exit code."""

import errno
import os
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline.cli import main
from pipeline.config import Storage
from pipeline.stores import create_pyramid, seal, write_box, write_table
from pipeline.stores.documents import json_text, read_json, write_json
from pipeline.stores.provenance import file_digest
from pipeline.stores.verify import verified_results
from tests.scenes.tiny_run import copied


@pytest.fixture
def results(tmp_path):
    folder = tmp_path / "results" / "eyes"
    store, model = folder / "normalized" / "a.zarr", folder / "model" / "net"
    group = create_pyramid(
        store,
        channels=("a",),
        shapes=((20, 20),),
        dtype="uint8",
        storage=Storage(chunk=8, shard=8),
        provenance={"stage": "normalized"},
    )
    write_box(group["0"], np.ones((1, 20, 20), np.uint8), y0=0, x0=0)
    seal(store)
    for path in (folder / "index", model):
        path.mkdir(parents=True)
    write_table(pd.DataFrame({"a": [1]}), folder / "index" / "main.parquet", provenance={})
    write_json({"sha256": "x"}, folder / "raw" / "a.json")
    (model / "weights.pt").write_bytes(bytes(99))
    (model / "card.json").write_text(json_text({"files": {"weights.pt": file_digest(model / "weights.pt")}}))
    return tmp_path / "results"


def test_whole_results_pass(results, capsys):
    (results / ".partial").mkdir(exist_ok=True)
    (results / ".partial" / "torn.json").touch()
    (results / "eyes" / "normalized" / "a.zarr" / ".snakemake_timestamp").touch()
    (results / "eyes" / "zarr.json").write_text("{}")  # a viewer that looked for the group above a store
    assert main(["verify", str(results)]) == 0
    assert "4 results, all as written" in capsys.readouterr().out


def test_links_to_folders_are_followed_once_and_a_table_in_a_hidden_folder_is_a_result(results, tmp_path, capsys):
    (results / "eyes").rename(tmp_path / "elsewhere")
    (results / "eyes").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "round").symlink_to(results)
    hidden = tmp_path / "elsewhere" / "model" / ".hardest" / "net.parquet"
    hidden.parent.mkdir()
    write_table(pd.DataFrame({"a": [1]}), hidden, provenance={})
    assert main(["verify", str(results)]) == 0
    assert "5 results, all as written" in capsys.readouterr().out
    hidden.write_bytes(hidden.read_bytes()[:-1] + b"x")
    weights = tmp_path / "elsewhere" / "model" / "net" / "weights.pt"
    weights.write_bytes(b"\1" + weights.read_bytes()[1:])
    assert main(["verify", str(results)]) == 1
    said = capsys.readouterr().out
    assert "5 results, 2 faults." in said
    assert "made anew when a job needs it, or by its path: lesionmap run -j1 PATH" in said


@pytest.mark.parametrize("name", ["index", "raw/a.json"])
def test_what_cannot_be_read_is_a_fault(results, monkeypatch, capsys, name):
    place, scandir, read = str(results / "eyes" / name), os.scandir, Path.read_bytes
    refusal = PermissionError(errno.EACCES, "Permission denied", place)

    def refused(real):
        def call(path=".", *arguments):
            if str(path) == place:
                raise refusal
            return real(path, *arguments)

        return call

    monkeypatch.setattr(os, "scandir", refused(scandir))  # root may read everything
    monkeypatch.setattr(Path, "read_bytes", refused(read))
    assert main(["verify", str(results)]) == 1
    said = capsys.readouterr().out
    assert f"{place}" in said
    assert "Permission denied" in said
    assert "1 fault." in said


def test_a_folder_that_is_not_there_holds_no_result(results):
    """The results of a first run."""
    assert verified_results(results / "none") == []


def test_maps_of_another_model_are_named(finished_run, tmp_path, capsys):
    run = copied(finished_run("fundus"), tmp_path)
    assert main(["verify", str(run.root)]) == 0
    card = run.model() / "card.json"
    content = read_json(card)
    content["settings"]["seed"] += 1
    write_json(content, card)
    assert main(["verify", str(run.root)]) == 1
    assert "made by another model" in capsys.readouterr().out


def test_a_table_without_a_byte_is_a_fault(results, capsys):
    (results / "eyes" / "index" / "main.parquet").write_bytes(b"")
    assert main(["verify", str(results)]) == 1
    assert "0 bytes without the end of a Parquet file" in capsys.readouterr().out


@pytest.mark.parametrize("place", ["report/results", "report", "runs/report"])
def test_a_folder_of_any_name_is_looked_through(results, tmp_path, capsys, place):
    shutil.copytree(results / "eyes", tmp_path / place / "report")
    weights = tmp_path / place / "report" / "model" / "net" / "weights.pt"
    weights.write_bytes(b"\1" + weights.read_bytes()[1:])
    assert main(["verify", str(tmp_path / place)]) == 1
    assert "4 results, 1 fault." in capsys.readouterr().out


def test_weights_without_their_card_are_a_fault(results, capsys):
    (results / "eyes" / "model" / "net" / "card.json").unlink()
    assert main(["verify", str(results)]) == 1
    assert "no card.json beside it" in capsys.readouterr().out


PLACES = [
    "normalized/a.zarr/0/c/0/1/1",
    "normalized/a.zarr/0/zarr.json",
    "index/main.parquet",
    "raw/a.json",
    "model/net/weights.pt",
]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("damage", ["flip", "cut", "gone"])
def test_each_damaged_file_is_listed_with_found_expected_and_what_to_do(results, capsys, place, damage):
    path = results / "eyes" / place
    raw = path.read_bytes()
    path.unlink()
    if damage != "gone":
        path.write_bytes(raw[:9] + bytes([raw[9] ^ 4]) + raw[10:] if damage == "flip" else raw[: len(raw) // 2])
    elif place in ("index/main.parquet", "raw/a.json"):  # who says that it was there? Snakemake
        assert main(["verify", str(results)]) == 0
        return
    assert main(["verify", str(results)]) == 1
    said = capsys.readouterr().out
    assert place in said
    assert " 1 fault." in said
    assert all(word in said for word in ("found:", "expected:", "Delete"))


def test_a_folder_that_is_not_there_is_said(tmp_path, capsys):
    assert main(["verify", str(tmp_path / "nowhere")]) == 1
    assert "no results" in capsys.readouterr().err
