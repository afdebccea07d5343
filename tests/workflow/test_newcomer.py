"""Newcomer's run: glands cover most of each picture, few patches can be drawn, and the model is none; everybody is told.

``check`` says it before, then the terminal at the end of the run, the folder of the model, and the top of the report.
"""

import json
import re
import subprocess
import sys

import pytest

from tests.scenes.glands import FOREGROUND, PICTURES, gland_mask, write_glands
from tests.workflow.project import STORAGE, copy_of_project

TOTAL = 300
RANDOM = "the encoder resnet18 starts from random weights"
OWN = {
    "normalized": {"stain": {"method": "none"}, "strip_rows": 64, "strip_columns": 256, "storage": STORAGE},
    "index": {"samplings": {"balanced": {"patch": 96, "total": TOTAL}}},
    "model": {
        "models": {
            "unet": {
                "encoder": "resnet18",
                "epochs": 1,
                "batch_size": 4,
                "patches_per_epoch": 8,
                "threads": 1,
            }
        }
    },
    "probability": {"fusions": ["mean"], "threads": 1, "storage": {"chunk": 64, "shard": 128}},
    "segmentation": {"storage": STORAGE},
    "report": {"images": 1, "picture_side": 128},
}

pytestmark = pytest.mark.slow  # a whole run of the workflow of its own


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    project = copy_of_project(tmp_path_factory.mktemp("newcomer"))
    write_glands(project.folder)
    project.configure(
        {"manifest": "glands.yaml", "datasets": ["glands"], **OWN}
    )  # no overrides: as a newcomer writes it
    return project


@pytest.fixture(scope="module")
def checked(project):
    command = [sys.executable, "-m", "pipeline.cli", "check", "--deep", "--configfile", "tiny.config.yaml"]
    options = {"cwd": project.folder, "env": project.environment, "capture_output": True, "text": True}
    return subprocess.run(command, check=False, **options)


@pytest.fixture(scope="module")
def done(project, checked):
    return project.snakemake("-j2", "all")


@pytest.fixture(scope="module")
def results(project, done):
    assert done.returncode == 0, (done.stdout + done.stderr)[-5000:]
    return project.folder / "results" / "glands"


def test_glands_are_the_larger_part_of_each_picture():
    shares = [(gland_mask(number) > 0).mean() for number in range(PICTURES)]
    assert all(abs(share - FOREGROUND) < 0.01 for share in shares)


def test_check_foresaw_what_was_drawn(checked, done):
    assert checked.returncode == 0, checked.stdout + checked.stderr
    foreseen = re.search(rf"sampling balanced: (?:about )?(\d+) of {TOTAL} patches", checked.stdout)
    drawn = re.search(rf"sampling balanced: (\d+) drawn of {TOTAL} patches asked for", done.stdout + done.stderr)
    assert int(foreseen[1]) == pytest.approx(int(drawn[1]), rel=0.25)
    assert "To do: Ask for fewer" in checked.stdout
    assert RANDOM in checked.stdout


def test_the_terminal_ends_with_the_trivial_answer_and_what_is_wrong(done, results):
    text = done.stdout + done.stderr
    assert re.search(r"glands: Dice of .*all marked", text)
    assert f"drawn of {TOTAL} patches asked for" in text
    assert "unet is no better than a trivial answer" in text
    assert RANDOM in text


def test_the_folder_of_the_model_and_the_page_say_so_too(results):
    model = results / "model" / "unet"
    card = json.dumps(json.loads((model / "card.json").read_text())["warnings"])
    measures = (model / "measures.mean.json").read_text()
    page = (results / "report" / "index.html").read_text()
    assert f"of {TOTAL} training patches asked for" in card
    assert "no better than a trivial answer" in measures
    top = page[: page.index('<section id="images">')]  # with the first screen, and what is warned under it
    assert f"of {TOTAL} patches asked for" in top
    assert RANDOM in card
    assert RANDOM in top
    assert "no better than a trivial answer" in top
