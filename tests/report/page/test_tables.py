"""Numbers are written so that they cannot be misread."""

import pytest

from pipeline.report.page.tables.cells import counted, number
from pipeline.report.page.tables.images import images_table, splits_table
from pipeline.report.pictures.pairs import pairs_to_show
from pipeline.stores import read_table


@pytest.mark.parametrize(("value", "text"), [(0.12345, "0.123"), (1.0, "1.000"), (float("nan"), "–")])
def test_a_number_has_three_digits_and_an_undefined_one_is_a_dash(value, text):
    assert number(value) == text


def test_thousands_are_separated():
    assert counted(9876543) == "9,876,543"


def test_totals_per_split_count_holding_and_annotated_images(world):
    table = splits_table(read_table(world.inputs.images), world.record)
    head = [cell.text for cell in table.head]
    rows = {row[0].text: dict(zip(head, [cell.text for cell in row], strict=True)) for row in table.rows}
    assert rows["test"]["SE"] == "0 / 2"
    assert rows["test"]["EX"] == "1 / 2"
    assert rows["predict"]["MA"] == "–"
    assert rows["left out"]["Images"] == "1"
    assert rows["all usable"]["Images"] == "6"


def test_totals_say_in_how_many_annotated_images_a_class_is_unknown(world):
    images = read_table(world.inputs.images)
    images.loc[images["image_id"] == "eye_04", "pixels_EX"] = -1
    table = splits_table(images, world.record)
    column = [cell.text for cell in table.head].index("EX")
    cells = {row[0].text: row[column] for row in table.rows}
    assert (cells["test"].text[-1], cells["test"].note, cells["all usable"].note) == (
        "1",
        "unknown in 1",
        "unknown in 1",
    )
    assert cells["train"].note == cells["predict"].note == ""


def test_the_table_of_images_tells_not_annotated_from_none(world):
    rows = {row[0].text: row for row in images_table(read_table(world.inputs.images), world.record).rows}
    assert rows["eye_05"][-1].text == "not annotated"
    assert [chip[0] for chip in rows["eye_03"][-1].chips] == ["MA", "EX", "OD"]
    assert len(rows) == 7


def test_pairs_show_every_centre_before_a_second_image_of_one(world):
    table = read_table(world.inputs.images)
    assert [row["centre"] for row in pairs_to_show(table, most=2)] == ["A", "B"]
    assert all(not row["rejected"] for row in pairs_to_show(table, most=99))
