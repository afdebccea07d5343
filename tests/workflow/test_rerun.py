"""A changed parameter reruns what it touches, and nothing else: a table of dry runs after a finished run."""

import copy

import pandas as pd
import pytest
import yaml

from pipeline.config.run import merge
from pipeline.stores import table_metadata
from pipeline.stores.provenance import file_digest
from tests.workflow.conftest import MANIFEST, TINY, copy_with_results

# Which images are usable, and their splits, is known only once they were read: where the table of images itself is to
# be made again, a dry run knows the rules that lead to it and those whose number does not depend on it.
RAW = {"raw_image", "raw_images"}
INDEX = {"index_candidates", "index_sampling"}
MODEL = {"model_fit"}
PROBABILITY = {"probability_image_gaussian_none"}
SEGMENTATION = {"segmentation_thresholds", "segmentation_image", "segmentation_lesions"}
REPORT = {"report_metrics", "report_borders", "report_page", "report_index", "complete"}
AFTER_MODEL = PROBABILITY | SEGMENTATION | REPORT
AFTER_INDEX = {"index_sampling"} | MODEL | AFTER_MODEL
AFTER_NORMALIZED = {"normalized_image"} | INDEX | MODEL | AFTER_MODEL
PAGE = {"report_page", "report_index", "complete"}

PARAMETERS = [
    ({"normalized": {"clahe": {"clip_limit": 3.0}}}, AFTER_NORMALIZED),
    ({"normalized": {"gaussian": {"sigma": 3.0}}}, AFTER_NORMALIZED),
    # Two values that swap: a set of values would not notice.
    ({"normalized": {"difference": {"omega": -4.0, "theta": 4.0}}}, AFTER_NORMALIZED),
    ({"normalized": {"outside": "keep"}}, AFTER_NORMALIZED),
    ({"index": {"samplings": {"guided": {"beta": 0.5}}}}, AFTER_INDEX),
    ({"index": {"samplings": {"guided": {"jitter": 8}}}}, AFTER_INDEX),
    ({"index": {"samplings": {"plain": {"strategy": "grid", "patch": 64}}}}, {"index_sampling"} | PAGE),
    ({"index": {"samplings": {"even": {"strategy": "balanced", "patch": 64}}}}, {"index_sampling"} | PAGE),
    ({"index": {"samplings": {"guided": {"most_per_image": 5}}}}, AFTER_INDEX),
    ({"model": {"models": {"unet": {"learning_rate": 2.0e-3}}}}, MODEL | AFTER_MODEL),
    ({"model": {"models": {"unet": {"augmentation": {"noise": 0.1}}}}}, MODEL | AFTER_MODEL),
    # Another model and an ensemble of both: the model that is there is not trained again, nor are its maps made again.
    (
        {
            "model": {
                "models": {"other": {**TINY["model"]["models"]["unet"], "seed": 1}},
                "ensembles": {"both": ["unet", "other"]},
            }
        },
        MODEL | {"model_ensemble"} | AFTER_MODEL,
    ),
    ({"probability": {"overlap": 0.5}}, AFTER_MODEL),
    ({"probability": {"batch_size": 2}}, AFTER_MODEL),
    ({"probability": {"fuse": "logits"}}, AFTER_MODEL),
    ({"probability": {"views": "flips"}}, AFTER_MODEL),
    ({"probability": {"stored": "uint8"}}, AFTER_MODEL),
    # Who computes a map, and on how many threads, changes nothing in it; the page shows the configuration.
    ({"probability": {"workers": 2, "dask": {"scheduler": "tcp://127.0.0.1:1"}}}, PAGE),
    # More images get maps; those that have some keep them, and what is measured stays what it was.
    (
        {"probability": {"splits": ["train", "validation", "test", "predict"]}},
        PROBABILITY | {"segmentation_image", "segmentation_lesions"} | PAGE,
    ),
    ({"segmentation": {"threshold": 0.4}}, SEGMENTATION | REPORT),
    ({"segmentation": {"minimum_area": 3}}, {"segmentation_image", "segmentation_lesions"} | REPORT),
    ({"segmentation": {"fill_holes": False}}, {"segmentation_image", "segmentation_lesions"} | REPORT),
    ({"segmentation": {"hard_negative_margin": 3}}, PAGE),  # the page shows the configuration
    ({"report": {"picture_side": 100}}, PAGE),
    ({"report": {"bootstrap": 50}}, REPORT - {"report_borders"}),
    # How many processes read patches changes no weight.
    ({"model": {"models": {"unet": {"readers": 1}}}}, PAGE),
]


@pytest.fixture
def project(finished):
    yield finished
    finished.configure(TINY)
    (finished.folder / "tiny.yaml").write_text(yaml.safe_dump(MANIFEST))


@pytest.mark.parametrize(("change", "expected"), PARAMETERS, ids=[str(change) for change, _ in PARAMETERS])
def test_a_changed_parameter_reruns_exactly_what_it_touches(project, change, expected):
    project.configure(merge(TINY, change))
    assert project.wants() == expected


HARD = "results/tiny/segmentation/unet/gaussian/hard_negatives.parquet"


def test_a_second_round_draws_from_what_the_first_model_got_wrong_in_training_images(finished, tmp_path):
    """The list is written on request alone, from maps that are made for it; a sampling that names it brings it about."""
    project = copy_with_results(finished, tmp_path / "second_round")
    assert project.wants(target=HARD) == PROBABILITY | {"segmentation_hard_negatives"}
    hard = {"strategy": "guided", "patch": 64, "total": 8, "background_share": 0.5, "hard_negatives": {"table": HARD}}
    second = {"encoder": "resnet18", "epochs": 1, "batch_size": 4, "threads": 1, "sampling": "hardened"}
    change = {"index": {"samplings": {"hardened": hard}}, "model": {"models": {"second": second}}}
    project.configure(merge(TINY, change))
    first = PROBABILITY | {"segmentation_hard_negatives", "index_sampling"}
    assert project.wants() == first | MODEL | AFTER_MODEL
    done = project.snakemake("-j1", "results/tiny/index/hardened.parquet")
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    images = pd.read_parquet(project.folder / "results/tiny/raw/images.parquet").set_index("image_id")["split"]
    listed = pd.read_parquet(project.folder / HARD)
    assert set(images[listed["image_id"].unique()]) <= {"train"}
    inputs = table_metadata(project.folder / "results/tiny/index/hardened.parquet")["provenance"]["inputs"]
    assert inputs["hard_negatives"] == file_digest(project.folder / HARD)


@pytest.mark.parametrize("change", [{"validation_share": 0.4}, {"folds": 3}, {"holdout_centre": "A"}], ids=str)
def test_a_changed_split_makes_the_table_of_images_again(project, change):
    project.configure(merge(TINY, {"raw": change}))
    wanted = project.wants()
    assert "raw_images" in wanted
    assert not wanted & {"raw_image", "normalized_image", "index_candidates"}


def test_a_changed_colour_reruns_only_what_shows_it(project):
    manifest = copy.deepcopy(MANIFEST)
    manifest["datasets"]["tiny"]["classes"][0]["colour"] = "cyan"
    (project.folder / "tiny.yaml").write_text(yaml.safe_dump(manifest))
    assert project.wants() == {"segmentation_image", "segmentation_lesions"} | REPORT


def test_a_changed_title_reruns_only_the_page(project):
    manifest = copy.deepcopy(MANIFEST)
    manifest["datasets"]["tiny"]["title"] = "Another title"
    (project.folder / "tiny.yaml").write_text(yaml.safe_dump(manifest))
    assert project.wants() == PAGE


def test_a_changed_fact_of_the_images_reads_them_again(project):
    manifest = copy.deepcopy(MANIFEST)
    manifest["datasets"]["tiny"]["phantom"]["seed"] = 2
    (project.folder / "tiny.yaml").write_text(yaml.safe_dump(manifest))
    assert project.wants() >= RAW


MODULES = [
    ("normalized/fundus/enhance.py", AFTER_NORMALIZED),
    ("index/sampling/positions.py", AFTER_INDEX),
    ("model/loss.py", MODEL | AFTER_MODEL),
    ("model/ensemble.py", AFTER_MODEL),
    ("model/held_out.py", SEGMENTATION | REPORT),
    ("probability/fusion/fuse.py", AFTER_MODEL),
    ("segmentation/polygons.py", {"segmentation_image", "segmentation_lesions"} | REPORT),
    ("report/measures/steps.py", {"report_borders"} | PAGE),
    ("report/pictures/figures.py", PAGE),
    ("report/pictures/patch_map.py", PAGE),
]


@pytest.mark.parametrize(("module", "expected"), MODULES, ids=[module for module, _ in MODULES])
def test_a_changed_module_reruns_its_stage_and_what_follows(project, module, expected):
    path = project.folder / "pipeline" / module
    text = path.read_text()
    try:
        path.write_text(text + "\nCHANGED = 1\n")
        assert project.wants() == expected
        path.write_text(text + "\n# A comment changes no result.\n")
        assert project.wants() == set()
    finally:
        path.write_text(text)


def test_another_data_set_with_other_fusions_reruns_nothing_and_hides_no_change(project):
    """What one data set asks for is in no output and no parameter of another: its maps stay, and a change reruns them."""
    second = {**MANIFEST["datasets"]["tiny"], "phantom": {**MANIFEST["datasets"]["tiny"]["phantom"], "seed": 2}}
    (project.folder / "tiny.yaml").write_text(yaml.safe_dump({"datasets": {**MANIFEST["datasets"], "second": second}}))
    two = {"datasets": ["tiny", "second"], "overrides": {"second": {"probability": {"fusions": ["max"]}}}}
    page = "results/tiny/report/index.html"
    project.configure(merge(TINY, two))
    assert project.wants(target=page) == set()
    project.configure(merge(TINY, {**two, "probability": {"overlap": 0.5}}))
    assert project.wants(target=page) >= PROBABILITY


VALUE_FREE = [("runtime/threads.py", "3000", "2000"), ("stores/disk.py", "There is no space left", "No space is left")]


@pytest.mark.parametrize(("module", "before", "now"), VALUE_FREE, ids=[module for module, _, _ in VALUE_FREE])
def test_what_changes_no_value_reruns_nothing(project, module, before, now):
    path = project.folder / "pipeline" / module
    text = path.read_text()
    assert before in text
    try:
        path.write_text(text.replace(before, now))
        assert project.wants() == set()
    finally:
        path.write_text(text)
