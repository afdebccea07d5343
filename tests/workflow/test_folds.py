"""Folds and their ensemble through the whole way: no threshold and no score is of an image that the model has seen."""

import json
import re

import pandas as pd
import pytest

from pipeline.config.run import merge
from pipeline.stores import table_metadata
from tests.workflow.project import FUNDUS, Project, copy_of_project

WIDE = {"wide": {**FUNDUS["model"]["models"]["unet"], "downsample": 2}}
BOTH = {"both": {"members": ["unet", "wide"], "weights": {"MA": [1, 0]}}}
FOLDS = merge(
    FUNDUS,
    {
        "model": {
            "folds": 2,
            "models": WIDE,
            "ensembles": BOTH,
        },
        "probability": {"fusions": ["gaussian"], "splits": ["validation", "test"]},
    },
)

pytestmark = pytest.mark.slow  # a whole run of the workflow of its own


@pytest.fixture(scope="module")
def folds(tmp_path_factory) -> Project:
    """A finished run with two folds."""
    project = copy_of_project(tmp_path_factory.mktemp("folds"))
    project.configure(FOLDS)
    done = project.snakemake("-j2", "all")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-6000:]
    return project


def test_thresholds_and_scores_are_of_images_that_a_model_has_not_seen(folds):
    root = folds.folder / "results" / "tiny"
    images = pd.read_parquet(root / "raw" / "images.parquet").astype({"image_id": str, "split": str})
    learned = images[images["split"].isin(["train", "validation"])]
    fold = {number: set(learned.loc[learned["fold"] == number, "image_id"]) for number in (0, 1)}
    assert all(fold.values())

    def used(model):
        content = json.loads((root / "segmentation" / model / "gaussian" / "thresholds.json").read_text())
        return set(content["provenance"]["inputs"])

    def measured(model, split):
        table = pd.read_parquet(root / "report" / f"{model}.gaussian.images.parquet").astype(str)
        return set(table.loc[table["split"] == split, "image_id"])

    members = ("unet.fold0", "unet.fold1")
    first, second = ({f"{name}/{image}" for image in fold[at]} for at, name in enumerate(members))
    assert (*map(used, members), used("unet")) == (first, second, first | second)
    assert tuple(measured(name, "validation") for name in members) == (fold[0], fold[1])
    # An ensemble of folds is measured out of fold: each image once, with the values of the member that held it out.
    for model, by in (("unet", members), ("both", ("both.fold0", "both.fold1"))):
        assert measured(model, "validation") == fold[0] | fold[1]
        texts = ("split", "image_id", "group_id", "class_code", "grid", "fusion")
        ensemble, *parts = (
            pd.read_parquet(root / "report" / f"{name}.gaussian.images.parquet").astype(dict.fromkeys(texts, str))
            for name in (model, *by)
        )
        own = ensemble[ensemble["split"] == "validation"].drop(columns="model")
        other = pd.concat([each[each["split"] == "validation"] for each in parts]).drop(columns="model")
        places = ["grid", "image_id", "class_code"]
        assert not own.duplicated(places).any()
        pd.testing.assert_frame_equal(*(each.sort_values(places).reset_index(drop=True) for each in (own, other)))
    for at in (0, 1):
        index = pd.read_parquet(root / "index" / f"guided.fold{at}.parquet").astype({"split": str, "image_id": str})
        by_split = index.groupby("split")["image_id"].unique().map(set)
        assert (by_split["train"], by_split["validation"]) == (fold[1 - at], fold[at])
    test = set(images.loc[images["split"] == "test", "image_id"])
    assert all(measured(model, "test") == test for model in (*members, "unet"))


def test_thresholds_of_an_ensemble_of_models_come_from_the_ensembles_of_the_folds(folds):
    """A member that weighs nothing in a class says nothing there, so no map of a single member is used."""
    root = folds.folder / "results" / "tiny"
    content = json.loads((root / "segmentation" / "both" / "gaussian" / "thresholds.json").read_text())
    images = pd.read_parquet(root / "raw" / "images.parquet").astype({"image_id": str, "split": str})
    learned = images[images["split"].isin(["train", "validation"])]
    expected = {f"both.fold{fold}/{image}" for image, fold in zip(learned["image_id"], learned["fold"], strict=True)}
    assert set(content["provenance"]["inputs"]) == expected
    record = json.loads((root / "model" / "both" / "ensemble.json").read_text())
    assert [each["name"] for each in record["members"]] == ["unet.fold0", "wide.fold0", "unet.fold1", "wide.fold1"]


def test_the_page_names_the_ensemble_and_its_members(folds):
    page = (folds.folder / "results" / "tiny" / "report" / "index.html").read_text()
    assert "mean of the probabilities of unet.fold0, unet.fold1" in page
    assert "unet / gaussian" in page
    assert re.search(r"thresholds were fitted on the maps of the members that had not seen an image", page)
    assert (
        "unet / gaussian on the validation (out of fold) images" in page
        or "both / gaussian on the validation (out of fold)" in page
    )
    assert "Classes, validation (out of fold) images" in page


def test_hard_negatives_come_from_maps_of_members_that_had_not_seen_the_image(folds):
    root = folds.folder / "results" / "tiny"
    target = "results/tiny/segmentation/both/gaussian/hard_negatives.parquet"
    done = folds.snakemake("-j2", target)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-6000:]
    images = pd.read_parquet(root / "raw" / "images.parquet").astype({"image_id": str, "split": str})
    learned = images[images["split"].isin(["train", "validation"])]
    notes = table_metadata(root / "segmentation" / "both" / "gaussian" / "hard_negatives.parquet")["provenance"]
    expected = {f"both.fold{fold}/{image}" for image, fold in zip(learned["image_id"], learned["fold"], strict=True)}
    assert set(notes["inputs"]) == expected | {"thresholds"}


def test_a_member_that_changes_remakes_the_ensemble_and_not_the_other_member(folds):
    # One member alone can be changed where the folds are written out.
    unet = FOLDS["model"]["models"]["unet"]
    written_out = {f"unet.fold{at}": {**unet, "sampling": "guided", "fold": at} for at in (0, 1)}
    written_out["unet.fold0"]["learning_rate"] = 2.0e-3
    ensembles = {"unet": ["unet.fold0", "unet.fold1"], "both": None}
    models = {"unet": None, "wide": None, **written_out}
    model = {"folds": 0, "models": models, "ensembles": ensembles}
    folds.configure(merge(FOLDS, {"raw": {"folds": 2}, "model": model}))
    done = folds.snakemake("-n", "all")
    text = done.stdout + done.stderr
    assert {"unet.fold0", "unet"} == set(re.findall(r"(?:training|ensemble) ([\w.]+)$", text, re.MULTILINE))
    assert set(re.findall(r"probability maps of \w+ by ([\w.]+)", text)) == {"unet.fold0", "unet"}
