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
    """Content of the section; None where no table was written.

    Labels of classes for which the model is no better than a trivial answer are left out: there it doubts at random. Not so
    where its threshold was fitted with truth in doubt, which is what the labels may show.
    """
    if facts.inputs.hardest is None:
        return None
    found, model = read_table(facts.inputs.hardest), facts.inputs.hardest.stem
    patches, suspects = found[found["kind"] == "patch"], found[found["kind"] != "patch"]
    poor = sorted(each.code for each in facts.no_models if each.model == model and not each.misled)
    random = suspects["class_code"].astype(str).isin(poor)
    pages, kept = facts.inputs.pages, suspects[~random]
    shown = {str(image) for part in (patches, kept) for image in _first(part)["image_id"]}
    return {
        "hardest_model": model,
        "linked": shown <= set(pages),
        "suspected": len(kept),
        "suspected_images": int(kept["image_id"].astype(str).nunique()),
        "hardest_patches": patches_table(_first(patches), pages=pages),
        "suspects": suspects_table(_first(kept), facts.record, pages=pages),
        "poor": poor,
        "not_shown": int(random.sum()),
    }


def _first(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.sort_values("rank").head(SHOWN)
