"""The sheet shows as many patches of each class, chosen by their ids alone, with their truth outlined."""

import numpy as np
import pandas as pd
import pytest

from pipeline.report.pictures.patch_sheet import COLUMNS, TILE, contact_sheet, drawn_for, rows_to_show


@pytest.fixture(scope="module")
def frame(world):
    return pd.read_parquet(world.inputs.indexes["guided"])


def ids(rows):
    return {row.what: row.patches["patch_id"].tolist() for row in rows}


def test_each_class_gives_the_same_number_from_all_images_and_from_training_only(frame, world):
    rows = rows_to_show(frame, world.record, most=4)
    assert [row.what for row in rows] == [*world.record.codes, "background"]
    for row in rows:
        assert (row.patches["split"] == "train").all()
        assert set(drawn_for(row.patches)) == {row.what}
        assert row.patches["image_id"].astype(str).value_counts().to_dict() == {"eye_00": 2, "eye_01": 2}
        assert f"{int((drawn_for(frame[frame.split == 'train']) == row.what).sum())} patches" in row.title


def test_the_choice_depends_on_nothing_but_the_ids(frame, world):
    mixed = frame.sample(frac=1, random_state=3).reset_index(drop=True)
    assert ids(rows_to_show(mixed, world.record, most=3)) == ids(rows_to_show(frame, world.record, most=3))


def test_more_patches_of_an_image_do_not_push_others_out(frame, world):
    many = pd.concat(
        [
            frame,
            *(
                frame[frame.image_id == "eye_00"].assign(patch_id=lambda f, at=at: f.patch_id + f"/{at}")
                for at in range(9)
            ),
        ]
    )
    chosen = rows_to_show(many, world.record, most=4)
    assert all((row.patches["image_id"] == "eye_01").sum() == 2 for row in chosen)


def test_patches_added_for_coverage_are_not_shown_and_a_grid_is_shown_by_what_it_holds(frame, world):
    assert rows_to_show(frame.assign(coverage=True), world.record) == []
    grid = frame.assign(target_class=pd.Categorical([None] * len(frame), categories=["MA"]))
    rows = rows_to_show(grid, world.record)
    holding = {row.what: row for row in rows}
    assert (holding["OD"].patches["pixels_OD"] > 0).all()
    assert not holding["background"].patches["is_positive"].any()
    assert len(holding["OD"].patches) <= COLUMNS


def test_the_sheet_holds_every_tile_with_its_truth_in_the_colours_of_the_classes(frame, world):
    rows = rows_to_show(frame, world.record)
    sheet = contact_sheet(rows, normalized=world.inputs.normalized, record=world.record)
    assert sheet.dtype == np.uint8
    assert sheet.shape[0] > len(rows) * TILE
    assert sheet.shape[1] >= max(len(row.patches) for row in rows) * TILE
    for at, code in enumerate(world.record.codes):
        shown = pd.concat([row.patches for row in rows])
        outlined = (sheet == world.record.classes[at].rgb).all(axis=-1).sum()
        # Besides the outlines, each class has a swatch of 12 × 12 pixels.
        assert (outlined > 200) == bool((shown[f"pixels_{code}"] > 0).any()), code
    again = contact_sheet(rows, normalized=world.inputs.normalized, record=world.record)
    assert np.array_equal(sheet, again)


def test_a_patch_that_its_image_cuts_short_keeps_its_shape(frame, world):
    rows = rows_to_show(frame.assign(height=24), world.record)[:1]
    sheet = contact_sheet(rows, normalized=world.inputs.normalized, record=world.record)
    grey = (sheet == (223, 229, 236)).all(axis=-1)
    assert grey.sum() == len(rows[0].patches) * TILE * TILE // 2
