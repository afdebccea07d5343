"""Splits before a run are those of the run where the classes of the images are known, and nearly those elsewhere."""

import os
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from PIL import Image

from pipeline.cli import main
from pipeline.cli.check_splits import expected_splits
from pipeline.config import depends
from pipeline.config.run import plan_run
from pipeline.config.yaml_file import load_yaml
from pipeline.raw.datasets.changed_files import ImageInputs
from pipeline.raw.datasets.headers import images_to_look_at, sample_sheet
from pipeline.raw.datasets.listing import images_of_run
from pipeline.raw.facts import write_fact_sheet
from pipeline.raw.splits.assign import assign_splits
from pipeline.raw.table import write_images
from pipeline.runtime.input_records import record_reading
from pipeline.stores.job import Job
from pipeline.stores.provenance import Provenance
from tests.cli.wrong import RECORD

PROJECT = Path(__file__).parents[2]
SHIPPED = load_yaml(PROJECT / "stages" / "config.yaml")
HOLDS = {f"i{at:02}": (at % 3 == 0, at % 4 == 1) for at in range(12)}
"""Image → whether it holds each of both classes."""
CODES = ("EX", "MA")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, holds in HOLDS.items():
        Image.fromarray(np.zeros((40, 60, 3), np.uint8)).save(tmp_path / f"{name}.png")
        for code, there in zip(CODES, holds, strict=True):
            mask = np.zeros((40, 60), np.uint8)
            mask[10:14, 20:26] = 255 * there
            Image.fromarray(mask).save(tmp_path / f"{name}_{code}.tif")
    record = RECORD | {"task": "multilabel", "classes": [{"code": code, "name": code} for code in CODES]}
    record["folder"] = {"images": "{image}.png", "masks": {code: f"{{image}}_{code}.tif" for code in CODES}}
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump({"datasets": {"mine": record}}))
    return tmp_path


@pytest.fixture
def run(folder):
    mine = {"manifest": "mine.yaml", "datasets": ["mine"]}
    return plan_run(SHIPPED, mine, shipped_manifest=PROJECT / "datasets_manifest.yaml")[1][0]


def with_seed(run, seed):
    return replace(run, config=run.config.model_copy(update={"seed": seed}))


def splits_of_the_run(run):
    """Splits by the classes that are known to be there."""
    facts = {"centre": "", "official_test": False, "annotated": True, "rejected": ""}
    rows = [
        {"image_id": name, "group_id": name, **facts, "pixels_EX": 24 * first, "pixels_MA": 24 * second}
        for name, (first, second) in HOLDS.items()
    ]
    found = assign_splits(pd.DataFrame(rows), codes=CODES, config=run.config.raw, seed=run.config.seed)
    return dict(zip(found["image_id"], found["split"], strict=True))


def stage_raw(run, folder):
    """Fact sheets, records of input files and the table, as the jobs of a run write them."""
    sheets = []
    for entry in images_of_run(run):
        inputs = ImageInputs(entry, results=folder / "results", dataset="mine")
        sheets.append(folder / "results" / "mine" / "raw" / f"{entry.image_id}.json")
        states = write_fact_sheet(entry, job=Job(run.record, Provenance("raw", {}, "0")), output=sheets[-1])
        record_reading(states, inputs.record, said=inputs.reading())
    job = Job(run.record, Provenance("raw", depends.raw_images(run), "0", seed=run.config.seed))
    write_images(sheets, dataset="mine", config=run.config.raw, job=job, output=sheets[0].with_name("images.parquet"))


def test_splits_are_those_of_the_run_where_all_truth_was_decoded(run, folder):
    entries, differ = images_of_run(run), 0
    sheets = [sample_sheet(entry, record=run.record) for entry in entries]
    for seed in range(8):
        run = with_seed(run, seed)
        found = expected_splits(run, entries, sheets, results=folder / "results")
        assert (dict(found.splits), found.exact) == (splits_of_the_run(run), True)
        few = expected_splits(run, entries, sheets[:5], results=folder / "results")
        assert not few.exact
        differ += few.splits != found.splits
    assert differ  # else this test could not tell them apart


def test_splits_are_those_of_the_run_where_stage_raw_read_these_files(run, folder):
    stage_raw(run, folder)
    entries = images_of_run(run)
    for seed in range(4):  # the table holds what images are, and not only how they were split
        run = with_seed(run, seed)
        found = expected_splits(run, entries, [], results=folder / "results")
        assert (dict(found.splits), found.exact) == (splits_of_the_run(run), True)
    os.utime(folder / "i03_EX.tif", (1, 1))
    assert not expected_splits(run, entries, [], results=folder / "results").exact


def test_an_image_that_stage_raw_left_out_is_named_though_its_truth_is_not_in_the_sample(run, folder, capsys):
    sampled = {entry.image_id for entry in images_to_look_at(images_of_run(run), deep=False)}
    image = next(name for name in HOLDS if name not in sampled)
    mask = np.repeat(np.array([0, 60, 120, 180], np.uint8), 15)[None].repeat(40, 0)
    Image.fromarray(mask).save(folder / f"{image}_EX.tif")
    arguments = ["check", "--config", "manifest=mine.yaml", "datasets=[mine]", "results=results"]
    assert main(arguments) == 0
    assert f"would be left out: mine/{image}" not in capsys.readouterr().out
    stage_raw(run, folder)
    assert main(arguments) == 1
    said = capsys.readouterr().out
    assert said.count(f"would be left out: mine/{image}") == 1
    assert "1 image would be left out" in said


def test_an_image_that_is_known_to_be_left_out_is_no_training_image(run, folder):
    entries = images_of_run(run)
    whole = expected_splits(run, entries, [], results=folder / "results")
    image = next(name for name, split in whole.splits.items() if split == "train")
    sheets = [{"image_id": image, "rejected": "Broken."}]
    for found in (
        expected_splits(run, entries, sheets, results=folder / "results"),
        expected_splits(run, entries, [], results=folder / "results", unfit=frozenset({image})),
    ):
        assert (found.exact, found.splits[image]) == (False, "rejected")
        assert sum(split == "rejected" for split in found.splits.values()) == 1


def test_what_is_nearly_known_is_said_to_be_so(folder, capsys):
    arguments = ["check", "--config", "manifest=mine.yaml", "datasets=[mine]"]
    arguments.append("index={samplings: {guided: {patch: 32, total: 12, jitter: 4, background_share: 0.0}}}")
    assert main(arguments) == 0
    text = capsys.readouterr().out
    assert re.search(r"splits +│ about \d+ train", text)
    assert "sampling guided: about " in text
    assert main([*arguments, "--deep"]) == 0
    text = capsys.readouterr().out
    assert re.search(r"splits +│ \d+ train", text)
    assert "sampling guided: 12 of 12 patches, drawn from the truth of all" in text
    assert "sampling guided: about " not in text
