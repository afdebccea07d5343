"""Parts of a split: what an eager computation over the images of a centre or a patient gives, and where tables are shown."""

import math

import numpy as np
import pandas as pd
import pytest

from pipeline.arrays.metrics import average_precision, probability_histogram
from pipeline.report.measures.parts import PART_COLUMNS
from pipeline.report.page.tables.parts import parts_tables
from pipeline.stores import read_table

FOUND = ["Found", "False per image"]
"""Columns of the mean over lesions that no class has."""


@pytest.fixture(scope="module")
def several(make, make_eye, tmp_path_factory):
    """Six tested images of two centres and five patients, of which one has two; one image has no centre."""
    eyes = [make_eye(number, "test", height=48, width=52) for number in range(6)]
    eyes[2].group = eyes[0].group
    eyes[5].centre = ""
    return make(tmp_path_factory.mktemp("parts"), eyes, fusions=("none",)), eyes


@pytest.fixture(scope="module")
def table(several) -> pd.DataFrame:
    return read_table(several[0].results[0].metrics_parts)


def eager(eyes, at: int) -> tuple[float, float]:
    truth = np.concatenate([eye.truth[at].ravel() > 0 for eye in eyes])
    scores = np.concatenate([eye.probability[at].ravel() for eye in eyes])
    mask = scores >= 0.5
    if not truth.any():
        return math.nan, math.nan
    dice = 2 * (truth & mask).sum() / (truth.sum() + mask.sum())
    return float(dice), average_precision(probability_histogram(scores, truth))


def marked(eyes, at: int) -> float:
    """Dice of marking the whole region, or the whole picture where that is better."""
    truth = np.concatenate([eye.truth[at].ravel() > 0 for eye in eyes])
    region = np.concatenate([eye.roi.ravel() > 0 for eye in eyes])
    if not truth.any():
        return math.nan
    return max(float(2 * (truth & all_of).sum() / (truth.sum() + all_of.sum())) for all_of in (region, region | True))


def test_each_part_has_the_scores_of_its_images_pooled(several, table):
    world, eyes = several
    assert {name: str(dtype) for name, dtype in table.dtypes.items()} == PART_COLUMNS
    by = {"centre": {"A": [0, 2, 4], "B": [1, 3]}, "group": {eyes[0].group: [0, 2], eyes[1].group: [1]}}
    for kind, parts in by.items():
        for part, numbers in parts.items():
            own = table[(table["by"] == kind) & (table["part"] == part)].set_index("class_code")
            held = [eyes[number] for number in numbers]
            scores = [eager(held, at) for at in range(len(world.record.codes))]
            for code, (dice, precision) in zip(world.record.codes, scores, strict=True):
                found = own.loc[code]
                np.testing.assert_allclose([found["dice_pooled"], found["ap_pooled"]], [dice, precision])
                np.testing.assert_allclose(
                    found["dice_everywhere_pooled"], marked(held, world.record.codes.index(code))
                )
            lesions = [pair for pair, each in zip(scores, world.record.classes, strict=True) if each.kind == "lesion"]
            mean = own[own["average"] == "mean over lesions"].iloc[0]
            np.testing.assert_allclose([mean["dice_pooled"], mean["ap_pooled"]], np.nanmean(lesions, axis=0))
            assert (mean["images"], mean["groups"]) == (len(held), len({eye.group for eye in held}))
    assert set(table[table["by"] == "centre"]["part"]) == {"A", "B"}, "an unknown centre is no part"


def test_tables_are_shown_where_they_say_more_than_that_of_the_images(several, table):
    world, _ = several
    centres, groups = parts_tables(table, world.record, split="test")
    assert [row[0].text for row in centres.rows] == ["A", "B"]
    assert len(groups.rows) == 5
    rows = table[(table["by"] == "centre") & (table["part"] == "A") & (table["average"] == "mean over lesions")]
    assert centres.rows[0][3].note == f"all marked {rows['dice_everywhere_pooled'].item():.3f}, none 0"
    assert all("all marked" in cell.note for row in centres.rows for cell in row[7:] if cell.share is not None)
    one = table[table["part"] != "B"]
    assert [each.head[0].text for each in parts_tables(one, world.record, split="test")] == ["Group"]
    assert parts_tables(table[table["by"] == "centre"], world.record, split="validation") == ()
    alone = table[(table["by"] == "group") & (table["images"] == 1)]
    assert parts_tables(alone, world.record, split="test") == ()


@pytest.mark.parametrize(
    ("kinds", "means"),
    [
        (("lesion", "lesion", "lesion", "anatomy"), ["Dice, lesion classes", "AUPR, lesion classes", *FOUND]),
        (("lesion",) * 4, ["Dice", "AUPR", *FOUND]),
        (("lesion", "anatomy", "anatomy", "anatomy"), FOUND),
        (("anatomy",) * 4, []),
    ],
)
def test_a_mean_that_has_no_value_or_repeats_a_class_has_no_column(several, table, kinds, means):
    pairs = zip(several[0].record.classes, kinds, strict=True)
    classes = tuple(each.model_copy(update={"kind": kind}) for each, kind in pairs)
    record = several[0].record.model_copy(update={"classes": classes})
    centres, _ = parts_tables(table, record, split="test")
    assert [each.text for each in centres.head] == ["Centre", "Groups", "Images", *means, *record.codes]
    assert {len(row) for row in centres.rows} == {len(centres.head)}
