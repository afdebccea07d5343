"""A changed parameter reruns what it touches, and nothing else: a table of dry runs after a finished run.

Two data sets are in the configuration, of both worlds and with other fusions: for each change the rules of each.
"""

import base64
import copy
import os
import re

import pandas as pd
import pytest
import yaml

from pipeline.config.run import merge
from pipeline.stores import table_metadata
from pipeline.stores.provenance import file_digest
from tests.workflow.project import MANIFEST, TINY, copy_with_results

# Which images are usable, and their splits, is known only once they were read: where the table of images itself is to
# be made again, a dry run knows the rules that lead to it and those whose number does not depend on it.
RAW = {"raw_image", "raw_images"}
INDEX = {"index_candidates", "index_sampling"}
MODEL = {"model_fit", "model_hardest"}
PROBABILITY = {"probability_image_gaussian_none"}
SEGMENTATION = {"segmentation_thresholds", "segmentation_image", "segmentation_lesions"}
PAGE = {"report_page"}
WORST = {"report_worst"}
REPORT = {"report_metrics", "report_borders"} | WORST | PAGE
AFTER_MODEL = PROBABILITY | SEGMENTATION | REPORT
AFTER_INDEX = {"index_sampling"} | MODEL | AFTER_MODEL
AFTER_NORMALIZED = {"normalized_image"} | INDEX | MODEL | AFTER_MODEL
NOTHING: set[str] = set()


def pink(rules: set[str]) -> set[str]:
    """The same rules in the histology data set, which asks for another fusion."""
    return {"probability_image_max" if name in PROBABILITY else name for name in rules}


PARAMETERS = [
    # What, and the rules that run again: of the fundus set, of the histology set.
    ({"normalized": {"clahe": {"clip_limit": 3.0}}}, AFTER_NORMALIZED, PAGE),
    ({"normalized": {"gaussian": {"sigma": 3.0}}}, AFTER_NORMALIZED, PAGE),
    # Two values that swap: a set of values would not notice.
    ({"normalized": {"difference": {"omega": -4.0, "theta": 4.0}}}, AFTER_NORMALIZED, PAGE),
    ({"normalized": {"outside": "keep"}}, AFTER_NORMALIZED, PAGE),
    ({"normalized": {"stain": {"most_gain": 3.0}}}, PAGE, pink(AFTER_NORMALIZED)),
    # How much of an image is in memory at a time changes nothing in it.
    (
        {
            "normalized": {"strip_rows": 128, "strip_columns": 192},
            "overrides": {"pink": {"normalized": {"strip_columns": 64}}},
        },
        PAGE,
        PAGE,
    ),
    ({"index": {"samplings": {"guided": {"beta": 0.5}}}}, AFTER_INDEX, NOTHING),
    ({"index": {"samplings": {"guided": {"jitter": 8}}}}, AFTER_INDEX, NOTHING),
    ({"index": {"samplings": {"plain": {"strategy": "grid", "patch": 64}}}}, *[{"index_sampling"} | PAGE] * 2),
    ({"index": {"samplings": {"even": {"strategy": "balanced", "patch": 64}}}}, *[{"index_sampling"} | PAGE] * 2),
    ({"index": {"samplings": {"guided": {"most_per_image": 5}}}}, AFTER_INDEX, NOTHING),
    ({"model": {"models": {"unet": {"weight_decay": 2.0e-3}}}}, MODEL | AFTER_MODEL, pink(MODEL | AFTER_MODEL)),
    ({"model": {"models": {"unet": {"augmentation": {"noise": 0.1}}}}}, MODEL | AFTER_MODEL, NOTHING),
    # Another model and an ensemble of both: the model that is there is not trained again, nor are its maps made again.
    (
        {
            "overrides": {
                "tiny": {
                    "model": {
                        "models": {"other": {**TINY["model"]["models"]["unet"], "seed": 1}},
                        "ensembles": {"both": ["unet", "other"]},
                    }
                }
            }
        },
        # The page shows the hardest patches of the ensemble now, ranked from those of its members.
        MODEL | {"model_ensemble", "model_hardest_of_members"} | AFTER_MODEL,
        NOTHING,
    ),
    # One data set on gaussian and none, the other on max: the maps of each follow the change.
    ({"probability": {"overlap": 0.5}}, AFTER_MODEL, pink(AFTER_MODEL)),
    ({"overrides": {"pink": {"probability": {"overlap": 0.5}}}}, NOTHING, pink(AFTER_MODEL)),
    ({"overrides": {"tiny": {"probability": {"batch_size": 2}}}}, AFTER_MODEL, NOTHING),
    ({"probability": {"fuse": "logits"}}, AFTER_MODEL, pink(AFTER_MODEL)),
    ({"probability": {"views": "flips"}}, AFTER_MODEL, pink(AFTER_MODEL)),
    ({"probability": {"stored": "uint8"}}, AFTER_MODEL, pink(AFTER_MODEL)),
    # Who computes a map, and on how many threads, changes nothing in it; the page shows the configuration.
    ({"probability": {"workers": 2, "dask": {"scheduler": "tcp://127.0.0.1:1"}}}, PAGE, PAGE),
    # More images get maps; those that have some keep them, and what is measured stays what it was.
    (
        {"probability": {"splits": ["train", "validation", "test", "predict"]}},
        *(each({"segmentation_image", "segmentation_lesions"} | PROBABILITY | PAGE) for each in (set, pink)),
    ),
    ({"segmentation": {"threshold": 0.4}}, SEGMENTATION | REPORT, SEGMENTATION | REPORT),
    ({"segmentation": {"minimum_area": 3}}, SEGMENTATION | REPORT, SEGMENTATION | REPORT),
    ({"segmentation": {"hard_negative_margin": 3}}, PAGE, PAGE),  # the page shows the configuration
    ({"report": {"bootstrap": 50}}, *[REPORT - {"report_borders"}] * 2),
    ({"report": {"zoom": "worst 2"}}, *[WORST | PAGE] * 2),
    # How many processes read patches changes no weight.
    ({"model": {"models": {"unet": {"readers": 1}}}}, PAGE, PAGE),
]


@pytest.fixture
def project(finished):
    yield finished
    finished.configure(TINY)
    (finished.folder / "tiny.yaml").write_text(yaml.safe_dump(MANIFEST))


@pytest.mark.parametrize(("change", "tiny", "pink"), PARAMETERS, ids=[str(change) for change, *_ in PARAMETERS])
def test_a_changed_parameter_reruns_exactly_what_it_touches(project, change, tiny, pink):
    project.configure(merge(TINY, change))
    assert project.wants_of_each() == {"tiny": tiny, "pink": pink}


def test_a_page_made_again_makes_the_index_of_all_data_sets_again(project):
    project.configure(merge(TINY, {"report": {"picture_side": 100}}))
    assert project.wants() == PAGE | {"report_index", "complete"}


CHANGED = [
    ({"normalized": {"gaussian": {"sigma": 3.0}}}, "gaussian.sigma: 2.0", "gaussian.sigma: 3.0"),
    ({"probability": {"overlap": 0.5}}, "overlap: 0.25", "overlap: 0.5"),
    (
        {"index": {"samplings": {"guided": {"background_share": 0.5}}}},
        "sampling.background_share: 0.0",
        "sampling.background_share: 0.5",
    ),
    ({"model": {"models": {"unet": {"augmentation": {"brightness": 0.5}}}}}, "brightness: 0.15", "brightness: 0.5"),
    ({"overrides": {"pink": {"normalized": {"stain": {"percentile": 98.0}}}}}, "percentile: 99.0", "percentile: 98.0"),
]


@pytest.mark.parametrize(("change", "before", "now"), CHANGED, ids=[str(change) for change, *_ in CHANGED])
def test_the_reason_of_a_dry_run_holds_what_changed_before_and_now_and_is_short(project, change, before, now):
    project.configure(merge(TINY, change))
    _, text = project.dry_run("all")
    reasons = [line for line in text.splitlines() if "Params have changed" in line]
    assert reasons
    for reason in reasons:
        assert len(reason.strip()) <= 200, reason
        assert re.search(f"before: [^ ]*{re.escape(before)}.* now: [^ ]*{re.escape(now)}", reason), reason


HARD = "results/tiny/segmentation/unet/gaussian/hard_negatives.parquet"


HARDENED = {
    "index": {
        "samplings": {
            "hardened": {
                "strategy": "guided",
                "patch": 64,
                "total": 8,
                "background_share": 0.5,
                "hard_negatives": {"table": HARD},
            }
        }
    },
    "model": {"models": {"second": {**TINY["model"]["models"]["unet"], "sampling": "hardened"}}},
}


def test_a_second_round_asks_for_what_the_first_model_got_wrong(project):
    """The list is written on request alone, from maps that are made for it; a sampling that names it brings it about."""
    assert project.wants(HARD) == PROBABILITY | {"segmentation_hard_negatives"}
    project.configure(merge(TINY, {"overrides": {"tiny": HARDENED}}))
    first = PROBABILITY | {"segmentation_hard_negatives", "index_sampling"}
    assert project.wants_of("tiny") == first | MODEL | AFTER_MODEL


def test_a_model_whose_encoder_is_that_of_another_waits_for_the_other(project):
    unet, weights = TINY["model"]["models"]["unet"], "results/tiny/model/unet/weights.pt"
    second = {**unet, "encoder_weights": weights}
    models = {"unet": {"epochs": unet["epochs"] + 1}, "second": second}
    project.configure(merge(TINY, {"overrides": {"tiny": {"model": {"models": models}}}}))
    assert project.jobs("results/tiny/model/second") == [("model_fit", "tiny")] * 2


@pytest.mark.slow
def test_a_second_round_draws_from_what_the_first_model_got_wrong_in_training_images(finished, tmp_path):
    project = copy_with_results(finished, tmp_path / "second_round")
    project.configure(merge(TINY, {"overrides": {"tiny": HARDENED}}))
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
    wanted = project.wants_of("tiny")
    assert "raw_images" in wanted
    assert not wanted & {"raw_image", "normalized_image", "index_candidates"}


FACTS = [
    (
        "colour",
        lambda facts: facts["classes"][0].update(colour="cyan"),
        SEGMENTATION - {"segmentation_thresholds"} | REPORT,
    ),
    ("title", lambda facts: facts.update(title="Another title"), PAGE),
]


@pytest.mark.parametrize(("name", "change", "expected"), FACTS, ids=[name for name, *_ in FACTS])
def test_a_changed_fact_that_is_only_shown_reruns_what_shows_it(project, name, change, expected):
    manifest = copy.deepcopy(MANIFEST)
    change(manifest["datasets"]["tiny"])
    (project.folder / "tiny.yaml").write_text(yaml.safe_dump(manifest))
    assert project.wants_of_each() == {"tiny": expected, "pink": NOTHING}, name


def test_a_store_asked_for_alone_is_made_again_with_what_its_image_says_of_itself(project):
    """Its image is read again first; Snakemake would look at the store in the next run only."""
    manifest = copy.deepcopy(MANIFEST)
    manifest["datasets"]["tiny"]["pixel_size_um"] = 3.0
    (project.folder / "tiny.yaml").write_text(yaml.safe_dump(manifest))
    assert project.wants("results/tiny/normalized/tiny_01.zarr") == RAW | {"normalized_image"}


def test_a_changed_fact_of_the_images_reads_them_again(project):
    manifest = copy.deepcopy(MANIFEST)
    manifest["datasets"]["tiny"]["phantom"]["seed"] = 2
    (project.folder / "tiny.yaml").write_text(yaml.safe_dump(manifest))
    wanted = project.wants_of_each()
    assert wanted["tiny"] >= RAW
    assert wanted["pink"] == NOTHING


MODULES = [
    ("normalized/fundus/enhance.py", AFTER_NORMALIZED),
    ("index/sampling/positions.py", AFTER_INDEX),
    ("model/loss.py", MODEL | AFTER_MODEL),
    ("model/ensemble.py", AFTER_MODEL),
    ("model/held_out.py", SEGMENTATION | REPORT),
    ("probability/fusion/fuse.py", AFTER_MODEL),
    ("segmentation/polygons.py", {"segmentation_image", "segmentation_lesions"} | REPORT),
    ("report/measures/steps.py", REPORT),
    ("report/pictures/figures.py", PAGE),
    ("report/pictures/patch_map.py", PAGE),
]


@pytest.mark.parametrize(("module", "expected"), MODULES, ids=[module for module, _ in MODULES])
def test_a_changed_module_reruns_its_stage_and_what_follows(project, module, expected):
    path = project.folder / "pipeline" / module
    text = path.read_text()
    try:
        path.write_text(text + "\nCHANGED = 1\n")
        assert project.wants_of("tiny") == expected
    finally:
        path.write_text(text)


def test_a_changed_module_of_one_chain_reruns_nothing_of_the_other(project):
    path = project.folder / "pipeline" / "normalized" / "stain" / "transfer.py"
    text = path.read_text()
    try:
        path.write_text(text + "\nCHANGED = 1\n")
        wanted = project.wants_of_each()
        assert wanted["tiny"] == NOTHING
        assert wanted["pink"] >= {"normalized_stain", "normalized_image"}
    finally:
        path.write_text(text)


def test_a_data_set_less_hides_no_change_of_the_other(project):
    """What one data set asks for is in no output and no parameter of another: alone or together, the same jobs."""
    alone = {"datasets": ["tiny"], "probability": {"overlap": 0.5}}
    project.configure(merge(TINY, {"datasets": ["tiny"]}))
    assert project.wants_of("tiny") == NOTHING
    project.configure(merge(TINY, alone))
    assert project.wants_of("tiny") == AFTER_MODEL


SCRIPTS = [
    (
        "stages/3_model.py",
        "    config = smk.params.config",
        "    config = dict(smk.params.config)",
        MODEL | AFTER_MODEL,
    ),
    ("stages/3_model.py", "    config = smk.params.config", "    config = smk.params.config  # as it is", NOTHING),
    ("pipeline/config/colours.py", '"black"', '"purple": "#800080", "black"', NOTHING),
    ("pipeline/words.py", "return priority or codes", "return codes", REPORT),
]


@pytest.mark.parametrize(("path", "before", "now", "expected"), SCRIPTS, ids=[now.strip() for _, _, now, _ in SCRIPTS])
def test_the_code_of_a_stage_script_counts_by_its_meaning_and_not_by_its_date(project, path, before, now, expected):
    file = project.folder / path
    text = file.read_text()
    assert before in text
    try:
        file.write_text(text.replace(before, now))
        wanted = project.wants_of("tiny")
        assert wanted >= expected
        assert expected or wanted == NOTHING
    finally:
        file.write_text(text)


def test_a_fact_sheet_written_again_normalises_no_image(project):
    """It says who the patient is; the pixels come from the image file, which is an input of its own."""
    sheet = project.folder / "results" / "tiny" / "raw" / "tiny_01.json"
    found, content = sheet.stat(), sheet.read_bytes()
    try:
        sheet.write_bytes(content + b"\n")
        wanted = project.wants_of("tiny")
    finally:
        sheet.write_bytes(content)
        os.utime(sheet, ns=(found.st_atime_ns, found.st_mtime_ns))
    assert "raw_images" in wanted
    assert not wanted & {"normalized_image", "index_candidates"}


VALUE_FREE = [("runtime/threads.py", "3000", "2000"), ("stores/disk.py", "There is no space left", "No space is left")]


def test_what_changes_no_value_reruns_nothing(project):
    """A comment in any module that counts, and a number or a message in those that change no value."""
    library = project.folder / "pipeline"
    texts = {name: (library / name).read_text() for name in [*dict(MODULES), *(name for name, _, _ in VALUE_FREE)]}
    try:
        for name in dict(MODULES):
            (library / name).write_text(texts[name] + "\n# A comment changes no result.\n")
        for name, before, now in VALUE_FREE:
            assert before in texts[name]
            (library / name).write_text(texts[name].replace(before, now))
        assert project.wants() == NOTHING
    finally:
        for name, text in texts.items():
            (library / name).write_text(text)


def test_a_map_of_a_job_that_outlived_its_run_is_named_where_its_parameters_differ(finished, tmp_path):
    """Its note is missing, so Snakemake itself sees no changed parameter."""
    project = copy_with_results(finished, tmp_path / "orphan")
    maps = [f"results/tiny/probability/unet/{fusion}/tiny_04.zarr" for fusion in ("gaussian", "none")]
    for path in maps:
        name = base64.urlsafe_b64encode(path.encode()).decode()
        (project.folder / ".snakemake" / "metadata" / name).unlink()
    done = project.snakemake("-n", "all")
    assert "another working folder" in done.stderr
    assert "other parameters" not in done.stderr
    project.configure(merge(TINY, {"probability": {"overlap": 0.4}}))
    done = project.snakemake("-n", "all")
    assert "2 results were made with other parameters" in done.stderr
    assert f"rm -r {maps[0]} {maps[1]}" in done.stderr
