"""``lesionmap compare``: what made two results, and their figures side by side."""

import json
import shutil

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.cli import main
from pipeline.cli.compare import LONGEST, around_difference
from pipeline.model.ensemble import write_ensemble
from pipeline.report.origins import changes, compared_images, images_of_other_grids, origins
from pipeline.stores.create import create_group
from pipeline.stores.documents import read_json, write_json
from pipeline.stores.job import Job
from pipeline.stores.record import seal
from pipeline.stores.tables import read_noted, write_table
from tests.scenes.tiny_run import bare, copied

ORIGIN = {"config": {"sigma": 2.0, "storage": {"chunk": 32}}, "seed": 0, "versions": {"numpy": "2"}, "code": "a"}


def test_what_differs_is_named_stage_by_stage():
    other = ORIGIN | {"config": {"sigma": 3.0, "storage": {"chunk": 32}}, "code": "b", "versions": {"numpy": "3"}}
    first = {"raw": ORIGIN, "normalized": ORIGIN, "report": ORIGIN}
    found = changes(whole(first), whole({"raw": ORIGIN, "normalized": other}))
    assert [(each.stage, each.what, each.first, each.second) for each in found] == [
        ("normalized", "sigma", "2.0", "3.0"),
        ("normalized", "versions.numpy", '"2"', '"3"'),
        ("normalized", "code", "a", "b"),
        ("report", "stage", "there", "nothing"),
    ]


def test_models_of_other_names_are_held_against_each_other():
    one = {"index guided": ORIGIN, "model unet": ORIGIN}
    other = {"index grid": ORIGIN | {"config": {"sigma": 1.0}}, "model deeplab": ORIGIN | {"seed": 7}}
    found = {(each.stage, each.what) for each in changes(whole(one), whole(other))}
    assert found == {("index guided", "sigma"), ("index guided", "storage.chunk"), ("model unet", "seed")}


def test_members_in_another_order_are_the_same_members():
    members = {f"model {name}": ORIGIN | {"seed": seed} for seed, name in enumerate(("unet", "fpn", "pspnet"))}
    backwards = dict(reversed(members.items()))
    assert changes(whole(members), whole(backwards)) == ()
    renamed = {f"model b{name[6:]}": value for name, value in backwards.items()}
    numbered = {f"model a{name[6:]}": value for name, value in members.items()}
    assert changes(whole(numbered), whole(renamed)) == ()


def test_weights_of_the_members_belong_to_the_origin_of_an_ensemble(finished_run, tmp_path):
    run = copied(finished_run("fundus"), tmp_path)
    shutil.copytree(run.model(), run.model("wide"))
    found = []
    for name, first in (("even", 1.0), ("odd", 3.0)):
        weights = {code: [first, 1.0] for code in run.record.codes}
        job = Job(bare(run.record), run.origin("model", {"weights": weights}))
        write_ensemble([run.model(), run.model("wide")], name=name, weights=weights, job=job, output=run.model(name))
        measured = run.root / "report" / f"{name}.gaussian.images.parquet"
        measured.parent.mkdir(exist_ok=True)
        measured.touch()
        found.append({"ensemble": origins(run.root, model=name, fusion="gaussian")["ensemble"]})
    assert {each.what for each in changes(*found)} == {f"weights.{code}" for code in run.record.codes}


def test_every_image_of_a_stage_is_compared_with_the_same_image_and_others_are_left_out():
    other = ORIGIN | {"config": {"sigma": 3.0, "storage": {"chunk": 32}}}
    one = {f"i{at}": ORIGIN | {"inputs": {"image": str(at)}} for at in range(5)}
    mixed = {**one, "i3": other, "i1": other, "i9": other}
    assert [tuple(vars_of(each)) for each in changes({"normalized": one}, {"normalized": mixed})] == [
        ("normalized", "sigma (2 of 5 images)", "2.0", "3.0")
    ]
    assert changes({"normalized": mixed}, {"normalized": dict(reversed(mixed.items()))}) == ()
    exchanged = {"i0": other, "i1": ORIGIN}
    found = changes({"normalized": {"i0": ORIGIN, "i1": other}}, {"normalized": exchanged})
    assert {tuple(vars_of(each)[1:]) for each in found} == {
        ("sigma (1 of 2 images)", "2.0", "3.0"),
        ("sigma (1 of 2 images)", "3.0", "2.0"),
    }


@given(st.text("ab", max_size=150), st.text("ab", max_size=150))
def test_two_values_that_differ_are_shown_different_and_short(one, other):
    shown = around_difference(one, other)
    assert (shown[0] == shown[1]) == (one == other)
    assert max(map(len, shown)) <= LONGEST
    if max(len(one), len(other)) <= LONGEST:
        assert shown == (one, other)


def whole(stages):
    """Stages with one result each."""
    return {stage: {"": origin} for stage, origin in stages.items()}


def vars_of(change):
    return change.stage, change.what, change.first, change.second


@pytest.fixture(scope="module")
def two(finished, tmp_path_factory):
    """The shared finished run, and a copy in which one image has another split and another Dice."""
    first = finished.folder / "results" / "tiny"
    second = tmp_path_factory.mktemp("compare") / "tiny"
    shutil.copytree(first, second)
    for name, change in (("raw/images", "split"), ("report/unet.gaussian.images", "dice")):
        path = second / f"{name}.parquet"
        frame, notes = read_noted(path)
        if change == "dice":
            frame = frame.assign(dice=(frame["dice"] + 0.25).clip(upper=1.0))
        else:
            frame = frame.astype({"split": str})
            frame.loc[frame.index[0], "split"] = "predict"
        provenance = notes.pop("provenance")
        path.unlink()
        write_table(frame, path, provenance=provenance, extra=notes)
    return first, second


def test_a_run_against_itself_differs_in_nothing(two, capsys):
    assert main(["compare", str(two[0]), str(two[0]), "--fusion", "gaussian"]) == 0
    told = capsys.readouterr().out
    assert "Configuration, code and versions are the same." in told
    images = len(pd.read_parquet(two[0] / "raw" / "images.parquet"))
    assert f"the same: {images} images." in told
    assert "+0.000" in told
    assert "all marked: the Dice of marking the whole region" in told
    assert "10 groups" in told


def test_maps_of_another_model_than_the_one_beside_them_are_said(two, tmp_path, capsys):
    shutil.copytree(two[0], tmp_path / "tiny")
    card = tmp_path / "tiny" / "model" / "unet" / "card.json"
    content = read_json(card)
    content["settings"]["seed"] += 1
    write_json(content, card)
    assert main(["compare", str(two[0]), str(tmp_path / "tiny"), "--fusion", "gaussian"]) == 0
    told = capsys.readouterr().out
    assert "of another model than the one beside them" in told
    assert "A: " in told.splitlines()[0]
    assert [line[:2] for line in told.splitlines() if "of another model" in line] == ["B:"]


def test_figures_and_images_that_differ_are_named(two, capsys):
    assert main(["compare", *map(str, two)]) == 0
    told = capsys.readouterr().out
    assert "other split: " in told
    assert "+0.250" in told
    assert compared_images(*two).other_split
    found = origins(two[0], model="unet", fusion="gaussian")
    assert {"raw", "normalized", "index guided", "model unet", "probability", "segmentation"} == set(found)
    assert set(found["probability"]) == {path.stem for path in (two[0] / "probability/unet/gaussian").glob("*.zarr")}
    assert json.dumps(found["model unet"][""]["config"]["model"])


def test_a_model_that_is_not_there_names_those_that_are(two, capsys):
    assert main(["compare", *map(str, two), "--model", "deeplab"]) == 1
    told = capsys.readouterr().err
    assert "unet.gaussian" in told
    assert "--model" in told


def test_more_than_two_models_are_refused(two, capsys):
    assert main(["compare", *map(str, two), "--model", "unet", "other", "third"]) == 1
    assert "Compare two at a time." in capsys.readouterr().err


def test_slides_that_were_rescaled_differently_are_named_and_originals_are_not(tmp_path):
    folders = tmp_path / "one", tmp_path / "other"
    for folder, side in zip(folders, (40, 20), strict=True):
        mapping = {
            "source_height": 80,
            "source_width": 80,
            "height": side,
            "width": side,
            "factor_y": side / 80,
            "factor_x": side / 80,
        }
        notes = {"lesionmap": {"image_id": "i1", "mapping": mapping}, "provenance": ORIGIN}
        create_group(folder / "normalized" / "i1.zarr", attributes=notes)
        seal(folder / "normalized" / "i1.zarr")
    table = pd.DataFrame({"image_id": ["i1", "cleaned_away"], "grid": "normalised"})
    assert images_of_other_grids(*folders, [table, table]) == ("i1",)
    assert images_of_other_grids(folders[0], folders[0], [table, table]) == ()
    measured = pd.concat([table, table.assign(grid="original")])
    assert images_of_other_grids(*folders, [measured, measured]) == ()
