"""First screen of a page: the model, its scores beside the trivial answer, and its best, median and worst image."""

import math
from collections.abc import Mapping
from typing import Any

from pipeline.arrays.trivial import hardly_above
from pipeline.report.measures.summary import on_grid
from pipeline.report.page.facts import Facts
from pipeline.report.page.tables.cells import Cell, Table, headings, number
from pipeline.report.page.tables.measured import class_cell, grid_text, value_cell

__all__ = ["first_screen"]

COLUMNS = (
    ("AUPR", "step-wise average precision, pixels of all images pooled", "ap_pooled", 3),
    ("Found", "regions of the truth found / all of them", "lesion_sensitivity_pooled", 3),
    ("False per image", "false predicted regions / images measured", "false_lesions_per_image", 1),
)
NOTE = "Nothing marked has Dice 0."
NOT_ABOVE = "On amber ground: not or hardly above the trivial answer that marks the whole region as the class."


def _scores(facts: Facts) -> Table:
    """Table of the shown result, one row per class: its Dice, that of the trivial answer, and the lesions found."""
    assert facts.choice is not None
    summary = facts.summaries[facts.choice.result.name]
    part, rows, marked = on_grid(summary[summary["split"] == facts.split], facts.grid), [], set()
    for at, each in enumerate(facts.record.classes):
        own = part[part["class_code"] == each.code]
        values = {str(row["measure"]): float(row["value"]) for row in own.to_dict("records")}
        dice, trivial = (values.get(name, math.nan) for name in ("dice_pooled", "dice_everywhere_pooled"))
        if dice <= max(trivial, 0.0) or hardly_above(dice, trivial):
            marked.add(at)
        cells = [value_cell(own, measure, digits=digits) for _, _, measure, digits in COLUMNS]
        beside = Cell(number(trivial))
        rows.append(
            (class_cell(each, facts.record), value_cell(own, "dice_pooled", bar=True, trivial=False), beside, *cells)
        )
    head = headings(
        "Class",
        ("Dice", "2 TP / (2 TP + FP + FN), pixels of all images pooled"),
        ("All marked", "Dice of the trivial answer that marks the whole region as the class"),
        *[(text, hint) for text, hint, _, _ in COLUMNS],
    )
    caption = f"{facts.split.capitalize()} images{grid_text(summary, facts.grid)}, pixels of all of them pooled"
    return Table(caption, head, tuple(rows), (NOTE, NOT_ABOVE) if marked else (NOTE,), frozenset(marked))


def first_screen(facts: Facts, contents: Mapping[str, Mapping[str, Any] | None]) -> dict[str, Any] | None:
    """Content of the first screen, from that of the sections; None where nothing was measured."""
    if facts.choice is None or not facts.split:
        return None
    models = {each.name: each.text for each in (contents["training"] or {}).get("models", ())}
    name = facts.choice.result.name
    return {
        "shown": name,
        "model": models.get(facts.choice.result.model, ""),
        "reason": facts.choice.reason,
        "better": facts.choice.better,
        "scores": _scores(facts),
        "extremes": (contents["overlays"] or {}).get("extremes", ()),
        "extremes_legend": (contents["overlays"] or {}).get("extremes_legend", ()),
        "split": facts.split,
    }
