"""Tables of the hardest patches and of suspected label errors, each row a link to its place in the deep zoom."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from pipeline.config.manifest import DatasetRecord
from pipeline.report.page.tables.cells import Cell, Table, chips, number, text_cell

__all__ = ["patches_table", "suspects_table"]

SAID = {"unmarked": "the model is sure, the truth has none", "unseen": "the truth has it, the model is sure of none"}
HEAD = (
    Cell("Image", kind="text"),
    Cell("Side", kind="text", hint="whether the model learned from the patch"),
    Cell("Place", hint="left, top in pixels of the original"),
    Cell("Size", hint="width × height in pixels of the original"),
)


def _place(row: Mapping[Any, Any], pages: Mapping[str, str]) -> tuple[Cell, ...]:
    image = str(row["image_id"])
    page = pages.get(image, "")
    box = ",".join(str(int(row[name])) for name in ("y", "x", "height", "width"))
    at = f"{row['source_x']:.0f}, {row['source_y']:.0f}"
    size = f"{row['source_width']:.0f} × {row['source_height']:.0f}"
    return (
        text_cell(image, strong=True, href=f"{page}#box={box}" if page else ""),
        text_cell("held out" if row["held_out"] else "trained on", hint=f"{row['split']}, {row['model']}"),
        Cell(at, hint="left, top in pixels of the original"),
        Cell(size, hint="width × height in pixels of the original"),
    )


def patches_table(rows: pd.DataFrame, *, pages: Mapping[str, str]) -> Table:
    """Table of patches by their loss."""
    found = [(*_place(row, pages), Cell(number(row["loss"]))) for row in rows.to_dict("records")]
    return Table("Patches of the largest loss", (*HEAD, Cell("Loss", hint="of the patch alone")), tuple(found))


def suspects_table(rows: pd.DataFrame, record: DatasetRecord, *, pages: Mapping[str, str]) -> Table:
    """Table of suspected label errors by their surprise."""
    found = [
        (
            *_place(row, pages),
            Cell("", kind="text", chips=chips([str(row["class_code"])], record)),
            text_cell(SAID[str(row["kind"])]),
            Cell(f"{int(row['area']):,}"),
            Cell(number(row["probability"], digits=2)),
        )
        for row in rows.to_dict("records")
    ]
    head = (
        *HEAD,
        Cell("Class", kind="text"),
        Cell("Doubt", kind="text"),
        Cell("Area", hint="pixels of the normalised image"),
        Cell("Probability", hint="mean of the class in it"),
    )
    return Table("Labels in doubt, the most surprising first", head, tuple(found))
