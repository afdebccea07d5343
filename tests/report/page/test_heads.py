"""Pages of all data sets, of the report and of `lesionmap view`, have the same head."""

from pipeline.report.page.render import rendered
from pipeline.report.page.tables.cells import Table, results_facts


def test_both_pages_of_all_data_sets_have_the_same_head() -> None:
    facts = results_facts(sets=1, images=12)
    report = rendered("index.html", {"sets": [], "facts": facts, "comparison": Table("", (), ()), "footer": ""})
    viewer = rendered("view_index.html", {"sets": [], "facts": facts})
    heads = [" ".join(text.partition("</header>")[0].split()) for text in (report, viewer)]
    assert heads[0] == heads[1]
    assert heads[0].startswith("<!doctype html>")
    assert "<li><b>1</b> data set</li><li><b>12</b> images</li>" in heads[0]
