"""Tables of the hardest patches: each row leads to its place, and says what is in doubt."""

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

from pipeline.model.hardest import COLUMNS
from pipeline.report.page.render import rendered
from pipeline.report.page.sections.hardest import hardest_section
from pipeline.report.page.tables.hardest import patches_table, suspects_table
from pipeline.report.run_warnings import NoModel
from pipeline.stores import write_table

EMPTY = {name: "" if kind in ("str", "category") else 0 for name, kind in COLUMNS.items()}
PLACE = {"image_id": "a b", "y": 10, "x": 20, "height": 30, "width": 40, "source_y": 20.0, "source_x": 40.0}
VIEWER = Path(__file__).parents[3] / "pipeline" / "report" / "page" / "viewer" / "viewer.js"


def rows(**own: object) -> pd.DataFrame:
    return pd.DataFrame([EMPTY | PLACE | own]).astype(COLUMNS)


def test_a_row_leads_to_its_box_where_the_image_has_a_page() -> None:
    pages = {"a b": "zoom/a%20b/index.html"}
    linked, plain = (patches_table(rows(kind="patch", loss=1.5), pages=each).rows[0] for each in (pages, {}))
    assert linked[0].href == "zoom/a%20b/index.html#box=10,20,30,40"
    assert plain[0].href == ""
    assert [cell.text for cell in linked] == ["a b", "trained on", "40, 20", "0 × 0", "1.500"]


def test_the_page_of_an_image_reads_the_box_that_the_table_writes() -> None:
    pattern = re.search(r"/(\^#box=.*?\$)/", VIEWER.read_text())
    assert pattern
    href = patches_table(rows(kind="patch"), pages={"a b": "x"}).rows[0][0].href
    found = re.fullmatch(pattern[1], href.removeprefix("x"))
    assert found
    assert found.groups() == ("10", "20", "30", "40")


def test_a_label_in_doubt_names_its_class_and_what_is_wrong(record) -> None:
    for kind, said in (("unmarked", "the truth has none"), ("unseen", "sure of none")):
        (row,) = suspects_table(rows(kind=kind, class_code="EX", held_out=True, area=7), record, pages={}).rows
        assert row[1].text == "held out"
        assert [chip[0] for chip in row[4].chips] == ["EX"]
        assert said in row[5].text


POOR = NoModel("unet", "EX", (("none, test images", "no pixel is marked"),), ())


@pytest.mark.parametrize(
    ("poor", "shown", "said"),
    [
        ([POOR], ["OD"], "Left out: 2 labels of EX."),
        ([NoModel("other", "EX", POOR.found, ())], ["EX", "EX", "OD"], "3 labels in doubt in 1 image"),
        ([NoModel("unet", "EX", POOR.found, ("a b",))], ["EX", "EX", "OD"], "3 labels in doubt in 1 image"),
    ],
    ids=["poor", "poor is another", "its threshold was misled"],
)
def test_labels_of_a_class_that_the_model_does_not_know_are_left_out_and_counted(
    record: Any, tmp_path: Path, poor: list[NoModel], shown: list[str], said: str
) -> None:
    doubts = [rows(kind="unmarked", class_code=code, rank=at) for at, code in enumerate(("EX", "EX", "OD"), start=1)]
    path = tmp_path / "unet.parquet"
    write_table(pd.concat([rows(kind="patch", rank=1), *doubts]).astype(COLUMNS), path, provenance={})
    facts: Any = SimpleNamespace(inputs=SimpleNamespace(hardest=path, pages={}), no_models=poor, record=record)
    content = hardest_section(facts)
    assert content
    assert [row[4].chips[0][0] for row in content["suspects"].rows] == shown
    assert len(content["hardest_patches"].rows) == 1
    assert said in rendered("section_hardest.html", content)
