"""A note of Snakemake that a power cut tore makes its result one that is made anew, not one of which nobody knows of what."""

import json

import pytest

from pipeline.runtime.torn_notes import mark_torn

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
