"""An unknown target is said with the nearest one, and other words of Snakemake stay as they are."""

import logging

import pytest

from pipeline.runtime.unknown_target import NearestTarget, with_targets
from pipeline.words import WORDS

SNAKEMAKE = (
    "MissingRuleException:\nNo rule to produce {} (if you use input functions make sure that they don't raise"
    " unexpected exceptions)."
)


@pytest.mark.parametrize(
    ("target", "near"),
    [("normalised", "normalized"), ("modle", "model"), ("reports", "report"), ("al", "all"), ("indexes", "index")],
)
def test_a_misspelled_target_is_said_with_the_nearest(target, near):
    said = with_targets(SNAKEMAKE.format(target))
    assert said.startswith(SNAKEMAKE.format(target))
    assert f"Did you mean {near!r}?" in said


def test_all_targets_are_named_where_none_is_near():
    said = with_targets(SNAKEMAKE.format("xyz"))
    assert "Did you mean" not in said
    assert all(word in said for word in ("all", *WORDS))


def test_other_records_stay_as_they_are():
    found, lines = logging.Logger("of Snakemake"), []
    handler = logging.Handler()
    handler.emit = lambda record: lines.append(record.getMessage())
    found.addHandler(handler)
    found.addFilter(NearestTarget())
    found.info("%s of %s", 1, 2)
    found.info(None)
    found.error(SNAKEMAKE.format("normalised"))
    assert lines[:2] == ["1 of 2", "None"]
    assert "Did you mean 'normalized'?" in lines[2]
