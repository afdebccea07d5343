"""The page on notebooks runs as it stands, and what it reads is what lies in the stores."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from pipeline.config import GuidedSampling
from pipeline.index.candidates import write_candidates
from pipeline.index.table import Inputs, write_index
from pipeline.stores import open_array
from pipeline.stores.job import Job
from tests.scenes.tiny_run import TinyRun, copied

PAGE = Path(__file__).parents[2] / "docs" / "notebook.md"
NAMES = {"tiny_0": "IDRiD_01", "tiny_3": "IDRiD_55"}


def write_patches(run: TinyRun) -> None:
    """A patch index of the run."""
    provenance = run.origin("index", {})
    candidates = {image: run.root / "index" / "candidates" / f"{image}.parquet" for image in run.images}
    for image, path in candidates.items():
        write_candidates(run.store(image), output=path, provenance=provenance)
    write_index(
        Inputs(run.table(), candidates, {image: run.store(image) for image in run.images}),
        dataset="tiny",
        sampling=GuidedSampling(strategy="guided", patch=32, total=8, jitter=4, background_share=0.0),
        job=Job(run.record, provenance),
        output=run.root / "index" / "guided.parquet",
    )


@pytest.fixture(scope="module")
def run(finished_run: Callable[[str], TinyRun], tmp_path_factory: pytest.TempPathFactory) -> TinyRun:
    """A finished run under the names of the page."""
    folder = tmp_path_factory.mktemp("notebook")
    run = copied(finished_run("fundus"), folder)
    write_patches(run)
    (folder / "images").symlink_to(run.files)
    (folder / "results" / "idrid").symlink_to(run.root)
    for own, name in NAMES.items():
        for path in [*run.files.glob(f"{own}.png"), *run.root.rglob(f"{own}.zarr")]:
            path.with_name(f"{name}{path.suffix}").symlink_to(path)
    return run


@pytest.fixture(scope="module")
def answers(run: TinyRun) -> dict[str, object]:
    """Every name of the page after its last block."""
    names: dict[str, object] = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(run.root.parents[1])
        for number, block in enumerate(re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL), start=1):
            exec(compile(block, f"{PAGE.name}, block {number}", "exec"), names)
    return names


def content(path: Path, name: str = "0") -> np.ndarray:
    return np.asarray(open_array(path, name)[:])


def test_a_box_of_a_file_holds_its_pixels(run, answers):
    with Image.open(run.files / "tiny_3.png") as picture:
        pixels = np.asarray(picture)
    assert (answers["height"], answers["width"]) == pixels.shape[:2]
    assert np.array_equal(answers["corner"], pixels[:64, :64])


def test_truth_and_region_of_interest_are_those_of_the_store(run, answers):
    truth, roi = (content(run.store("tiny_0"), name) for name in ("truth", "roi"))
    assert answers["pixels"] == dict(zip(run.record.codes, truth.sum(axis=(1, 2)).tolist(), strict=True))
    assert sum(answers["pixels"].values()) > 0
    assert answers["inside"] == pytest.approx(roi.mean())
    assert np.array_equal(answers["tile"], content(run.store("tiny_0"))[:, 32:64, 32:64])


def test_a_box_of_a_map_holds_its_probabilities(run, answers):
    maps = content(run.maps("tiny_3", "gaussian"))
    assert np.array_equal(answers["middle"][:, 0], maps[:, maps.shape[1] // 2])


def test_the_index_is_the_table_on_disk(run, answers):
    rows = pd.read_parquet(run.root / "index" / "guided.parquet")
    assert len(answers["index"]) == len(rows)
    assert len(answers["train"]) == (rows["split"] == "train").sum() > 0


def test_a_new_image_is_normalised_as_those_of_the_run_or_by_settings(run, answers):
    own = content(run.store("tiny_3"))
    assert np.array_equal(content(answers["as_trained"]), own)
    assert answers["enhanced"].shape == (answers["height"], answers["width"])
    assert answers["as_trained"].parents[1].name == "mine"


def test_a_new_image_is_predicted_as_those_of_the_run(run, answers):
    box = answers["pipeline"].Box(0, 0, *answers["new_maps"].shape[1:])
    assert np.array_equal(answers["new_maps"].read(box), content(run.maps("tiny_3", "gaussian")))
    features = json.loads(answers["gaussian"].outlines.read_text())["features"]
    assert sum(answers["found"].values()) == len(features)
    assert answers["mean"].fusion == "mean"


def test_the_readme_leads_here_and_the_page_names_what_is_exported():
    import pipeline

    text = PAGE.read_text()
    assert "docs/notebook.md" in (PAGE.parents[1] / "README.md").read_text()
    assert all(f"`{name}`" in text for name in pipeline.__all__)
