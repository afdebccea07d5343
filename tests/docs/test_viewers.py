"""The page on other programs runs as it stands on a finished run, and the stores hold what it says."""

import re
from pathlib import Path

import numpy as np
import pytest

from pipeline.stores import open_array
from tests.scenes.tiny_run import TinyRun

PAGE = Path(__file__).parents[2] / "docs" / "viewers.md"


@pytest.fixture(scope="module")
def run(finished_run, tmp_path_factory) -> TinyRun:
    return finished_run("fundus")


def test_dask_opens_image_and_labels_with_names_and_colours(run, tmp_path, monkeypatch):
    stores = tmp_path / "results" / "idrid" / "normalized"
    stores.mkdir(parents=True)
    (stores / "IDRiD_01.zarr").symlink_to(run.store("tiny_0"))
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    for number, block in enumerate(re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL), start=1):
        exec(compile(block, f"{PAGE.name}, block {number}", "exec"), names)
    path = run.store("tiny_0")
    assert np.array_equal(names["image"].compute(), open_array(path, "0")[:])
    assert np.array_equal(names["coarse"].compute(), open_array(path, "labels/truth/1")[:])
    assert names["coarse"].shape == open_array(path, "1").shape[1:]
    assert names["names"][:2] == ["truth", "roi"]
    assert names["colours"] == {1: [255, 0, 0, 255], 2: [255, 0, 255, 255]}


def test_the_readme_names_the_page():
    assert "docs/viewers.md" in (PAGE.parents[1] / "README.md").read_text()
