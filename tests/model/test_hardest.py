"""Hardest patches: their losses are those of the network on each patch alone, and suspects lie where they are said to lie."""

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pipeline.model.checkpoint import load_model
from pipeline.model.hardest import distinct, merge_hardest, write_hardest
from pipeline.model.loss import build_loss
from pipeline.model.patches import PatchDataset
from pipeline.model.rows import choose_rows
from pipeline.stores import open_array, read_table, write_table
from pipeline.stores.image_store import image_notes
from pipeline.stores.job import Job
from pipeline.stores.model_files import HARDEST
from tests.scenes.renames import Rename, recorded_renames
from tests.scenes.tiny_run import bare, copied


@pytest.fixture(scope="module")
def run(finished_run, tmp_path_factory):
    return copied(finished_run("fundus"), tmp_path_factory.mktemp("hardest"))


def written(run, output, *, sure=0.6):
    index = next((run.root / "index").glob("*.parquet"))
    normalized = {image: run.store(image) for image in run.images}
    job = Job(bare(run.record), run.origin("model", {}))
    write_hardest(run.model(), index=index, normalized=normalized, sure=sure, job=job, output=output)
    return read_table(output), index, normalized, job


@pytest.fixture(scope="module")
def made(run, tmp_path_factory):
    return written(run, tmp_path_factory.mktemp("made") / "unet.parquet")


def test_a_power_cut_leaves_no_ranking_without_its_copy(made, tmp_path, monkeypatch):
    table, _, _, job = made
    write_table(table, tmp_path / "a.parquet", provenance=job.provenance.as_attributes())
    renames = recorded_renames(monkeypatch)
    merge_hardest([tmp_path / "a.parquet"], job=job, output=tmp_path / "both.parquet", model=tmp_path / "both")
    places = [tmp_path / "both" / HARDEST, tmp_path / "both.parquet"]
    assert [each for each in renames if each.path in places] == [Rename(path, True) for path in places]


def test_every_place_that_trains_or_validates_is_ranked_by_its_own_loss(run, made):
    table, index, normalized, job = made
    patches = table[table["kind"] == "patch"]
    chosen = choose_rows(read_table(index), fold=-1)
    rows = pd.concat([distinct(chosen.training), distinct(chosen.validation)], ignore_index=True)
    assert sorted(patches["patch_id"]) == sorted(rows["patch_id"].astype(str))
    assert set(patches.loc[patches["held_out"], "patch_id"]) == set(distinct(chosen.validation)["patch_id"].astype(str))
    assert patches["rank"].tolist() == list(range(1, len(rows) + 1))
    assert patches["loss"].is_monotonic_decreasing
    network, card = load_model(run.model(), device="cpu")
    loss = build_loss(card.settings.loss, task=card.task)
    dataset = PatchDataset(rows, normalized=normalized, record=job.record, side=card.patch)
    for at in (0, len(rows) - 1):
        pixels, target, _, unknown = (torch.as_tensor(np.asarray(each))[None] for each in dataset[(0, at, 0)])
        precision = card.settings.precision  # resolved when it trained, on this machine
        mixed = torch.autocast("cpu", dtype=torch.bfloat16, enabled=precision == "bfloat16")
        with torch.inference_mode(), mixed:
            value = float(loss(network(pixels).float(), target, unknown))
        own = patches.loc[patches["patch_id"] == rows["patch_id"].iloc[at], "loss"].iloc[0]
        assert own == pytest.approx(value, rel=1e-4 if precision == "float32" else 0.02)


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60), st.sampled_from("ab")), min_size=1, max_size=40))
def test_distinct_patches_lie_less_than_half_a_patch_from_each_that_was_left_out(places):
    side = 16
    rows = pd.DataFrame(places, columns=["y", "x", "image_id"]).assign(height=side, width=side)
    kept = distinct(rows)
    assert distinct(kept).equals(kept)
    for row in rows.drop(kept.index).itertuples():
        before = kept[(kept["image_id"] == row.image_id) & (kept.index < row.Index)]
        assert ((before["y"] - row.y).abs().lt(side / 2) & (before["x"] - row.x).abs().lt(side / 2)).any()
    cells = {
        (row.image_id, (row.y + side // 2) // (side // 2), (row.x + side // 2) // (side // 2))
        for row in rows.itertuples()
    }
    assert len(kept) == len(cells)


def test_suspects_are_wrong_in_their_box_and_lie_in_the_original_where_it_says(run, made):
    table = made[0]
    suspects = table[table["kind"] != "patch"]
    assert len(suspects), "a network of one epoch is often wrong"
    for row in suspects.head(20).itertuples():
        truth = open_array(run.store(row.image_id), "truth")[run.record.codes.index(row.class_code)]
        inside = truth[row.y : row.y + row.height, row.x : row.x + row.width]
        assert bool(inside.any()) == (row.kind == "unseen")
        factor = image_notes(run.store(row.image_id))["mapping"]
        assert row.source_y * factor["factor_y"] == pytest.approx(row.y)
        assert row.source_width * factor["factor_x"] == pytest.approx(row.width)
    assert suspects["surprise"].is_monotonic_decreasing
    for _, group in suspects.groupby(["kind", "class_code", "image_id"], observed=True):
        boxes = group[["y", "x", "height", "width"]].to_numpy()
        for at, (y, x, h, w) in enumerate(boxes):
            others = boxes[:at]
            apart = (others[:, 0] >= y + h) | (y >= others[:, 0] + others[:, 2]) | (others[:, 1] >= x + w)
            assert (apart | (x >= others[:, 1] + others[:, 3])).all(), "a region that two patches show is listed once"


def test_the_table_is_the_same_twice_and_lies_in_the_folder_of_the_model(run, made, tmp_path):
    again = written(run, tmp_path / "unet.parquet")[0]
    pd.testing.assert_frame_equal(made[0], again)
    pd.testing.assert_frame_equal(read_table(run.model() / HARDEST), again)


def test_an_ensemble_ranks_what_its_members_did_not_learn_from(run, made, tmp_path):
    table, _, _, job = made
    paths = [tmp_path / name / "x.parquet" for name in ("a", "b")]
    for path in paths:
        path.parent.mkdir()
        written(run, path)
    folder = tmp_path / "both"
    folder.mkdir()
    merge_hardest(paths, job=job, output=tmp_path / "both.parquet", model=folder)
    merged = read_table(tmp_path / "both.parquet")
    held = table[(table["kind"] == "patch") & table["held_out"]]
    assert merged["held_out"].all()
    assert sorted(merged.loc[merged["kind"] == "patch", "patch_id"]) == sorted([*held["patch_id"]] * 2)
    assert list(merged.columns) == list(table.columns)
