"""The numbers about an index are those of its rows and of its metadata, whatever of the latter is missing."""

import numpy as np
import pandas as pd
import pytest

from pipeline.report.page.tables.patches import (
    all_tables,
    images_of_index,
    lesions_missed,
    missed_sentence,
    notes_of,
    spread_table,
    truth_shares,
)
from pipeline.stores import table_metadata


@pytest.fixture(scope="module")
def frame(world):
    return pd.read_parquet(world.inputs.indexes["guided"])


@pytest.fixture(scope="module")
def summary(world):
    return table_metadata(world.inputs.indexes["guided"])["summary"]


def texts(table):
    return [[cell.text or cell.chips[0][0] for cell in row] for row in table.rows]


def value(text):
    return float(text.removesuffix(" %")) / 100


def test_quantiles_are_those_of_numpy(frame, world):
    found = {(row[0], row[1]): [value(text) for text in row[2:]] for row in texts(truth_shares(frame, world.record))}
    assert set(found) == {("train", what) for what in [*world.record.codes, "background"]} | {
        ("validation", "grid"),
        ("test", "grid"),
    }
    for (split, what), shares in found.items():
        own = frame[
            (frame["split"] == split)
            & (frame["target_class"].isna() if what == "grid" else frame["target_class"] == what)
        ]
        expected = np.quantile(own["truth_fraction"], [0, 0.05, 0.25, 0.5, 0.75, 0.95, 1])
        np.testing.assert_allclose(shares, expected, rtol=0.06, atol=1e-6)


def test_patches_of_images_add_up_and_the_largest_come_first(frame, world):
    table = images_of_index(frame, world.record, most=99)
    rows = texts(table)
    assert sum(int(row[3]) for row in rows) == len(frame)
    assert [cell.text for cell in table.head][4:] == [*world.record.codes, "background", "grid"]
    for row in rows:
        own = frame[frame["image_id"] == row[0]]
        assert row[1:4] == [own["split"].iloc[0], own["group_id"].iloc[0], str(len(own))]
        assert sum(int(text) for text in row[4:] if text != "–") == len(own)
    assert [row[1] for row in rows] == ["train", "train", "validation", "test", "test"]
    short = images_of_index(frame, world.record, most=2)
    assert len(short.rows) == 2
    assert short.notes == ("3 more images, each with no more patches.",)


def test_lesions_that_no_patch_touches_are_told_by_class_and_size(summary, world):
    table = lesions_missed(summary, world.record)
    assert [cell.text for cell in table.head] == ["Class", "All", "1 to 9 px"]
    assert texts(table) == [["MA", "3 / 30", "3 / 30"], ["EX", "0 / 8", "–"]]
    assert table.rows[0][1].note == "10.0 %"


def test_all_lesions_together_stand_behind_the_counts(summary, world):
    assert missed_sentence(summary, world.record) == "; no training patch touches 3 of 38 lesions (7.9 %)"
    assert (
        missed_sentence({"lesions": {"MA": {"components": 4, "untouched": 0}}}, world.record)
        == "; training patches touch all 4 lesions"
    )
    discs = {"lesions": {code: {"components": 1, "untouched": 0} for code in ("MA", "OD")}}
    assert missed_sentence(discs, world.record) == "; training patches touch all 2 regions"
    assert missed_sentence({}, world.record) == missed_sentence({"lesions": {"MA": {}}}, world.record) == ""


def test_spread_names_the_image_and_the_patient_that_most_are_from(frame, summary):
    rows = dict(texts(spread_table(frame, summary)))
    assert rows["training patches"] == "30"
    assert rows["most of them from one image"].startswith("15 (50.0 %, eye_0")
    assert rows["patients they are from"] == "2"
    assert rows["share of the tissue they see"] == "25.0 %"
    assert rows["least distance of two, pixels"] == "22"


def test_notes_are_the_sentences_of_the_sampling_or_made_of_what_ran_short(summary):
    assert notes_of(summary) == ("SE: 2 of 3 patches drawn, because of this and that.",)
    older = {"short": [{"class": "SE", "drawn": 2, "requested": 3, "why": "there is no more"}]}
    assert notes_of(older) == ("SE: 2 of 3 patches drawn, because there is no more.",)
    assert notes_of({"short": [{"class": "SE", "drawn": 2, "requested": 3}]}) == ("SE: 2 of 3 patches drawn.",)


@pytest.mark.parametrize(
    "known", [{}, {"lesions": {}}, {"spread": None}, {"lesions": {"MA": {}}}, {"spread": {"least_distance": None}}]
)
def test_an_index_that_says_little_of_itself_is_shown_all_the_same(frame, known, world):
    assert len(all_tables(frame, known, world.record, most=9)) >= 3
    assert notes_of(known) == ()
    assert spread_table(frame[frame["split"] == "test"], known) is None
