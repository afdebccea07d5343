"""What a run must not be silent about is said at its end, on top of the report and beside the card of the model."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import zarr

from pipeline import stores
from pipeline.config import ModelConfig, ModelSettings, ReportConfig
from pipeline.normalized.data_warnings import read_warnings
from pipeline.raw.data_warnings import DataWarning, encoder_warnings
from pipeline.report.end_of_run import headline, say_at_the_end
from pipeline.report.measures.evaluate import write_metrics
from pipeline.report.measures.mismatches import Mismatch, mismatches
from pipeline.report.page.page import SUMMARY_FIELDS
from pipeline.report.run_warnings import (
    left_out,
    mismatch_warnings,
    model_warnings,
    sampling_warnings,
    validation_warnings,
)
from pipeline.stores.documents import read_json
from pipeline.stores.job import Job
from pipeline.stores.provenance import Provenance
from pipeline.stores.record import seal
from tests.scenes.renames import Rename, recorded_renames


def rows(*counted, roi=100, truth=60, predicted=None):
    """Rows of images of 100 pixels: (fusion, split, tp, fp, fn)."""
    made = []
    for fusion, split, tp, fp, fn in counted:
        inside = tp + fp if predicted is None else predicted
        made.append(
            {"model": "unet", "fusion": fusion, "split": split, "grid": "normalised", "class_code": "GL"}
            | {"image_id": "a", "tp": tp, "fp": fp, "fn": fn, "tn": 100 - tp - fp - fn, "truth_pixels": tp + fn}
            | {"roi_pixels": roi, "truth_in_roi": truth, "predicted_in_roi": inside, "truth_outside_roi": 0}
            | {"pixels": 100, "lesions": 1, "ap": 0.9}
        )
    return pd.DataFrame(made).astype(dict.fromkeys(["model", "fusion", "split", "grid", "class_code"], "category"))


def test_a_class_that_is_marked_everywhere_is_said_though_its_dice_is_above_the_trivial_one():
    (found,) = model_warnings(rows(("gaussian", "test", 60, 38, 0), ("gaussian", "validation", 55, 5, 5)))
    assert (found.kind, found.code, found.serious) == ("no_model", "GL", True)
    assert "98% of the region is marked, and 60.0% is truth (Dice 0.759, all marked 0.750)" in found.sentence
    assert "gaussian, test images" in found.sentence


def test_a_rare_class_with_a_dice_hardly_above_the_trivial_one_is_said():
    hardly = rows(("gaussian", "test", 2, 80, 0), ("gaussian", "validation", 2, 75, 0), truth=2)
    (found,) = model_warnings(hardly)
    assert (found.kind, found.serious) == ("no_model", True)
    assert (
        "unet is hardly better than a trivial answer (gaussian, test images): Dice 0.0476 is hardly" in found.sentence
    )
    (worse,) = model_warnings(pd.concat([hardly, rows(("mean", "test", 0, 0, 2), truth=2)]))
    assert "unet is no better than a trivial answer" in worse.sentence


def test_one_warning_a_model_and_class_names_the_other_results_too():
    blind = [(fusion, split, 0, 0, 60) for fusion in ("gaussian", "max") for split in ("test", "validation")]
    (found,) = model_warnings(rows(*blind))
    assert found.count == 4
    assert "no pixel is marked, and 60 are truth; likewise max, test images" in found.sentence


def clinic(split="validation", spared=0.0):
    """Eight images that the map finds, with a share of the background not marked, and one whose mask is inverted."""
    found = {"model": "unet", "fusion": "none", "split": split, "grid": "normalised", "class_code": "EX", "pixels": 100}
    found |= {"roi_pixels": 100, "truth_pixels": 10, "truth_in_roi": 10, "lesions": 9, "ap": 0.95, "tp": 10, "fn": 0}
    free = round(spared * 90)
    found |= {"fp": 90 - free, "tn": free, "predicted_in_roi": 100 - free, "truth_outside_roi": 0}
    turned = {"image_id": "bad", "truth_pixels": 90, "truth_in_roi": 90, "ap": 0.85, "tp": 90, "fp": 10, "tn": 0}
    turned["predicted_in_roi"] = 100
    return pd.DataFrame([*(found | {"image_id": f"good{at}"} for at in range(8)), found | turned])


def test_an_inverted_mask_is_said_to_be_one_and_no_model_is_told_to_train_longer_for_it():
    rows = clinic()
    (said,) = mismatch_warnings(mismatches(rows))
    assert (said.kind, said.code, said.names, said.serious) == ("inverted", "EX", ("bad",), True)
    (model,) = model_warnings(rows)
    assert (model.kind, model.code, model.serious) == ("misled", "EX", True)
    assert "fitted with truth that is in doubt, of 1 (bad)" in model.sentence
    assert "train longer" not in model.advice


def test_a_model_is_judged_without_truth_that_is_in_doubt():
    rows = clinic(split="test", spared=0.9)
    assert model_warnings(rows) == []
    poor = clinic(split="test")
    (model,) = model_warnings(poor)  # no threshold was fitted on that image: the model itself is at fault
    assert model.kind == "no_model"
    assert model.sentence == model_warnings(poor[poor.image_id != "bad"])[0].sentence


def test_masks_of_other_images_are_serious_where_nothing_else_of_the_image_is_found():
    moved = [Mismatch("a", ("HE", "OD"), (), whole=True), Mismatch("b", ("OD",), (), whole=True)]
    serious, mild = mismatch_warnings([*moved, Mismatch("c", ("HE",), (), whole=False)])
    assert (serious.kind, serious.serious, serious.count) == ("mismatched", True, 2)
    assert "images: 2 (a (HE, OD), b (OD))" in serious.sentence
    assert "which masks the manifest pairs with which image" in serious.advice
    assert (mild.serious, mild.names) == (False, ("c (HE)",))
    assert mismatch_warnings([]) == []


def test_an_encoder_without_weights_is_said_once_for_its_models_and_a_wish_for_none_is_not():
    settings = {"a": {"encoder": "resnet18"}, "b": {"encoder": "resnet18"}, "c": {}, "d": {"encoder_weights": "none"}}
    models = ModelConfig(models={name: ModelSettings(**each) for name, each in settings.items()})
    (found,) = encoder_warnings(models.untrained_encoders)
    assert found.sentence.startswith("a, b: the encoder resnet18 starts from random weights")
    assert "encoder_weights a file or imagenet" in found.advice


def test_a_good_model_warns_of_nothing():
    assert model_warnings(rows(("gaussian", "test", 50, 5, 10), ("gaussian", "validation", 55, 5, 5))) == []


def test_a_run_that_nothing_validated_is_said_but_not_an_ensemble_whose_members_were():
    tested = rows(("gaussian", "test", 50, 5, 10))
    images = pd.DataFrame({"image_id": ["a", "b"], "split": ["test", "train"], "fold": -1, "pixels_GL": 9})
    (found,) = validation_warnings(tested, images)
    assert (found.kind, found.serious) == ("not_validated", True)
    member = rows(("gaussian", "validation", 55, 5, 5)).assign(model="unet.fold0")
    assert validation_warnings(pd.concat([tested, member]), images) == []


TRUTH = ("image_id", "split", "fold", "pixels_MA", "pixels_SE")


def measured_of(images, *, model="unet", fold=-1, predicted=()):
    """Rows as a model's images are measured, for classes that somebody looked for; ``predicted`` are images with false pixels."""
    made = []
    for image in images.to_dict("records"):
        split = image["split"] if fold < 0 or image["split"] == "test" else "train"
        split = "validation" if fold >= 0 and image["fold"] == fold else split
        for code in ("MA", "SE") if split in ("validation", "test") else ():
            truth, fp = image[f"pixels_{code}"], 50 * (image["image_id"] in predicted)
            row = {"model": model, "fusion": "mean", "split": split, "grid": "normalised", "class_code": code}
            row |= {"image_id": image["image_id"], "truth_pixels": truth, "fp": fp, "pixels": 100}
            made += [row] if truth >= 0 else []
    return pd.DataFrame(made)


@pytest.mark.parametrize("validating", [0, -1])
@pytest.mark.parametrize("tested", [4, 0, -1])
def test_a_class_that_is_learned_and_that_no_validation_image_holds_is_said_looked_for_or_not(validating, tested):
    images = pd.DataFrame(
        [("a", "train", -1, 5, 5), ("b", "validation", -1, 5, validating), ("c", "test", -1, 5, tested)], columns=TRUTH
    )
    (before,) = validation_warnings(pd.DataFrame(), images)
    (found,) = validation_warnings(measured_of(images), images)
    judged = "only test images judge it" if tested > 0 else "no figure judges it"
    assert found.sentence == f"SE: no truth in any validation image: its threshold was not fitted and {judged}"
    assert before.sentence == found.sentence.replace("was not", "is not")
    for each in (before, found):
        assert (each.kind, each.code, each.serious) == ("class_not_validated", "SE", True)
        assert "raw: splits_csv" in each.advice


def test_where_such_a_class_is_predicted_without_truth_is_said_of_the_result_that_does_so_most():
    images = pd.DataFrame(
        [("a", "train", -1, 5, 5), *((name, "validation", -1, 5, 0) for name in "bc"), ("d", "test", -1, 5, -1)],
        columns=TRUTH,
    )
    seen = [measured_of(images, predicted="b"), measured_of(images, model="other", predicted="bcd")]
    (found,) = validation_warnings(pd.concat(seen), images)
    said = "; other / mean predicts it in 2 of 2 measured images without truth of it, on up to 50.0% of an image"
    assert found.sentence.endswith(said)


@pytest.mark.parametrize(
    ("training", "validating"),
    [(5, 5), (0, 0), (-1, 0), (-1, -1), (0, 5)],
)
def test_a_class_that_is_validated_or_not_learned_is_not_said_to_lack_validation(training, validating):
    images = pd.DataFrame(
        [("a", "train", -1, 5, training), ("b", "validation", -1, 5, validating), ("c", "validation", -1, 0, 0)],
        columns=TRUTH,
    )
    assert validation_warnings(pd.DataFrame(), images) == []
    assert validation_warnings(measured_of(images), images) == []


def test_folds_validate_a_class_together_and_one_fold_alone_may_not():
    images = pd.DataFrame([(name, "train", at, 5, 5 * (at == 0)) for at, name in enumerate("abc")], columns=TRUTH)
    members = [measured_of(images, model=f"unet.fold{fold}", fold=fold) for fold in range(3)]
    assert validation_warnings(pd.concat(members), images) == []
    assert validation_warnings(pd.DataFrame(), images) == [], "before a run nobody knows which folds validate"
    assert [each.code for each in validation_warnings(members[1], images)] == ["SE"]
    assert validation_warnings(members[0], images) == []


@pytest.mark.parametrize(("drawn", "said"), [(119, 1), (120, 0)])
def test_fewer_than_half_of_the_patches_asked_for_are_said_with_the_reason(drawn, said):
    notes = {"config": {"total": 240}, "summary": {"counts": {"train": {"balanced": {"GL": drawn}}}, "notes": ["Why."]}}
    found = sampling_warnings({"balanced": notes, "grid": {"config": {}, "summary": {}}})
    assert [each.kind for each in found] == ["few_patches"] * said
    assert all(f"{drawn} drawn of 240 patches asked for. Why" in each.advice for each in found)


def test_images_that_were_left_out_are_counted_and_named():
    table = pd.DataFrame({"image_id": ["a", "b", "c"], "rejected": ["", "torn", ""]})
    (found,) = left_out(table)
    assert found.sentence == "left out: 1 of 3 images; images: 1 (b)"
    assert left_out(table[table.rejected == ""]) == []


def test_truth_outside_the_region_is_the_same_in_the_three_places_training_images_included(make, make_eye, tmp_path):
    eyes = [make_eye(n, split, height=40, width=40) for n, split in enumerate(("train", "validation", "test"))]
    world = make(tmp_path / "in", eyes, models=("unet",), fusions=("none",))
    counts = {"train": {"pixels": 60, "in_roi": 54}, "validation": {"pixels": 40, "in_roi": 40}}
    for eye in eyes:
        store = world.inputs.normalized[eye.image_id]
        group = zarr.open_group(store, mode="r+")  # noqa: TID251 our own stores are never written to again
        truth = {"EX": counts[eye.split]} if eye.split in counts else {}
        mapping = {**group.attrs["lesionmap"]["mapping"], "height": 40, "width": 40}
        group.attrs["lesionmap"] = {"image_id": eye.image_id, "mapping": mapping, "roi_share": 0.7, "truth": truth}
        seal(store)
    folder = world.inputs.models["unet"]
    write_metrics(
        world.inputs.images,
        world.results[0],
        normalized=world.inputs.normalized,
        config=ReportConfig(bootstrap=0),
        job=Job(world.record, Provenance("report", {}, "0")),
        folder=folder,
    )
    said = [text for text in read_json(folder / "measures.none.json")["warnings"] if "outside" in text]
    told = read_warnings([], images=world.inputs.images, normalized=world.inputs.normalized)  # of terminal and page
    assert said == [each.advice for each in told if each.kind == "outside_roi"]
    assert "EX: 6 of 100 truth pixels (6.0%)" in said[0]


def test_the_folder_of_the_model_holds_its_measures_and_warnings(make, make_eye, tmp_path, monkeypatch):
    eyes = [make_eye(n, split, height=40, width=40) for n, split in enumerate(("train", "validation", "test"))]
    blind = [replace(eye, probability=np.zeros_like(eye.probability)) for eye in eyes]
    world = make(tmp_path / "in", blind, models=("unet",), fusions=("none",))
    folder = world.inputs.models["unet"]
    card = (folder / "card.json").read_bytes()
    renames = recorded_renames(monkeypatch)
    write_metrics(
        world.inputs.images,
        world.results[0],
        normalized=world.inputs.normalized,
        config=ReportConfig(bootstrap=0),
        job=Job(world.record, Provenance("report", {}, "0")),
        folder=folder,
    )
    found = read_json(folder / "measures.none.json")
    summary = pd.read_parquet(world.results[0].metrics_classes)
    wanted = (summary.split == "test") & (summary.class_code == "EX") & (summary.measure == "dice_everywhere_pooled")
    assert found["splits"]["test"]["EX"]["dice_everywhere_pooled"] == pytest.approx(summary[wanted].value.item())
    assert any("EX: unet is no better than a trivial answer" in said for said in found["warnings"])
    assert (folder / "card.json").read_bytes() == card
    # First and flushed: a power cut leaves no tables without them, for which nothing would make them anew.
    assert renames[0] == Rename(folder / "measures.none.json", True)
    assert json.dumps(found, allow_nan=False)


def test_the_end_of_a_run_says_report_headline_what_is_left_over_and_warnings(tmp_path, capsys):
    row = dict.fromkeys(SUMMARY_FIELDS, 0) | {"dataset": "d", "title": "", "modality": "", "thumbnail": ""}
    row |= {"result": "unet / gaussian", "split": "test", "images_measured": 3, "average": "mean over lesion classes"}
    row |= {"dice_lesions": 0.756, "dice_everywhere": 0.748}
    path = tmp_path / "summary.parquet"
    stores.write_table(pd.DataFrame([row]).astype(SUMMARY_FIELDS), path, provenance={})
    warnings = [DataWarning("no_pixel", "EX", 2, (), "EX: no pixel")]
    say_at_the_end(headline(path), ["2 files"], warnings, dataset="d")
    assert capsys.readouterr().err.splitlines() == [
        f"d: report: {tmp_path / 'index.html'}",
        "d: Dice, lesion classes, 3 test images, unet / gaussian: 0.756 (all marked 0.748, none 0)",
        "d: left over: 2 files",
        f"d: warning: {warnings[0].advice}",
    ]


def test_where_the_job_fails_its_log_alone_says_it(caplog, capsys):
    table = pd.DataFrame({"image_id": ["a", "b"], "rejected": ["", "torn"]})
    say_at_the_end([], ["2 files"], left_out(table), dataset="d")
    assert capsys.readouterr().err == ""
    assert [record.getMessage() for record in caplog.records] == ["d: left over: 2 files"]
