"""Cells of measures: the value of a class or an average with its interval, or a dash that says why there is none."""

import math

import pandas as pd

from pipeline.config.manifest import ClassRecord, DatasetRecord
from pipeline.report.measures.summary import TRIVIAL, grids_of
from pipeline.report.page.tables.cells import DASH, Cell, chips, number

__all__ = ["NO_TRUTH", "class_cell", "grid_text", "trivial_note", "value_cell"]

NO_TRUTH = "no image of this split holds the class"


def value_cell(
    rows: pd.DataFrame,
    measure: str,
    *,
    digits: int = 3,
    bar: bool = False,
    undefined: str = NO_TRUTH,
    trivial: bool = True,
) -> Cell:
    """Cell of a measure with its interval, from the summary rows of one class or average.

    ``undefined`` says why it may be, ``trivial`` whether the trivial answers stand under it.
    """
    found = rows[rows["measure"] == measure]
    if not len(found):
        return Cell(DASH, hint="not measured")
    row = found.iloc[0]
    value, low, high = float(row["value"]), float(row["low"]), float(row["high"])
    if math.isnan(value):
        return Cell(DASH, hint=f"undefined: {undefined}")
    between = "" if math.isnan(low) else f"{low:.{digits}f} – {high:.{digits}f}"
    beside = rows.loc[rows["measure"] == TRIVIAL.get(measure, ""), "value"]
    words = trivial_note(float(beside.iloc[0])) if trivial and len(beside) else ""
    note = ", ".join(filter(None, (between, words)))
    return Cell(number(value, digits=digits), hint=str(row["label"]), note=note, share=value if bar else None)


def trivial_note(value: float) -> str:
    """Words on the Dice of the trivial answers beside that of a model; empty where it is undefined."""
    return "" if math.isnan(value) else f"all marked {number(value)}, none 0"


def class_cell(each: ClassRecord, record: DatasetRecord) -> Cell:
    """Cell that names a class, with its colour."""
    return Cell("", kind="text", chips=chips([each.code], record), note=each.name)


def grid_text(summary: pd.DataFrame, grid: str) -> str:
    """Words on the grid for a caption, where there are two."""
    return f", grid of the {grid} images" if len(grids_of(summary)) > 1 else ""
