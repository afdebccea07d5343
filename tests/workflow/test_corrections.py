"""Corrected truth makes what it touches again: dry runs of a finished run, and one run to the end."""

import json
import re
from pathlib import Path

import pandas as pd
import pytest

from pipeline.stores import open_array
from pipeline.stores.documents import read_json
from pipeline.stores.provenance import file_digest
from tests.workflow.project import MANIFEST, TINY, copy_with_results

CORRECTED = TINY | {"corrections": {"pink": "corrected"}}


def correct(folder: Path, image: str, side: int) -> None:
    """Write a square of lesion as the truth of an image."""
    ring = [[9, 9], [9 + side, 9], [9 + side, 9 + side], [9, 9 + side], [9, 9]]
    feature = {"type": "Feature", "geometry": {"type": "Polygon", "coordinates": [ring]}}
    feature["properties"] = {"classification": {"name": "Lesion"}}
    folder.mkdir(exist_ok=True)
    (folder / f"{image}.geojson").write_text(json.dumps({"type": "FeatureCollection", "features": [feature]}))


@pytest.fixture
def project(finished):
    yield finished
    finished.configure(TINY)
    for path in (finished.folder / "corrected").glob("*"):
        path.unlink()


def test_an_empty_folder_of_corrections_redoes_nothing(project):
    (project.folder / "corrected").mkdir(exist_ok=True)
    project.configure(CORRECTED)
    assert project.wants() == set()


def test_a_correction_reads_its_image_again_and_no_other(project):
    correct(project.folder / "corrected", "pink_02", 20)
    project.configure(CORRECTED)
    assert set(project.jobs("results/pink/normalized/pink_02.zarr")) >= {
        (rule, "pink") for rule in ("raw_image", "raw_images", "normalized_image")
    }
    _, text = project.dry_run("all")
    assert re.findall("pink: reading (.*)", text) == ["pink_02"]
    assert "tiny: " not in text


@pytest.mark.slow
def test_a_corrected_image_is_learned_from_and_the_data_set_is_not_written(finished, tmp_path):
    project = copy_with_results(finished, tmp_path / "corrected")
    results, root = project.folder / "results" / "pink", project.folder / MANIFEST["datasets"]["pink"]["root"]
    images = pd.read_parquet(results / "raw" / "images.parquet").set_index("image_id")
    image = str(images.index[images["split"] == "train"][0])
    others = [name for name in images.index if name != image]
    kept = {path: file_digest(path) for path in root.rglob("*.*")}
    stores = {name: file_digest(results / "normalized" / f"{name}.zarr" / "zarr.json") for name in others}
    weights = file_digest(results / "model" / "unet" / "weights.pt")
    correct(project.folder / "corrected", image, 20)
    project.configure(CORRECTED)
    done = project.snakemake("-j2", "all")
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    assert {path: file_digest(path) for path in root.rglob("*.*")} == kept
    assert {name: file_digest(results / "normalized" / f"{name}.zarr" / "zarr.json") for name in others} == stores
    assert file_digest(results / "model" / "unet" / "weights.pt") != weights
    sheet = read_json(results / "raw" / f"{image}.json")
    assert (sheet["truth_origin"], sheet["pixels"]) == ("correction", {"LESION": 400})
    assert sheet["provenance"]["inputs"]["annotations"] == file_digest(
        project.folder / "corrected" / f"{image}.geojson"
    )
    table = pd.read_parquet(results / "raw" / "images.parquet").set_index("image_id")
    assert table["truth_origin"].to_dict() == {
        name: "correction" if name == image else "data set" for name in images.index
    }
    assert int(open_array(results / "normalized" / f"{image}.zarr", "truth")[:].sum()) == 400
    assert "Corrected truth: 1 image." in (results / "report" / "index.html").read_text()
    project.configure(CORRECTED)
    assert project.wants() == set()
