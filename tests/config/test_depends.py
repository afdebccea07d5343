"""A result depends on what changes it and on nothing else: a table of changes, for two data sets in one configuration."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from pipeline.config import colours, depends
from pipeline.config.recorded import recorded_lines
from pipeline.config.run import DatasetRun, merge, plan_run

PROJECT = Path(__file__).parents[2]
CLASSES = [{"code": "MA", "name": "Microaneurysms"}, {"code": "OD", "name": "Optic disc", "kind": "anatomy"}]
MANIFEST = {
    "datasets": {
        "eyes": {
            "title": "Eyes",
            "adaptor": "phantom",
            "modality": "fundus",
            "task": "multiclass",
            "phantom": {"world": "fundus", "images": 5, "test": 1, "size": 128, "seed": 1},
            "classes": CLASSES,
        },
        "tissue": {
            "title": "Tissue",
            "adaptor": "phantom",
            "modality": "histology",
            "task": "binary",
            "phantom": {"world": "histology", "images": 5, "test": 1, "size": 160, "seed": 1},
            "classes": [{"code": "LESION", "name": "Lesion"}],
        },
    }
}
CONFIG = {
    "datasets": ["eyes", "tissue"],
    "model": {"models": {"unet": {}, "second": {"fold": 0}}, "ensembles": {"both": ["unet", "second"]}},
    "raw": {"folds": 2},
    "index": {"samplings": {"guided": {"strategy": "guided"}}},
    "recipes": {"histology": {"normalized": {"chain": "histology"}}},
}
ENTRY = {"image_id": "a", "annotated": True, "number": 3, "codes": ["MA"]}
RULES = {
    "raw_image": (ENTRY,),
    "raw_images": (),
    "normalized_stain": (ENTRY,),
    "normalized_target": (),
    "normalized_image": (ENTRY,),
    "index_candidates": (),
    "index_sampling": ("guided",),
    "model_fit": ("unet",),
    "model_hardest": (),
    "model_ensemble": ("both",),
    "probability_image": ("unet",),
    "segmentation_thresholds": ("unet",),
    "segmentation_image": ("unet",),
    "segmentation_hard_negatives": ("unet",),
    "report_metrics": ("unet",),
    "report_borders": ("unet",),
    "report_page": ({"a": 3},),
    "report_worst": ({"a": ENTRY},),
    "report_zoom": (ENTRY,),
}
NO_RULES = {"target_file", "hard_negatives_file", "weights_file", "measures_originals"}
PAGE, WORST = {"report_page"}, {"report_worst"}
ZOOM = {"report_zoom"} | WORST
IMAGES = {"normalized_image"} | PAGE
STAINS = {"normalized_stain", "normalized_image"} | PAGE
EVERY_RECORD = set(RULES) - {"normalized_target", "index_candidates"}
BEYOND_PIXELS = EVERY_RECORD - {"raw_image", "raw_images", "normalized_stain", "normalized_image"}
CHANGES = [
    # What, and the rules whose results change: of the fundus set, of the histology set.
    ({"seed": 5}, *[{"raw_images", "index_sampling", "model_fit", "report_metrics"} | PAGE] * 2),
    ({"raw": {"validation_share": 0.4}}, *[{"raw_images"} | PAGE] * 2),
    ({"normalized": {"clahe": {"clip_limit": 3.0}}}, IMAGES, PAGE),
    ({"normalized": {"gaussian": {"sigma": 3.0}}}, IMAGES, PAGE),
    ({"normalized": {"difference": {"omega": -4.0, "theta": 4.0}}}, IMAGES, PAGE),
    ({"normalized": {"outside": "keep"}}, IMAGES, PAGE),
    ({"normalized": {"field_of_view": "whole"}}, IMAGES, PAGE),
    ({"normalized": {"roi_holes": 0.0}}, PAGE, IMAGES),
    ({"normalized": {"workers": 3}}, PAGE, PAGE),
    ({"normalized": {"strip_rows": 4096, "strip_columns": 2048}}, PAGE, PAGE),
    ({"normalized": {"storage": {"level": 3}}}, IMAGES, IMAGES),
    ({"normalized": {"rescale": {"factor": 0.5}}}, {"normalized_stain"} | IMAGES | ZOOM, STAINS | ZOOM),
    ({"normalized": {"stain": {"sample": 2000}}}, {"normalized_stain"} | PAGE, STAINS),
    ({"normalized": {"stain": {"most_gain": 3.0}}}, PAGE, IMAGES),
    ({"normalized": {"stain": {"target": "median"}}}, *[{"normalized_target"} | PAGE, {"normalized_target"} | IMAGES]),
    ({"index": {"samplings": {"guided": {"jitter": 8}}}}, *[{"index_sampling"} | PAGE] * 2),
    (
        {
            "overrides": {
                "eyes": {"index": {"samplings": {"guided": {"most_share": {"OD": 0.05}, "shares": {"MA": 1.0}}}}}
            }
        },
        *[{"index_sampling"} | PAGE, set()],
    ),
    (
        {"index": {"samplings": {"guided": {"patch": 64}}}},
        *[{"index_sampling", "model_fit", "probability_image"} | PAGE] * 2,
    ),
    ({"index": {"samplings": {"plain": {"strategy": "grid", "patch": 64}}}}, PAGE, PAGE),
    ({"model": {"models": {"unet": {"learning_rate": 0.5}}}}, *[{"model_fit"} | PAGE] * 2),
    ({"model": {"models": {"unet": {"augmentation": [{"name": "scale"}]}}}}, *[{"model_fit"} | PAGE] * 2),
    ({"model": {"models": {"unet": {"class_weights": "index"}}}}, *[{"model_fit"} | PAGE] * 2),
    ({"model": {"models": {"unet": {"readers": 1, "reader_start": "spawn"}}}}, PAGE, PAGE),
    ({"model": {"models": {"second": {"learning_rate": 0.5}}}}, PAGE, PAGE),
    ({"model": {"models": {"third": {}}}}, ZOOM | PAGE, ZOOM | PAGE),
    ({"model": {"suspected_from": 0.95}}, *[{"model_hardest"} | PAGE] * 2),
    (
        {"model": {"models": {"unet": {"fold": 1}}}},
        *[
            {"model_fit", "segmentation_thresholds", "segmentation_hard_negatives", "report_metrics", "report_borders"}
            | PAGE
        ]
        * 2,
    ),
    ({"probability": {"overlap": 0.5}}, *[{"probability_image"} | PAGE] * 2),
    ({"probability": {"fusions": ["mean"]}}, *[{"probability_image"} | PAGE | ZOOM] * 2),
    ({"probability": {"workers": 2, "dask": {"scheduler": "tcp://127.0.0.1:1"}}}, PAGE, PAGE),
    ({"probability": {"splits": ["train", "validation", "test"]}}, PAGE, PAGE),
    ({"segmentation": {"threshold": 0.4}}, *[{"segmentation_thresholds"} | PAGE] * 2),
    ({"segmentation": {"fit_thresholds": False}}, *[{"segmentation_thresholds"} | PAGE] * 2),
    ({"segmentation": {"fill_holes": False}}, *[{"segmentation_thresholds", "segmentation_image"} | PAGE] * 2),
    (
        {"segmentation": {"minimum_area": 3}},
        *[{"segmentation_thresholds", "segmentation_image", "segmentation_hard_negatives"} | PAGE] * 2,
    ),
    (
        {"segmentation": {"smoothing_of": {"unet": {"method": "gaussian"}}}},
        *[{"segmentation_thresholds", "segmentation_image", "segmentation_hard_negatives"} | PAGE] * 2,
    ),
    ({"segmentation": {"smoothing_of": {"second": {"method": "gaussian"}}}}, *[PAGE] * 2),
    ({"segmentation": {"minimum_area_percentile": 9.0}}, *[{"segmentation_thresholds"} | PAGE] * 2),
    (
        {"segmentation": {"minimum_areas": "percentile"}},
        *[{"segmentation_thresholds", "segmentation_image", "segmentation_hard_negatives"} | PAGE] * 2,
    ),
    ({"segmentation": {"hard_negative_margin": 3}}, *[{"segmentation_hard_negatives"} | PAGE] * 2),
    ({"report": {"bootstrap": 50}}, *[{"report_metrics"} | PAGE] * 2),
    ({"report": {"surface_tolerance": "3 px"}}, *[{"report_metrics"} | PAGE] * 2),
    ({"report": {"picture_side": 100}}, PAGE, PAGE),
    ({"report": {"zoom": "worst 5"}}, WORST | PAGE, WORST | PAGE),
    # What one data set is told changes nothing of the other.
    ({"overrides": {"tissue": {"probability": {"fusions": ["max"]}}}}, set(), {"probability_image"} | PAGE | ZOOM),
    ({"overrides": {"eyes": {"normalized": {"clahe": {"apply": False}}}}}, IMAGES, set()),
    ({"roots": {"eyes": "elsewhere"}, "results": "elsewhere"}, set(), set()),
]


@pytest.fixture(scope="module")
def plan(tmp_path_factory):
    folder = tmp_path_factory.mktemp("depends")

    def planned(change=None, facts=None) -> dict[str, DatasetRun]:
        (folder / "manifest.yaml").write_text(yaml.safe_dump(merge(MANIFEST, {"datasets": {"eyes": facts or {}}})))
        tree = merge(CONFIG, change or {})
        _, runs = plan_run(
            {**tree, "manifest": str(folder / "manifest.yaml")}, shipped_manifest=PROJECT / "datasets_manifest.yaml"
        )
        return {run.entry: run for run in runs}

    return planned


def values(run: DatasetRun) -> dict[str, dict]:
    return {name: getattr(depends, name)(run, *arguments) for name, arguments in RULES.items()}


def changed(before: DatasetRun, after: DatasetRun) -> set[str]:
    old, new = values(before), values(after)
    differ = {name for name in RULES if old[name] != new[name]}
    assert differ == {
        name for name in RULES if set(recorded_lines(old[name], slots=400)) != set(recorded_lines(new[name], slots=400))
    }
    return differ


@pytest.mark.parametrize(("change", "eyes", "tissue"), CHANGES, ids=[str(change) for change, *_ in CHANGES])
def test_a_changed_value_changes_what_depends_on_it_in_each_data_set(plan, change, eyes, tissue):
    before, after = plan(), plan(change)
    assert changed(before["eyes"], after["eyes"]) == eyes
    assert changed(before["tissue"], after["tissue"]) == tissue


FACTS = [
    ({"title": "Other", "source": "https://example.org", "licence": "CC0"}, PAGE),
    ({"classes": [{**CLASSES[0], "colour": "cyan"}, CLASSES[1]]}, {"segmentation_image"} | PAGE | ZOOM),
    ({"classes": [{**CLASSES[0], "colour": "#FF0000"}, CLASSES[1]]}, set()),  # red, as it is
    ({"classes": [{**CLASSES[0], "name": "Dots"}, CLASSES[1]]}, {"segmentation_image"} | PAGE | ZOOM),
    ({"classes": [{**CLASSES[0], "kind": "anatomy"}, CLASSES[1]]}, BEYOND_PIXELS),
    ({"task": "multilabel"}, BEYOND_PIXELS),
    ({"priority": ["OD", "MA"]}, {"normalized_image"} | BEYOND_PIXELS),
    ({"priority": ["MA", "OD"]}, PAGE),  # as it is where nothing is said
    ({"classes": CLASSES[::-1]}, EVERY_RECORD | {"index_candidates"}),
    ({"pixel_size_um": 0.5}, EVERY_RECORD),
    ({"phantom": {"seed": 2}}, EVERY_RECORD),
]


@pytest.mark.parametrize(("facts", "expected"), FACTS, ids=[str(facts) for facts, _ in FACTS])
def test_a_changed_fact_changes_what_shows_it_or_is_computed_with_it(plan, facts, expected):
    before, after = plan(), plan(facts=facts)
    assert changed(before["eyes"], after["eyes"]) == expected
    assert changed(before["tissue"], after["tissue"]) == set()


def test_a_rescaled_data_set_is_measured_on_its_originals_too_but_no_slides(plan):
    assert not depends.measures_originals(plan()["eyes"])
    run = plan({"overrides": {"eyes": {"normalized": {"rescale": {"factor": 0.5}}}}})["eyes"]
    assert depends.measures_originals(run)
    slides = run.record.model_copy(update={"adaptor": "slide"})
    assert not depends.measures_originals(replace(run, record=slides))


def test_another_shade_of_a_named_colour_changes_what_shows_it(plan, monkeypatch):
    before = values(plan()["eyes"])
    monkeypatch.setitem(colours.COLOURS, "red", "#FE0000")
    after = values(plan()["eyes"])
    assert {name for name in RULES if before[name] != after[name]} == {"segmentation_image"} | PAGE | ZOOM


@pytest.mark.parametrize("option", [{"origin": "level0"}, {"unclassified": "MA"}])
def test_how_polygons_are_understood_changes_all_that_is_computed(plan, option):
    layout = {"images": "{image}.svs", "annotations": "{image}.geojson"}
    drawn = {"adaptor": "slide", "phantom": None, "root": "data", "slide": layout}
    before, after = plan(facts=drawn), plan(facts={**drawn, "slide": layout | option})
    assert changed(before["eyes"], after["eyes"]) == EVERY_RECORD


def test_where_files_are_found_changes_nothing_and_how_their_values_are_read_changes_all(plan):
    layout = {"images": "{image}.png", "label": "{image}_l.png", "values": {"MA": 1, "OD": 2}}
    found = {"adaptor": "folder", "phantom": None, "root": "data", "folder": layout}

    def after(**change):
        return changed(plan(facts=found)["eyes"], plan(facts={**found, "folder": layout | change})["eyes"])

    assert after(images="new/{image}.png", label="new/{image}.png", test="^b") == PAGE
    assert after(values={"MA": 2, "OD": 1}) == EVERY_RECORD
    assert after(reviewed="negative") == PAGE, "each image says whether it is annotated"
    assert after(negative="^healthy/") == PAGE


def test_names_of_polygons_change_all_that_is_computed_and_none_of_masks_do(plan):
    polygons = {
        "adaptor": "folder",
        "phantom": None,
        "root": "data",
        "folder": {"images": "{image}.png", "annotations": "{image}.xml"},
    }
    masks = {**polygons, "folder": {"images": "{image}.png", "masks": {"MA": "{image}_MA.png", "OD": "{image}_OD.png"}}}
    named = [CLASSES[0] | {"aliases": ["_0"]}, CLASSES[1]]

    def after(facts, **change):
        return changed(plan(facts=facts)["eyes"], plan(facts=facts | change)["eyes"])

    assert after(polygons, classes=named) == EVERY_RECORD - {"segmentation_image"} - ZOOM
    assert after(polygons, folder=polygons["folder"] | {"excluded": ["_2"]}) == EVERY_RECORD
    assert after(masks, classes=named) == after(masks, untried=True) == PAGE
    assert "aliases" not in depends.bare_record(plan(facts=masks)["eyes"])["classes"][0]


def test_a_correction_knows_the_names_of_classes_and_changes_nothing_of_other_images(plan):
    masks = {
        "adaptor": "folder",
        "phantom": None,
        "root": "data",
        "folder": {"images": "{image}.png", "masks": {"MA": "{image}_MA.png", "OD": "{image}_OD.png"}},
    }
    plain, named = plan(facts=masks)["eyes"], plan(facts=masks | {"corrections": "mine"})["eyes"]
    assert named.corrections is not None
    assert changed(plain, named) == set()
    assert plan({"corrections": {"eyes": "mine"}}, facts=masks)["eyes"].corrections == Path("mine")
    corrected = ENTRY | {"corrected": ["MA"]}
    for rule in (depends.raw_image, depends.normalized_image, depends.normalized_stain):
        assert [each["name"] for each in rule(named, ENTRY)["record"]["classes"]] == ["MA", "OD"]
        assert [each["name"] for each in rule(named, corrected)["record"]["classes"]] == [
            "Microaneurysms",
            "Optic disc",
        ]


def test_values_that_nobody_is_sure_of_change_all_that_is_computed(plan):
    layout = {"images": "{image}.jpg", "label": "{image}.png", "values": {"MA": 1, "OD": 2}}
    labelled = {"adaptor": "folder", "phantom": None, "root": "data", "folder": layout}
    before, after, other = (
        plan(facts={**labelled, "folder": layout | more}) for more in ({}, {"ignore": [255]}, {"ignore": [255, 254]})
    )
    assert changed(before["eyes"], after["eyes"]) == changed(after["eyes"], other["eyes"]) == EVERY_RECORD
    assert changed(before["tissue"], after["tissue"]) == set()
    assert "ignore" not in depends.bare_record(before["eyes"])["folder"]


def test_a_list_of_hard_negatives_weights_and_a_table_of_splits_are_known_by_their_name_alone(plan):
    def told(folder: str) -> dict[str, dict]:
        guided = {"hard_negatives": {"table": f"{folder}/hard.parquet"}}
        change = {
            "index": {"samplings": {"guided": guided}},
            "model": {"models": {"unet": {"encoder_weights": f"{folder}/w.pt"}}},
            "raw": {"splits_csv": f"{folder}/splits.csv"},
        }
        run = plan(change)["eyes"]
        assert depends.hard_negatives_file(run, "guided") == f"{folder}/hard.parquet"
        assert depends.weights_file(run, "unet") == f"{folder}/w.pt"
        return values(run)

    one, other = told("/one"), told("/other")
    assert {name for name in RULES if one[name] != other[name]} == PAGE
    assert "/one" not in str({name: each for name, each in one.items() if name not in PAGE})


def test_an_image_as_target_is_estimated_with_the_settings_of_the_data_set_and_numbers_are_not(plan):
    def target(name, **stain):
        return depends.normalized_target(plan({"normalized": {"stain": {"target": name, **stain}}})["tissue"])

    assert target("a/slide.png")["target"] == "slide.png"
    assert target("a/slide.png") != target("a/slide.png", sample=2000)
    assert target("a/numbers.json") == target("a/numbers.json", sample=2000)
    assert target("reference") != target("reference", method="macenko")


def test_every_rule_that_makes_results_has_its_function_here():
    text = "".join(path.read_text() for path in sorted((PROJECT / "stages").glob("[0-9]_*.smk")))
    asked = set(re.findall(r"depends\.(\w+)\(\s*run_of", text)) - NO_RULES
    assert asked == set(RULES)
    # complete and the table of lesions depend on their inputs alone, and two rules rank patches by the same values.
    assert text.count("**recorded(") == len(RULES) + 4


def test_the_index_of_data_sets_depends_on_their_names(plan):
    assert depends.report_index(plan().values()) == {"datasets": ["eyes", "tissue"]}
