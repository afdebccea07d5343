"""Images that cannot be used are left out and named; the others go through to the report."""

import numpy as np
import pandas as pd
import pytest
import yaml
from PIL import Image

from pipeline.config.run import merge
from pipeline.raw.phantom.fundus import fundus_phantom
from tests.workflow.project import FUNDUS, copy_of_project

CODES = {"EX": "Exudates", "OD": "Optic disc"}
MANIFEST = {
    "datasets": {
        "mine": {
            "title": "A folder of a user",
            "adaptor": "folder",
            "root": "eyes",
            "modality": "fundus",
            "task": "multilabel",
            "classes": [{"code": code, "name": name} for code, name in CODES.items()],
            "folder": {"images": "pics/{image}.jpg", "masks": {code: f"masks/{{image}} {code}.png" for code in CODES}},
        }
    }
}

pytestmark = pytest.mark.slow  # a whole run of the workflow of its own


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    project = copy_of_project(tmp_path_factory.mktemp("folder"))
    root = project.folder / "eyes"
    (root / "pics").mkdir(parents=True)
    (root / "masks").mkdir()
    for number in range(6):
        phantom = fundus_phantom(number, size=128, seed=3)
        Image.fromarray(phantom.image).save(root / "pics" / f"eye {number}.jpg", quality=95)
        for code in CODES:
            Image.fromarray(phantom.masks[code]).save(root / "masks" / f"eye {number} {code}.png")
    truncated = root / "pics" / "eye 4.jpg"
    truncated.write_bytes(truncated.read_bytes()[:900])
    Image.fromarray(np.zeros((64, 64), np.uint8)).save(root / "masks" / "eye 5 EX.png")
    Image.fromarray(fundus_phantom(6, size=128, seed=3).image).save(root / "pics" / "unseen.jpg")
    (project.folder / "mine.yaml").write_text(yaml.safe_dump(MANIFEST))
    project.configure(
        merge(FUNDUS, {"manifest": "mine.yaml", "datasets": ["mine"], "probability": {"fusions": ["mean"]}})
    )
    return project


@pytest.fixture(scope="module")
def done(project):
    return project.snakemake("-j2", "all")


def test_the_run_ends_with_the_list_of_what_was_left_out(done):
    text = done.stdout + done.stderr
    assert done.returncode != 0
    assert all(word in text for word in ["2 of 7 images of mine were left out", "eye_4", "eye_5"]), text[-5000:]
    assert "64×64" in text
    assert "128×128" in text


def test_the_last_words_are_what_was_left_out_where_the_report_is_and_what_to_do(done):
    last = (done.stdout + done.stderr).rstrip().splitlines()[-5:]
    assert last[0] == "All else was made; 2 images were left out:"
    assert last[1].startswith("  mine, eye_4: ")
    assert last[2].startswith("  mine, eye_5: ")
    assert last[3] == "report: results/mine/report/index.html"
    assert last[4].startswith("To do: mend the files and run again")


def test_the_rest_goes_through_to_the_report_which_lists_them(project, done):
    root = project.folder / "results" / "mine"
    page = (root / "report" / "index.html").read_text()
    assert "eye_4" in page
    assert "eye_5" in page
    images = pd.read_parquet(root / "raw" / "images.parquet").set_index("image_id")
    assert images.loc[["eye_4", "eye_5"], "split"].tolist() == ["rejected", "rejected"]
    assert images.loc["unseen", "split"] == "predict"
    assert (root / "probability" / "unet" / "mean" / "unseen.zarr" / "0").exists()
    assert not (root / "normalized" / "eye_4.zarr").exists()
    assert not (root / "normalized" / "unseen.zarr" / "truth").exists()


def test_a_rejected_image_is_tried_again_as_soon_as_its_file_changes(project, done):
    assert "raw_image" not in project.wants()
    phantom = fundus_phantom(4, size=128, seed=3)
    Image.fromarray(phantom.image).save(project.folder / "eyes" / "pics" / "eye 4.jpg", quality=95)
    assert "raw_image" in project.wants()
