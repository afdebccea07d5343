"""A note of Snakemake that a power cut tore makes its result one that is made anew, not one of which nobody knows of what."""

import base64
import json
from pathlib import Path

import pytest

from pipeline.runtime.torn_notes import mark_torn, unnoted, unnoted_sentences

NOTE = json.dumps({"rule": "segmentation_thresholds", "params": ["'segmentation.minimum_area: 5'"]}).encode()


@pytest.mark.parametrize("torn", [b"", NOTE[:40], bytes(len(NOTE)), NOTE[:30] + bytes(len(NOTE) - 30), b"\xff"])
def test_the_result_of_a_torn_note_is_marked_as_unfinished(tmp_path, torn):
    for name, content in {"one": NOTE, "@long/two": torn}.items():
        path = tmp_path / "metadata" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    assert [path.name for path in mark_torn(tmp_path)] == ["two"]
    marks = [path.relative_to(tmp_path / "incomplete").as_posix() for path in (tmp_path / "incomplete").rglob("two")]
    assert marks == ["@long/two"]
    assert not (tmp_path / "incomplete" / "one").exists()


def test_a_folder_without_notes_is_left_alone(tmp_path):
    assert mark_torn(tmp_path / ".snakemake") == []
    assert not (tmp_path / ".snakemake").exists()


def note(folder, name):
    text = base64.urlsafe_b64encode(name.encode()).decode()
    parts = [f"@{text[at : at + 200]}" for at in range(0, len(text) - 200, 200)]
    path = folder.joinpath("metadata", *parts, text[200 * len(parts) :])
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(NOTE)


def test_results_without_notes_are_named(tmp_path):
    """Where ``.snakemake`` was deleted, or the run is called from another folder, a changed parameter changes nothing."""
    long = "results/" + "x" * 300 + "/index/a.parquet"
    results = [Path(name) for name in ("results/e/raw/a.json", "results/e/model/unet/card.json", long)]
    assert unnoted(tmp_path, results) == results
    note(tmp_path, "results/e/model/unet")
    note(tmp_path, long)
    assert unnoted(tmp_path, results) == results[:1]
    (said,) = unnoted_sentences(tmp_path, results)
    assert said.startswith("1 result, such as results/e/raw/a.json, was made")
    note(tmp_path, "results/e/raw/a.json")
    assert unnoted_sentences(tmp_path, results) == []
