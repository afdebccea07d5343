"""Table of all measured images: the numbers of the Parquet file, the worst image first, keys that sort as numbers do."""

import math

import pandas as pd
import pytest

from pipeline.report.measures.mismatches import Mismatch
from pipeline.report.page.tables.cells import Cell
from pipeline.report.page.tables.results import ImageScore, extremes, image_scores, results_table


@pytest.fixture(scope="module")
def rows(world):
    return pd.read_parquet(world.results[0].metrics_images)


def test_every_measured_image_has_a_row_and_the_worst_comes_first(world, rows):
    table = results_table(
        image_scores(rows, world.record),
        flags={"eye_04": 2},
        mismatched=[Mismatch("eye_04", ("MA",), ("EX",), whole=True)],
        shown="unet / none",
        linked=("eye_04",),
    )
    assert {row[0].text for row in table.rows} == set(rows.image_id.astype(str))
    scores = [float(row[3].text) for row in table.rows if row[3].text != "–"]
    assert scores == sorted(scores)
    assert {row[0].text: (row[0].href, row[-1].text) for row in table.rows}["eye_04"] == ("#overlay-eye_04", "2")
    assert [row[0].text for row in table.rows if "truth in doubt: MA, EX" in row[-1].note] == ["eye_04"]
    assert [table.rows[at][0].text for at in table.marked] == ["eye_04"]


def test_numbers_are_those_of_the_lesion_classes(world, rows):
    table = results_table(image_scores(rows, world.record), flags={}, mismatched=[], shown="unet / none")
    for row in table.rows:
        own = rows[(rows.image_id == row[0].text) & rows.class_code.isin(["MA", "EX", "SE"])]
        held = own[own.truth_pixels > 0]
        assert row[3].text == ("–" if held.empty else f"{held.dice.mean():.3f}")
        found = [int(cell.sort) for cell in row[5:9]]
        assert found == [
            own.lesions.sum(),
            own.lesions_found.sum(),
            own.lesions.sum() - own.lesions_found.sum(),
            own.false_lesions.sum(),
        ]


def score(image, dice, split="test"):
    return ImageScore(image, split, image, dice, dice, 1, 1, 0)


def test_best_median_and_worst_are_of_the_split_and_hold_lesions():
    scores = [score("a", 0.1), score("b", 0.2), score("v", 0.3, "validation"), score("c", 0.4), score("d", 0.9)]
    scores.append(score("e", math.nan))
    found = {name: each.image for name, each in extremes(scores, split="test").items()}
    assert found == {"best": "d", "median": "b", "worst": "a"}
    assert {name: each.image for name, each in extremes(scores[:2], split="test").items()} == {
        "best": "b",
        "worst": "a",
    }
    assert [each.image for each in extremes(scores, split="validation").values()] == ["v"]
    assert not extremes(scores[-1:], split="test")


@pytest.mark.parametrize(
    ("cell", "key"),
    [
        (Cell("1,234,567"), "1234567"),
        (Cell("0.756"), "0.756"),
        (Cell("12 / 14"), "12"),
        (Cell("–"), ""),
        (Cell("-0.5 %"), "-0.5"),
        (Cell("IDRiD_03", kind="text"), None),
    ],
)
def test_cells_of_numbers_sort_by_their_first_number(cell, key):
    assert cell.sort == key
