"""The section on times shows the sums of the table, in a file of its own."""

import math
from pathlib import Path

import pandas as pd

from pipeline.report.measures.times import COLUMNS
from pipeline.report.page.times_page import Noted, times_table, write_times_page

ROWS = [
    ("raw", "raw_image", 1200, 3600.0, 2.75, 4000.0, 450.4, 860),
    ("model", "model_fit", 1, 1200.0, 1200.0, math.nan, math.nan, None),
]


def test_a_row_for_each_rule_and_their_sum() -> None:
    table = times_table(pd.DataFrame(ROWS, columns=list(COLUMNS)))
    texts = [[cell.text for cell in row] for row in table.rows]
    assert texts[0] == ["raw", "raw_image", "1,200", "3,600.0", "2.8", "4,000.0", "450", "860"]
    assert texts[1] == ["model", "model_fit", "1", "1,200.0", "1,200.0", "–", "–", "–"]
    assert texts[2] == ["all", "", "1,201", "4,800.0", "", "4,000.0", "", ""]
    assert [row[3].share for row in table.rows[:2]] == [0.75, 0.25]


def test_the_section_and_its_table_are_written_without_any_job(tmp_path: Path) -> None:
    write_times_page(Noted(tmp_path / "none"), dataset="eyes", folder=tmp_path / "report")
    assert "No job has left its figures." in (tmp_path / "report" / "times.html").read_text()
    assert (tmp_path / "report" / "times.csv").read_text().strip() == ",".join(COLUMNS)


def test_the_section_shows_what_snakemake_noted_and_escapes_it(tmp_path: Path) -> None:
    noted = tmp_path / "eyes" / "raw" / "raw_image" / "a.tsv"
    noted.parent.mkdir(parents=True)
    noted.write_text("s\tmax_rss\tcpu_time\n3.5\t234.5\t3.0\n")
    write_times_page(Noted(tmp_path / "eyes", {"raw_image": 999}), dataset="<eyes>", folder=tmp_path)
    text = (tmp_path / "times.html").read_text()
    assert all(word in text for word in ("raw_image", "3.5", "999", "&lt;eyes&gt;"))
    assert "<eyes>" not in text
    assert text.count("<script>") == 1
