"""Expected patches before a run are those that the run draws; those of a few images are as many times more."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from PIL import Image

from pipeline.config.run import merge, plan_run
from pipeline.config.yaml_file import load_yaml
from pipeline.index.candidates import write_candidates
from pipeline.index.expected import drawn_patches, expected_patches
from pipeline.index.summary import patches_asked
from pipeline.index.table import Inputs, write_index
from pipeline.normalized.fundus.image import normalise_fundus
from pipeline.raw.datasets.listing import images_of_run
from pipeline.raw.phantom.fundus import fundus_phantom
from pipeline.stores import table_metadata, write_table
from pipeline.stores.job import job_of

PROJECT = Path(__file__).parents[2]
CODES = ("EX", "OD")
RECORD = {
    "title": "Mine",
    "adaptor": "folder",
    "root": ".",
    "modality": "fundus",
    "task": "multilabel",
    "classes": [{"code": code, "name": code} for code in CODES],
    "folder": {"images": "{image}.png", "masks": {code: f"masks/{{image}}_{code}.png" for code in CODES}},
}
SAMPLINGS = {
    "guided": {"patch": 32, "total": 60, "jitter": 8, "background_share": 0.2, "most_per_component": 1},
    "balanced": {
        "strategy": "balanced",
        "patch": 32,
        "total": 200,
        "negatives": "anywhere",
        "soft": True,
        "positive_distance": 24,
        "structure_power": 0.0,
    },
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("eyes")
    (folder / "masks").mkdir()
    for number in range(4):
        phantom = fundus_phantom(number, size=128, seed=3)
        Image.fromarray(phantom.image).save(folder / f"eye{number}.png")
        for code in CODES:
            Image.fromarray(phantom.masks[code]).save(folder / "masks" / f"eye{number}_{code}.png")
    (folder / "mine.yaml").write_text(yaml.safe_dump({"datasets": {"mine": RECORD}}))
    return folder


@pytest.fixture(scope="module")
def run(folder):
    mine = {"manifest": str(folder / "mine.yaml"), "datasets": ["mine"], "index": {"samplings": SAMPLINGS}}
    tree = merge(load_yaml(PROJECT / "stages" / "config.yaml"), mine)
    return plan_run(tree, shipped_manifest=PROJECT / "datasets_manifest.yaml")[1][0]


@pytest.fixture(scope="module")
def indexes(run, tmp_path_factory):
    """Indexes of a run: every image normalised as the stage does it, and drawn from."""
    folder, stores, candidates = tmp_path_factory.mktemp("run"), {}, {}
    job = job_of("normalized", config={"record": run.record.model_dump(mode="json"), "seed": 0}, code="")
    for entry in images_of_run(run):
        name = entry.image_id
        stores[name] = folder / "normalized" / f"{name}.zarr"
        normalise_fundus(entry, config=run.config.normalized, job=job, output=stores[name])
        candidates[name] = folder / "index" / "candidates" / f"{name}.parquet"
        write_candidates(stores[name], output=candidates[name], provenance=job.provenance)
    rows = [
        {
            "image_id": name,
            "group_id": name,
            "split": "train",
            "fold": -1,
            "rejected": "",
            "pixels_EX": 1,
            "pixels_OD": 1,
        }
        for name in stores
    ]
    write_table(pd.DataFrame(rows), folder / "images.parquet", provenance={})
    for name, sampling in run.config.index.samplings.items():
        output = folder / "index" / f"{name}.parquet"
        inputs = Inputs(folder / "images.parquet", candidates, stores)
        write_index(inputs, dataset=run.entry, sampling=sampling, job=job, output=output)
    return folder / "index"


def test_of_all_training_images_as_many_are_expected_as_are_drawn(run, indexes, tmp_path):
    entries = images_of_run(run)
    found = expected_patches(run, entries, of=len(entries), folder=tmp_path)
    drawn = {name: patches_asked(table_metadata(indexes / f"{name}.parquet")) for name in SAMPLINGS}
    assert {name: (each.drawn, each.asked) for name, each in found.items()} == drawn
    assert all(each.drawn < each.asked and not each.about for each in found.values())


def test_what_goes_by_pixels_or_by_a_list_is_an_estimate(run, tmp_path):
    entries, structured = images_of_run(run)[:1], SAMPLINGS["balanced"] | {"structure_power": 1.0}
    listed = SAMPLINGS["guided"] | {"hard_negatives": {"table": "hard.parquet"}}
    samplings = {"plain": SAMPLINGS["guided"], "structured": structured, "listed": listed}
    index = run.config.index.model_validate(
        {"samplings": {name: {"strategy": "guided"} | each for name, each in samplings.items()}}
    )
    changed = replace(run, config=run.config.model_copy(update={"index": index}))
    found = expected_patches(changed, entries, of=1, folder=tmp_path)
    assert {name: each.about for name, each in found.items()} == {"plain": False, "structured": True, "listed": True}


def test_of_a_few_images_they_are_estimated_within_a_factor_of_two(run, indexes, tmp_path):
    entries = images_of_run(run)
    found = expected_patches(run, entries[:2], of=len(entries), folder=tmp_path)
    for name, each in found.items():
        drawn, _ = patches_asked(table_metadata(indexes / f"{name}.parquet"))
        assert (each.images, each.of) == (2, 4)
        assert drawn / 2 < each.drawn < 2 * drawn


def test_an_index_that_was_drawn_otherwise_says_nothing(run, indexes):
    assert drawn_patches(indexes / "guided.parquet", run, "guided") is None  # its record is not that of a run
    assert drawn_patches(indexes / "none.parquet", run, "guided") is None


def test_a_sampling_that_can_draw_nothing_says_why(run, folder, tmp_path):
    blank = folder / "blank.tif"
    Image.fromarray(np.zeros((128, 128), np.uint8)).save(blank)
    entries = [replace(each, masks=tuple((code, blank) for code in CODES)) for each in images_of_run(run)]
    found = expected_patches(run, entries, of=len(entries), folder=tmp_path)
    assert {name: each.drawn for name, each in found.items()} == dict.fromkeys(SAMPLINGS, 0)
    assert "no lesion" in found["guided"].notes[0]
