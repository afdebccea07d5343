"""Sensitivity in thirds of lesions, and the table of it."""

import math

import numpy as np
import pandas as pd
import pytest

from pipeline import stores
from pipeline.report.measures.strata import PROPERTIES, strata, thirds
from pipeline.report.page.tables.strata import strata_table


def test_thirds_are_those_of_pandas_and_count_what_is_found():
    values = np.array([5.0, 1, 9, 7, 3, 11, 2, 8, 6])
    found = values > 5
    cut = pd.qcut(values, 3, labels=False)
    expected = [(int((cut == at).sum()), int(found[cut == at].sum())) for at in range(3)]
    result = thirds(values, found)
    assert [(each["lesions"], each["found"]) for each in result] == expected
    assert [each["sensitivity"] for each in result] == pytest.approx([0, 2 / 3, 1])
    assert [(each["least"], each["most"]) for each in result] == [(1, 3), (5, 7), (8, 11)]


def test_equal_values_stay_together_endless_ones_are_highest_and_unknown_ones_nowhere():
    result = thirds(np.array([2.0, 2, 2, 2, math.inf, math.nan]), np.ones(6, np.bool_))
    assert [each["lesions"] for each in result] == [4, 0, 1]
    assert (result[1]["sensitivity"], result[2]["most"]) == (None, None)
    assert [each["lesions"] for each in thirds(np.array([4.0]), np.ones(1, np.bool_))] == [1, 0, 0]
    assert [each["lesions"] for each in thirds(np.zeros(0), np.zeros(0, np.bool_))] == [0, 0, 0]


def lesions(**columns: object) -> pd.DataFrame:
    names = {"split": "test", "class_code": "MA", "side": "truth", "matched": True}
    return pd.DataFrame({**names, **dict.fromkeys(PROPERTIES, 1.0), **columns})


def test_dark_lesions_are_as_plain_as_bright_ones_and_a_lonely_one_is_the_most_isolated():
    rows = lesions(contrast=[-30.0, 1, 20], isolation_px=[5.0, math.nan, 9])
    found = strata(rows, ("MA", "EX"))["test"]
    assert set(found) == {"MA"}
    assert [each["most"] for each in found["MA"]["contrast"]] == [1, 20, 30]
    assert [each["most"] for each in found["MA"]["isolation_px"]] == [5, 9, None]


def test_a_run_keeps_the_thirds_of_its_lesions_and_the_page_shows_them(world):
    result = world.results[0]
    rows = pd.read_parquet(result.metrics_lesions)
    kept = stores.table_metadata(result.metrics_classes)["strata"]["normalised"]["test"]
    own = rows[(rows.side == "truth") & (rows.split == "test")]
    for code, found in kept.items():
        matched = own[own.class_code == code].matched
        for name in PROPERTIES[:1] + PROPERTIES[2:]:
            assert sum(each["lesions"] for each in found[name]) == len(matched)
            assert sum(each["found"] for each in found[name]) == matched.sum()
    table = strata_table(kept, world.record, split="test", where="")
    assert table is not None
    assert len(table.rows) == len(kept)
    assert {len(row) for row in table.rows} == {len(table.head)} == {1 + 3 * len(PROPERTIES)}
    assert strata_table({}, world.record, split="test", where="") is None
