"""Table of the boundary measures of each class, with their rule under it."""

import math

import pandas as pd

from pipeline.config.manifest import DatasetRecord
from pipeline.report.measures.summary import NORMALISED, on_grid
from pipeline.report.measures.surfaces import ONE_SIDED
from pipeline.report.page.tables.cells import DASH, Cell, Table, headings
from pipeline.report.page.tables.measured import NO_TRUTH, class_cell, grid_text, value_cell

__all__ = ["surface_rule", "surfaces_table"]

COLUMNS = (
    (
        "Surface Dice",
        "border pixels of both sides within the tolerance / all of them, over all images",
        "surface_dice_pooled",
        3,
    ),
    ("per image", "mean over the images that hold the class", "surface_dice_image_mean", 3),
    ("HD95, px", "95th percentile of the distances between the borders, mean over images", "hd95_image_mean", 1),
    ("HD95, µm", "the same in micrometres", "hd95_um_image_mean", 1),
    (
        "Grown, px",
        "signed border distance, mean over images: positive grown, negative shrunken",
        "border_shift_image_mean",
        2,
    ),
    ("Grown, µm", "the same in micrometres", "border_shift_um_image_mean", 2),
)
LEFT_OUT = (
    ("Not predicted", "images that hold the class, in which nothing of it is predicted: they have no HD95"),
    ("Predicted alone", "images that do not hold the class, in which something of it is predicted: they have no HD95"),
)
NO_PAIR = "no image has both truth and prediction"


def surfaces_table(
    summary: pd.DataFrame, record: DatasetRecord, *, split: str, tolerance: str, grid: str = NORMALISED
) -> Table:
    """Table of boundary measures of each class on one split; micrometres where a pixel size is known.

    Parameters
    ----------
    summary, record, split, grid
        As in `classes_table`.
    tolerance
        ``report.surface_tolerance``.
    """
    part, rows = on_grid(summary[summary["split"] == split], grid), []
    known = part.loc[part["measure"].str.contains("_um_"), "value"].notna().any()
    columns = [each for each in COLUMNS if known or "_um_" not in each[2]]
    for each in record.classes:
        own = part[part["class_code"] == each.code]
        cells = [
            value_cell(
                own,
                measure,
                digits=digits,
                bar=measure == "surface_dice_pooled",
                undefined=NO_TRUTH if measure.startswith("surface") else NO_PAIR,
            )
            for _, _, measure, digits in columns
        ]
        rows.append((class_cell(each, record), *cells, *_left_out(own)))
    head = headings("Class", *[(text, hint) for text, hint, _, _ in columns], *LEFT_OUT)
    caption = f"Boundaries, {split} images{grid_text(summary, grid)}"
    return Table(caption, head, tuple(rows), (surface_rule(tolerance, known=bool(known)),))


def _left_out(own: pd.DataFrame) -> list[Cell]:
    """Images without HD95, of those that hold the class and of those that do not."""
    cells = []
    for measure, (_, hint) in zip(ONE_SIDED, LEFT_OUT, strict=True):
        found = own[own["measure"] == measure]
        if not len(found) or math.isnan(found.iloc[0]["value"]):
            cells.append(Cell(DASH, hint="not measured"))
            continue
        row = found.iloc[0]
        held = int(row["images_with_truth"])
        of = held if measure == ONE_SIDED[0] else int(row["images"]) - held
        cells.append(Cell(f"{row['value']:.0f} / {of}", hint=hint))
    return cells


def surface_rule(tolerance: str, *, known: bool) -> str:
    """Rule of boundary measures, in words."""
    length, unit = tolerance.split()
    meant = "pixels of the original" if unit == "px" else "µm"
    missing = "" if known or unit == "px" else " No pixel size is known, so there is none here."
    return (
        f"Borders agree up to {length} {meant}: normalised surface Dice is the share of the border pixels of both sides that lie "
        f"within that of the other; undefined without truth, 0 where nothing is predicted.{missing} HD95 is the larger one of the "
        "95th percentiles of both directions, and needs both sides: images with one alone are counted. Grown is the mean signed distance over the contours that "
        "meet the other side, positive where the prediction reaches beyond the truth. Distances are pixels of the original."
    )
