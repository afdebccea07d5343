"""Section on the hardest patches of the shown model: those of the largest loss, and labels that are in doubt."""

from typing import Any

import pandas as pd

from pipeline.report.page.facts import Facts
from pipeline.report.page.tables.hardest import patches_table, suspects_table
from pipeline.stores import read_table

__all__ = ["hardest_section"]

SHOWN = 12
"""Rows of each table."""


def hardest_section(facts: Facts) -> dict[str, Any] | None:
    """Content of the section; None where no table was written."""
    if facts.inputs.hardest is None:
        return None
    found = read_table(facts.inputs.hardest)
    patches, suspects = found[found["kind"] == "patch"], found[found["kind"] != "patch"]
    pages = facts.inputs.pages
    return {
        "hardest_model": facts.inputs.hardest.stem,
        "linked": bool(pages),
        "suspected": len(suspects),
        "suspected_images": int(suspects["image_id"].astype(str).nunique()),
        "hardest_patches": patches_table(_first(patches), pages=pages),
        "suspects": suspects_table(_first(suspects), facts.record, pages=pages),
    }


def _first(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.sort_values("rank").head(SHOWN)
