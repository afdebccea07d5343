"""What is shown in full is what is shown first everywhere, and what a stage noted is passed on."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
import zarr

from pipeline.config import StageConfig
from pipeline.config.manifest import DatasetRecord
from pipeline.predict.options import PredictOptions
from pipeline.raw.data_warnings import DataWarning
from pipeline.report import page
from pipeline.report.measures.mismatches import Mismatch
from pipeline.report.page.choice import choose, validated_alike
from pipeline.report.page.header import _keys, _linked
from pipeline.report.page.sections.images import flags, leaks, rejections
from pipeline.report.page.sections.metrics import origin_of_thresholds
from pipeline.report.page.sections.patches import samplings
from pipeline.report.page.sections.table import SECTIONS
from pipeline.report.page.sections.training import trainings
from pipeline.report.page.stains import stained_images
from pipeline.report.paths import Result
from pipeline.report.pictures import figures
from pipeline.report.pictures.gallery import results_to_show
from pipeline.stores import read_table, table_metadata, write_table
from pipeline.stores.documents import json_text
from pipeline.stores.record import seal
from pipeline.view.catalogue import Dataset

RECORD = DatasetRecord.model_validate(
    {
        "title": "Eyes",
        "adaptor": "idrid",
        "modality": "fundus",
        "task": "multilabel",
        "classes": [
            {"code": "MA", "name": "Microaneurysms"},
            {"code": "OD", "name": "Optic disc", "kind": "anatomy", "colour": "magenta"},
        ],
    }
)


def result(model):
    return Result(model, "none", {}, {}, Path(), Path(), Path())


def summary(*, validation, test, average="mean over lesions"):
    rows = [("validation", validation), ("test", test)]
    return pd.DataFrame(
        [
            {"grid": "normalised", "split": split, "average": average, "measure": "dice_pooled", "value": value}
            for split, value in rows
        ]
    )


def test_each_template_of_a_section_belongs_to_one_row_of_the_table():
    templates = {path.name for path in (Path(page.__file__).parent / "templates").glob("section_*.html")}
    assert {each.template for each in SECTIONS} == templates
    assert (
        len({each.name for each in SECTIONS})
        == len({each.content for each in SECTIONS})
        == len(SECTIONS)
        == len(templates)
    )


def test_what_the_configuration_shows_first_is_shown_and_the_best_on_validation_is_named():
    results = [result("good_on_test"), result("good_on_validation")]
    tables = {
        "good_on_test / none": summary(validation=0.4, test=0.9),
        "good_on_validation / none": summary(validation=0.5, test=0.1),
    }
    first = choose(results, tables, shown=("good_on_test", "none"), record=RECORD)
    assert first.result.model == "good_on_test"
    assert "is highest for good_on_validation / none, 0.500; good_on_test / none has 0.400" in first.better
    near = tables | {"good_on_test / none": summary(validation=0.49, test=0.9)}
    alike = choose(results, near, shown=("good_on_test", "none"), record=RECORD)
    assert "good_on_test / none has 0.490" in alike.reason
    assert alike.better == ""
    best = choose(results, tables, shown=("good_on_validation", "none"), record=RECORD)
    assert best.result.model == "good_on_validation"
    assert "0.500, the highest" in best.reason
    assert best.better == ""


@pytest.mark.parametrize(
    ("names", "pages", "linked"),
    [
        (["eye_1", "eye_11"], {"eye_1": "a", "eye_11": "b"}, ["eye_1", "eye_11"]),
        (["eye_1 (MA, OD)"], {"eye_1": "a"}, ["eye_1"]),
        (["1", "2"], {"1": "a", "3": "c"}, ["1"]),  # the number of images is no name
        (["x.1"], {"1": "a", "x": "b"}, []),
        (["a (b"], {}, []),
    ],
)
def test_names_of_images_in_a_warning_lead_to_their_pages_and_its_words_stay(names, pages, linked):
    warned = DataWarning.of_images("mismatched", "1 thing (odd) in eye_1", names)
    pieces = _linked(warned, pages)
    assert "".join(text for text, _ in pieces) == warned.advice
    assert [(text, pages[text]) for text in linked] == [(text, href) for text, href in pieces if href]


def test_one_rule_says_what_is_shown_first_in_pages_of_images_view_and_predict(tmp_path):
    """Whatever is best, or comes first in the alphabet."""
    stages = StageConfig.model_validate({"probability": {"fusions": ["max", "gaussian"]}})
    assert stages.shown_result == ("unet", "gaussian")
    assert PredictOptions().fusions == (stages.shown_result[1],)
    for name in ("a/max", "unet/gaussian", "unet/max"):
        (tmp_path / "probability" / name).mkdir(parents=True)
    (tmp_path / "report").mkdir()
    dataset = Dataset("eyes", tmp_path, tmp_path)
    assert [each.name for each in dataset.results()] == ["a/max", "unet/gaussian", "unet/max"]
    write_table(pd.DataFrame({"result": ["unet / max"]}), tmp_path / "report" / "summary.parquet", provenance={})
    assert [each.name for each in dataset.results()] == ["unet/max", "a/max", "unet/gaussian"]
    (tmp_path / "report" / "summary.parquet").write_bytes(b"damaged")
    assert [each.name for each in dataset.results()] == ["a/max", "unet/gaussian", "unet/max"]


def test_scores_on_different_images_rank_nothing_and_the_page_says_so(tmp_path):
    results = [replace(result(name), metrics_images=tmp_path / f"{name}.parquet") for name in "ab"]
    for each, held in zip(results, ("x", "y"), strict=True):
        rows = pd.DataFrame({"image_id": [held, "t"], "split": ["validation", "test"]})
        write_table(rows, each.metrics_images, provenance={})
    assert not validated_alike(results)
    assert validated_alike(results[:1])
    tables = {each.name: summary(validation=value, test=0.5) for each, value in zip(results, (0.4, 0.6), strict=True)}
    assert "ranks none" in choose(results, tables, shown=("a", "none"), record=RECORD, alike=False).reason
    assert "ranks none" not in choose(results, tables, shown=("a", "none"), record=RECORD).reason


@pytest.mark.parametrize(
    ("fitted", "said"),
    [([True, True], "come from"), ([True, False], "where they could"), ([False, False], "not fitted")],
)
def test_the_page_says_where_thresholds_come_from(tmp_path, fitted, said):
    path = tmp_path / "thresholds.json"
    path.write_text(json_text({"classes": {str(at): {"fitted": each} for at, each in enumerate(fitted)}}))
    assert said in origin_of_thresholds(path)


def test_images_that_a_model_of_a_fold_learned_from_are_not_shown_as_validation():
    table = pd.DataFrame({"image_id": list("abcdefg"), "split": [*["train"] * 3, *["validation"] * 3, "test"]})
    stores = {image: Path(image) for image in "abcdefg"}
    fold = Result("m", "gaussian", stores, stores, Path(), Path(), Path())
    shown = results_to_show(table, fold, measured={"a": "validation", "d": "validation", "g": "test"}, most=9)
    assert [(row["image_id"], row["split"]) for row in shown] == [
        ("g", "test"),
        ("a", "validation"),
        ("d", "validation"),
    ]


def test_the_mean_over_classes_decides_where_no_lesion_was_measured():
    table = {"a / none": summary(validation=0.4, test=0.4, average="mean over classes")}
    assert choose([result("a")], table, shown=("a", "none"), record=RECORD).average == "mean over classes"


def test_the_sentence_on_the_shown_result_reads_whether_its_dice_is_of_one_class_or_of_several():
    """Words for an average stand between two commas, the name of a class between none."""
    table = {"a / none": summary(validation=0.4, test=0.4)}
    several = RECORD.model_copy(
        update={"classes": (*RECORD.classes, RECORD.classes[0].model_copy(update={"code": "EX"}))}
    )
    one = choose([result("a")], table, shown=("a", "none"), record=RECORD).reason
    assert "Pooled over its validation images, Dice of Microaneurysms is 0.400." in one
    mean = choose([result("a")], table, shown=("a", "none"), record=several).reason
    assert "Pooled over its validation images, Dice, mean over lesion classes, is 0.400." in mean


def test_without_validation_the_first_is_shown_and_the_page_says_so():
    tables = {f"{name} / none": summary(validation=float("nan"), test=0.5) for name in "ab"}
    choice = choose([result("a"), result("b")], tables, shown=("a", "none"), record=RECORD)
    assert choice.result.model == "a"
    assert "Nothing could be validated" in choice.reason


@pytest.mark.parametrize("codes", [("MA",), ("MA", "OD")])
def test_the_mean_stands_beside_several_classes_alone(tmp_path, monkeypatch, codes):
    """Of one class it is that class, whose curve it would hide."""
    drawn = []
    monkeypatch.setattr(figures, "losses", lambda *_, **__: None)
    monkeypatch.setattr(figures, "history_scores", lambda _, curves, *__, **___: drawn.append(list(curves.values())))
    columns = {f"{key}_{name}": [0.5] for key in ("dice", "iou") for name in codes} | {
        "mean_dice": [0.5],
        "mean_iou": [0.5],
    }
    write_table(pd.DataFrame({"epoch": [1], **columns}), tmp_path / "history.parquet", provenance={})
    (tmp_path / "card.json").write_text(json_text({"best_epoch": 1}))
    trainings({"unet": tmp_path}, SimpleNamespace(codes=codes), folder=tmp_path)
    assert drawn == [[*codes, *(["mean"] if len(codes) > 1 else [])]] * 2


@pytest.mark.parametrize(("count", "said"), [(1, "image used, 0 left out"), (3, "images used, 0 left out")])
def test_one_image_is_not_several(count, said):
    facts = SimpleNamespace(table=pd.DataFrame({"rejected": [""] * count}), choice=None, split="")
    assert [(each.value, each.what) for each in _keys(facts)] == [(str(count), said)]


def test_without_results_nothing_is_chosen():
    assert choose([], {}, shown=("a", "none"), record=RECORD) is None


def test_rejections_are_those_of_the_table(world):
    found = rejections(read_table(world.inputs.images))
    assert [(each.image_id, each.file) for each in found] == [("eye_08", "eye_08.jpg")]


def test_flags_of_the_stores_are_listed(make, make_eye, tmp_path):
    made = make(tmp_path, [make_eye(0, "train")], models=(), fusions=())
    assert flags(made.inputs.normalized) == []
    group = zarr.open_group(made.inputs.normalized["eye_00"], mode="a")  # noqa: TID251 to spoil a store on purpose
    group.attrs["lesionmap"] = {"flags": ["no tissue found"]}
    seal(made.inputs.normalized["eye_00"])
    assert flags(made.inputs.normalized) == [("eye_00", "no tissue found")]
    doubt = Mismatch("eye_00", ("EX", "OD"), (), whole=True)
    said = ("eye_00", "truth in doubt: EX, OD as if of another image")
    assert flags(made.inputs.normalized, (), [doubt]) == [("eye_00", "no tissue found"), said]


def test_a_flag_of_the_stains_that_the_store_repeats_is_listed_once(make, make_eye, make_stain, tmp_path):
    made = make(tmp_path, [make_eye(0, "train"), make_eye(1, "train")], models=(), fusions=())
    group = zarr.open_group(made.inputs.normalized["eye_00"], mode="a")  # noqa: TID251 to spoil a store on purpose
    group.attrs["lesionmap"] = {"flags": ["weak eosin", "3 regions were too small"]}
    seal(made.inputs.normalized["eye_00"])
    paths = {name: make_stain(tmp_path / f"{name}.stain.json", flags=["weak eosin"]) for name in ("eye_00", "eye_01")}
    stained = stained_images(paths, read_table(made.inputs.images), normalized=made.inputs.normalized)
    assert flags(made.inputs.normalized, stained) == [
        ("eye_00", "weak eosin"),
        ("eye_00", "3 regions were too small"),
        ("eye_01", "weak eosin"),
    ]


def test_a_sampling_says_what_was_added_and_what_no_patch_touches(world, tmp_path):
    source = world.inputs.indexes["guided"]
    frame, notes = read_table(source), table_metadata(source)
    added = frame.assign(coverage=(frame["split"] == "train") & (frame.index % 10 == 0))
    write_table(added, tmp_path / "covered.parquet", provenance={}, extra={"summary": notes["summary"]})
    paths = {"covered": tmp_path / "covered.parquet", "guided": source}
    parts = samplings(paths, world.record, normalized=world.inputs.normalized, folder=tmp_path, most=1, side=100)
    counts = "30 train, 4 validation, 8 test patches"
    missed = "no training patch touches 3 of 38 lesions (7.9 %)"
    extra = int(added["coverage"].sum())
    assert [part.text for part in parts] == [
        f"{counts}; {extra} were added to cover every region of the truth; {missed}",
        f"{counts}; {missed}",
    ]
    assert all(part.sheet and len(part.maps) == 1 and part.notes == tuple(notes["summary"]["notes"]) for part in parts)


def test_images_that_show_one_picture_are_named_with_their_splits(world):
    assert leaks(read_table(world.inputs.images)) == ["eye_01 (train) and eye_04 (test)"]
    folds = read_table(world.inputs.images).assign(fold=lambda table: range(len(table)))
    assert leaks(folds)[0] == "eye_00 (train, fold 0) and eye_01 (train, fold 1)"
    assert leaks(read_table(world.inputs.images).drop(columns="alike")) == []
