"""An ensemble of folds is validated on each image once, by the maps, masks and thresholds of the member that had not seen it."""

import json
from types import SimpleNamespace

import pandas as pd
import pytest

from pipeline import stores
from pipeline.config import ReportConfig
from pipeline.report.measures.errors import write_errors
from pipeline.report.measures.evaluate import write_metrics
from pipeline.report.measures.out_of_fold import OUT_OF_FOLD, OutOfFold, read_curves, read_measures
from pipeline.report.page.choice import choose, summaries_of
from pipeline.report.paths import Result, results_from_paths
from pipeline.stores.documents import json_text
from pipeline.stores.job import Job
from pipeline.stores.provenance import Provenance
from pipeline.words import BACKGROUND

FOLD = {"eye_00": 0, "eye_01": 1, "eye_02": 1, "eye_03": 0}
SPLIT = {"eye_00": "train", "eye_01": "validation", "eye_02": "train", "eye_03": "train", "eye_04": "test"}
CUTS = {"m.fold0": 0.5, "m.fold1": 0.25, "m": 0.4}
CONFIG = ReportConfig(bootstrap=0)


def table_of(path):
    table = pd.read_parquet(path)
    return table.astype(dict.fromkeys(table.select_dtypes("category"), str))


@pytest.fixture(scope="module")
def scene(tmp_path_factory, make, make_eye):
    """Two members with maps of their own and their ensemble, each measured."""
    folder = tmp_path_factory.mktemp("folds")
    # All of them get maps; then the table says what they were for.
    world = make(folder, [make_eye(at, "test", height=70, width=80) for at in range(5)], config=CONFIG)
    table = stores.read_table(world.inputs.images)
    names = table["image_id"].astype(str)
    table = table.assign(fold=names.map(FOLD).fillna(-1).astype(int), split=names.map(SPLIT))
    stores.write_table(table, world.inputs.images, provenance={})
    thresholds = {name: folder / f"{name}.json" for name in CUTS}
    for name, path in thresholds.items():
        path.write_text(json_text({"classes": {code: {"threshold": CUTS[name]} for code in world.record.codes}}))
    first, second = world.results
    by_member = {"m.fold0": first, "m.fold1": second, "m": second}
    made = {image: by_member[f"m.fold{fold}"] for image, fold in FOLD.items()} | {"eye_04": second}

    def result(name, **kinds):
        tables = [folder / f"{name}.{kind}.parquet" for kind in ("images", "classes")]
        return Result(
            name, "gaussian", **kinds, thresholds=thresholds[name], metrics_images=tables[0], metrics_classes=tables[1]
        )

    stores_of = {
        name: {kind: getattr(of, kind) for kind in ("probability", "segmentation")} for name, of in by_member.items()
    }
    stores_of["m"] = {
        kind: {i: getattr(of, kind)[i] for i, of in made.items()} for kind in ("probability", "segmentation")
    }
    results = {name: result(name, **kinds) for name, kinds in stores_of.items()}
    out_of_fold = OutOfFold({"m.fold0": 0, "m.fold1": 1}, {name: thresholds[name] for name in ("m.fold0", "m.fold1")})
    job = Job(world.record, Provenance("report", {}, "code"))
    inputs = {"normalized": world.inputs.normalized, "job": job}
    for name, folds in (("m.fold0", (0,)), ("m.fold1", (1,)), ("m", (0, 1))):
        apart = out_of_fold if name == "m" else None
        write_metrics(world.inputs.images, results[name], folds=folds, out_of_fold=apart, config=CONFIG, **inputs)
    kept = {"folds": (0, 1), "out_of_fold": (0, 1), "output": results["m"].metrics_errors}
    write_errors(world.inputs.images, results["m"], **kept, **inputs)
    return SimpleNamespace(record=world.record, results=results)


def test_each_image_outside_the_test_is_there_once_with_the_values_of_the_member_that_held_it_out(scene):
    rows = table_of(scene.results["m"].metrics_images)
    found = rows[rows["split"] == "validation"]
    codes = [*scene.record.codes, BACKGROUND]
    assert sorted(zip(found["image_id"], found["class_code"], strict=True)) == sorted(
        (i, c) for i in FOLD for c in codes
    )
    members = [table_of(scene.results[name].metrics_images) for name in ("m.fold0", "m.fold1")]
    expected = pd.concat([each[each["split"] == "validation"] for each in members])
    keys, named = ["image_id", "class_code"], ["model", "fusion"]
    pd.testing.assert_frame_equal(
        *(each.drop(columns=named).sort_values(keys).reset_index(drop=True) for each in (found, expected))
    )
    assert set(rows.loc[rows["split"] == "test", "image_id"]) == {"eye_04"}
    errors = table_of(scene.results["m"].metrics_errors)
    assert set(errors.loc[errors["split"] == "validation", "image_id"]) == set(FOLD)


def test_the_summary_pools_these_images_and_names_no_threshold_that_they_do_not_share(scene):
    rows, summary = (table_of(getattr(scene.results["m"], f"metrics_{kind}")) for kind in ("images", "classes"))
    for code in scene.record.codes:
        own = rows[(rows["split"] == "validation") & (rows["class_code"] == code)]
        tp, fp, fn = (int(own[name].sum()) for name in ("tp", "fp", "fn"))
        line = summary[(summary["split"] == "validation") & (summary["class_code"] == code)]
        line = line[line["measure"] == "dice_pooled"].iloc[0]
        assert line["value"] == pytest.approx(2 * tp / (2 * tp + fp + fn))
        assert line["images"] == len(FOLD)
    thresholds = summary[summary["class_code"].isin(scene.record.codes)].groupby("split")["threshold"]
    assert thresholds.unique()["test"].tolist() == [CUTS["m"]]
    assert pd.isna(thresholds.unique()["validation"]).all()
    by_image = rows[rows["class_code"] == "EX"].set_index("image_id")["threshold"].to_dict()
    assert by_image == {image: CUTS[f"m.fold{fold}"] for image, fold in FOLD.items()} | {"eye_04": CUTS["m"]}


def test_the_tables_say_who_measured_and_people_read_out_of_fold(scene):
    ensemble, member = scene.results["m"], scene.results["m.fold0"]
    for path in (ensemble.metrics_images, ensemble.metrics_classes):
        assert stores.table_metadata(path)["out_of_fold"] == {image: f"m.fold{fold}" for image, fold in FOLD.items()}
    assert "out_of_fold" not in stores.table_metadata(member.metrics_classes)
    assert set(read_measures(ensemble.metrics_images, ensemble)["split"]) == {OUT_OF_FOLD, "test"}
    assert set(read_measures(member.metrics_images, member)["split"].astype(str)) == {"validation", "test"}
    assert set(read_curves(ensemble)["curves"]) == {OUT_OF_FOLD, "test"}
    assert json.dumps(read_curves(ensemble)["froc"]).count(OUT_OF_FOLD) == 1
    results = list(scene.results.values())
    choice = choose(results, summaries_of(results), shown=("m", "gaussian"), record=scene.record, alike=False)
    assert choice is not None
    assert "Pooled over its validation images" in choice.reason
    assert "ranks none" in choice.reason


def test_the_page_gets_the_stores_of_the_members_for_the_result_that_it_shows():
    folder = "r/probability/{}/gaussian/{}.zarr"
    own = [folder.format(model, image) for model in ("m", "m.fold0") for image in ("a", "t")]
    paths = SimpleNamespace(
        probability=own,
        segmentation=own,
        held_probability=[folder.format("m.fold1", "a")],
        held_segmentation=[folder.format("m.fold1", "a")],
        thresholds=["x", "y"],
        metrics_images=["x", "y"],
        metrics_classes=["x", "y"],
    )
    names = [("m", "gaussian"), ("m.fold0", "gaussian")]
    shown, other = results_from_paths(names, paths, shown=("m", "gaussian"))
    assert {image: path.parts[2] for image, path in shown.probability.items()} == {"a": "m.fold1", "t": "m"}
    assert {image: path.parts[2] for image, path in other.segmentation.items()} == {"a": "m.fold0", "t": "m.fold0"}
