"""Table of every image: the numbers of the Parquet files, the worst image first, a link always, keys that sort as numbers do."""

import math

import pandas as pd
import pytest

from pipeline.report.page.tables.cells import Cell
from pipeline.report.page.tables.results import ImageScore, Places, extremes, image_scores, results_table
from pipeline.stores import read_table


@pytest.fixture(scope="module")
def rows(world):
    return pd.read_parquet(world.results[0].metrics_images)


def table_of(world, scores, **changed):
    """The table, and its rows by image and by the heads of its columns."""
    settings = {"shown": "unet / none", "flags": {}, "places": Places()} | changed
    table = results_table(read_table(world.inputs.images), scores, world.record, **settings)
    heads = [cell.text for cell in table.head]
    return table, {row[0].text: dict(zip(heads, row, strict=True)) for row in table.rows}


def test_every_image_has_a_row_measured_ones_first_and_the_worst_on_top(world, rows):
    table, found = table_of(world, image_scores(rows, world.record), flags={"eye_04": ["weak eosin", "ink"]})
    assert set(found) == set(read_table(world.inputs.images).image_id)
    measured = set(rows.image_id.astype(str))
    assert set(list(found)[: len(measured)]) == measured
    scores = [float(row["Dice"].text) for row in found.values() if row["Dice"].text != "–"]
    assert scores == sorted(scores)
    assert found["eye_04"]["Flags"].text == "weak eosin; ink"
    assert found["eye_08"]["Flags"].text == "left out"
    assert found["eye_00"]["Found"].hint == "not measured"
    assert table.searched
    marked, _ = table_of(world, image_scores(rows, world.record), doubtful={"eye_00"})
    assert [marked.rows[at][0].text for at in marked.marked] == ["eye_00"]


def test_a_name_leads_to_its_page_else_its_overlays_else_its_picture(world, rows):
    places = Places(pages={"eye_02": "zoom/x"}, overlays={"eye_02", "eye_04"}, pictures={"eye_00": "a.jpg"})
    _, found = table_of(world, image_scores(rows, world.record), places=places)
    links = {image: (row["Image"].href, row["Image"].picture) for image, row in found.items()}
    assert links["eye_02"] == ("zoom/x", "")
    assert links["eye_04"] == ("#overlay-eye_04", "")
    assert links["eye_00"] == ("", "a.jpg")
    assert links["eye_08"] == ("#rejections", "")


def test_numbers_are_those_of_the_lesion_classes(world, rows):
    _, found = table_of(world, image_scores(rows, world.record))
    for image in rows.image_id.astype(str).unique():
        own = rows[(rows.image_id == image) & rows.class_code.isin(["MA", "EX", "SE"])]
        held = own[own.truth_pixels > 0]
        assert found[image]["Dice"].text == ("–" if held.empty else f"{held.dice.mean():.3f}")
        assert [int(found[image][name].sort) for name in ("Lesions", "Found", "Missed", "False")] == [
            own.lesions.sum(),
            own.lesions_found.sum(),
            own.lesions.sum() - own.lesions_found.sum(),
            own.false_lesions.sum(),
        ]


def test_where_no_class_is_a_lesion_all_are_counted_as_regions(world, rows):
    anatomy = tuple(each.model_copy(update={"kind": "anatomy"}) for each in world.record.classes)
    record = world.record.model_copy(update={"classes": anatomy})
    table = results_table(
        read_table(world.inputs.images), image_scores(rows, record), record, shown="a", flags={}, places=Places()
    )
    at = [cell.text for cell in table.head].index("Regions")
    assert sum(int(row[at].sort) for row in table.rows if row[at].text != "–") == rows.lesions.sum()
    assert "lesion" not in " ".join([*table.notes, *(cell.hint for cell in table.head)])


def test_without_results_there_are_no_columns_of_scores(world):
    table, found = table_of(world, [])
    assert [cell.text for cell in table.head] == ["Image", "Split", "Group", "Classes present", "Flags"]
    assert len(found) == 7


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
