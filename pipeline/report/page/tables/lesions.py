"""Table of the lesion-wise scores of each class, with the rule of matching under it."""

import pandas as pd

from pipeline.config.manifest import DatasetRecord
from pipeline.report.measures.summary import NORMALISED, on_grid
from pipeline.report.page.tables.cells import Cell, Table, counted, headings
from pipeline.report.page.tables.measured import class_cell, grid_text, value_cell

__all__ = ["lesions_table", "matching_rule"]

LESION_METRICS = (
    ("Found", "lesions found / lesions, over all images: sensitivity", "lesion_sensitivity_pooled"),
    (
        "Precision",
        "predicted lesions that are not false / predicted lesions, over all images",
        "lesion_precision_pooled",
    ),
    ("F1", "2 sensitivity precision / (sensitivity + precision)", "lesion_f1_pooled"),
    (
        "False per image",
        "false predicted lesions / images measured, those without lesions too",
        "false_lesions_per_image",
    ),
)
LESION_COUNTS = {
    "lesions": ("Lesions", "regions of the truth"),
    "lesions_split": ("Split", "lesions that several predicted regions touch"),
    "predicted_lesions": ("Predicted", "regions of the prediction"),
    "false_lesions": ("False", "predicted regions that lie on too little truth"),
    "merged_lesions": ("Merged", "predicted regions that touch several lesions"),
}


def lesions_table(
    summary: pd.DataFrame,
    images: pd.DataFrame,
    record: DatasetRecord,
    *,
    split: str,
    match: float,
    grid: str = NORMALISED,
) -> Table:
    """Table of the lesion-wise scores of each class on one split, with the rule under it.

    Parameters
    ----------
    summary
        Rows of ``measures.SUMMARY_COLUMNS`` of one result.
    images
        Rows of ``measures.image_rows.IMAGE_COLUMNS`` of the same.
    record
        Classes.
    split
        Which split.
    match
        Share that must be covered.
    grid
        Whose pixels count.
    """
    part, counts = (on_grid(table[table["split"] == split], grid) for table in (summary, images))
    rows = []
    for each in record.classes:
        own, held = part[part["class_code"] == each.code], counts[counts["class_code"] == each.code]
        cells = [
            value_cell(
                own, measure, digits=1 if measure == "false_lesions_per_image" else 3, bar=measure == "lesion_f1_pooled"
            )
            for _, _, measure in LESION_METRICS
        ]
        numbers = [Cell(counted(int(held[name].sum()))) for name in LESION_COUNTS]
        rows.append((class_cell(each, record), *numbers, *cells))
    named = [(text, hint) for text, hint, _ in LESION_METRICS]
    head = headings("Class", *LESION_COUNTS.values(), *named)
    return Table(f"Lesions, {split} images{grid_text(summary, grid)}", head, tuple(rows), (matching_rule(match),))


def matching_rule(match: float) -> str:
    """Rule of lesion-wise measures, in words."""
    enough = f"at least {match:.0%}" if match else "any pixel"
    return (
        f"A lesion is an 8-connected region of the truth. It is found where the prediction of its class covers {enough} of "
        f"it. A predicted region is false unless {enough} of it lies on truth of its class. A lesion is split where "
        "several predicted regions touch it; a predicted region is merged where it touches several lesions."
    )
