"""Experiments through the workflow: what is shared runs once, one more arm adds only itself, a killed run ends like another."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter

import pandas as pd
import pytest

from pipeline.config.run import merge
from tests.workflow.project import FUNDUS, TINY, Project, copy_of_project

COST = ["train_seconds", "train_memory_mb", "maps_seconds", "maps_memory_mb"]
STUDY = {"dataset": "tiny", "samplings": ["grid", "guided"], "fusions": ["none", "gaussian"]}
ARMS = merge(
    FUNDUS,
    {
        "index": {"samplings": {"grid": {"strategy": "grid", "patch": 64, "overlap": 0.0}}},
        "model": {"models": {"unet": {"steps": 4}}},
        "probability": {"splits": ["validation", "test"]},
        "experiments": {"study": STUDY},
    },
)


def with_study(**keys):
    return merge(ARMS, {"experiments": {"study": keys}})


def test_without_experiments_the_target_says_how_to_get_them(finished):
    code, text = finished.dry_run("experiments")
    assert code != 0
    assert "lists no experiments" in text


def test_further_arms_are_models_and_fusions_of_the_run_that_is_there(finished):
    try:
        finished.configure(
            merge(TINY, {"experiments": {"study": {**STUDY, "samplings": [], "networks": ["unet", "fpn"]}}})
        )
        jobs = Counter(rule for rule, _ in finished.jobs("experiments"))
    finally:
        finished.configure(TINY)
    # One training, one pass for both fusions over each measured image; nothing of the model that was there is made again.
    assert jobs["model_fit"] == 1
    images = jobs["probability_image_gaussian_none"]
    assert (jobs["segmentation_image"], jobs["report_metrics"], jobs["segmentation_thresholds"]) == (2 * images, 2, 2)
    assert set(jobs) == {
        *("model_fit", "probability_image_gaussian_none", "segmentation_thresholds", "segmentation_image"),
        *("report_metrics", "experiments_charts", "experiments_page"),
    }


def tables(project: Project) -> dict[str, pd.DataFrame]:
    folder = project.folder / "results" / "experiments"
    names = ("results", "measures", "differences", "image_differences")
    found = {name: pd.read_parquet(folder / f"{name}.parquet") for name in names}
    for name, each in found.items():
        assert len(pd.read_csv(folder / f"{name}.csv")) == len(each)
    return found | {"results": found["results"].drop(columns=COST)}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory) -> Project:
    """A finished experiment."""
    project = copy_of_project(tmp_path_factory.mktemp("experiments"))
    project.configure(ARMS)
    done = project.snakemake("-j2", "experiments")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-6000:]
    return project


@pytest.mark.slow
def test_the_tables_hold_each_arm_and_the_page_says_what_they_can_say(undisturbed):
    found = tables(undisturbed)
    assert set(found["results"]["arm"]) == {"grid / none", "grid / gaussian", "guided / none", "guided / gaussian"}
    assert not found["results"].duplicated(["arm", "split"]).any()
    assert set(found["differences"]["arm"]) == set(found["results"]["arm"]) - {"grid / none"}
    page = (undisturbed.folder / "results" / "experiments" / "index.html").read_text()
    assert "same number of steps: 4" in page
    assert "below 10 groups there is no interval" in page
    assert "One training an arm" in page
    # A chart names the format that it is written in; nothing is fetched from there.
    assert "http" not in page.replace("http-equiv", "").replace('"https://vega.github.io/schema/', "")
    for name in page.split('src="')[1:]:
        assert (undisturbed.folder / "results" / "experiments" / name.split('"')[0]).is_file()


@pytest.mark.slow
def test_one_more_arm_computes_only_that_arm(undisturbed):
    assert not undisturbed.jobs("experiments")
    undisturbed.configure(with_study(networks=["unet", "fpn"], design="one_at_a_time"))
    try:
        jobs = Counter(rule for rule, _ in undisturbed.jobs("experiments"))
    finally:
        undisturbed.configure(ARMS)
    assert (jobs["model_fit"], jobs["experiments_page"]) == (1, 1)
    assert not {"raw_image", "normalized_image", "index_sampling", "index_candidates"} & set(jobs)
    # The base arm asks for no overlap: its own fusion is segmented and measured, though maps of both come of one pass.
    assert jobs["report_metrics"] == 1


@pytest.mark.slow
def test_an_experiment_that_was_killed_and_continued_equals_an_undisturbed_one(undisturbed, tmp_path):
    project = copy_of_project(tmp_path / "killed")
    project.configure(ARMS)
    for there in ("unet", "report"):  # killed in the second training, and again while arms are measured
        _killed_once(project, there)
        assert project.snakemake("--unlock").returncode == 0
    done = project.snakemake("-j2", "--rerun-incomplete", "experiments")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-6000:]
    for name, expected in tables(undisturbed).items():
        pd.testing.assert_frame_equal(tables(project)[name], expected)


def _killed_once(project: Project, there: str) -> None:
    """A run killed, with all its jobs, as soon as a model or a table of measures is there."""
    results = project.folder / "results" / "tiny"
    awaited = results / ("model/unet/card.json" if there == "unet" else "report")
    command = [sys.executable, "-m", "snakemake", "-s", str(project.folder / "Snakefile"), "-j2"]
    options = ["--configfile", "tiny.config.yaml", "--rerun-incomplete", "experiments"]
    with subprocess.Popen(
        [*command, *options],
        cwd=project.folder,
        env=project.environment,
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as run:
        while run.poll() is None and not (awaited.is_file() or any(awaited.glob("*.images.parquet"))):
            time.sleep(0.05)
        assert run.poll() is None, "the run ended before it could be killed"
        os.killpg(run.pid, signal.SIGKILL)
