"""Table of the lesion-wise scores of each class, with the rule of matching under it."""

import pandas as pd

from pipeline.config.manifest import DatasetRecord
from pipeline.counts import region_noun
from pipeline.report.measures.summary import NORMALISED, on_grid
from pipeline.report.page.tables.cells import Cell, Table, counted, headings
from pipeline.report.page.tables.measured import class_cell, grid_text, value_cell

__all__ = ["lesions_table", "matching_rule"]

LESION_METRICS = (
    ("Found", "regions found / regions of the truth, over all images: sensitivity", "lesion_sensitivity_pooled"),
    (
        "Precision",
        "predicted regions that are not false / predicted regions, over all images",
        "lesion_precision_pooled",
    ),
    ("F1", "2 sensitivity precision / (sensitivity + precision)", "lesion_f1_pooled"),
    (
        "False per image",
        "false predicted regions / images measured, those without truth regions too",
        "false_lesions_per_image",
    ),
)
LESION_COUNTS = {
    "lesions": ("Truth", "regions of the truth"),
    "lesions_split": ("Split", "regions of the truth that several predicted regions touch"),
    "predicted_lesions": ("Predicted", "regions of the prediction"),
    "false_lesions": ("False", "predicted regions that lie on too little truth"),
    "merged_lesions": ("Merged", "predicted regions that touch several regions of the truth"),
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
        Rows of ``measures.summary.SUMMARY_COLUMNS`` of one result.
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
    noun = region_noun((each.kind for each in record.classes), modality=record.modality)
    caption = f"{noun.capitalize()}s, {split} images{grid_text(summary, grid)}"
    return Table(caption, head, tuple(rows), (matching_rule(match, noun=noun),))


def matching_rule(match: float, *, noun: str) -> str:
    """Rule of lesion-wise measures, in words; ``noun`` is that of the regions of the truth."""
    enough = f"at least {match:.0%}" if match else "any pixel"
    return (
        f"{'A lesion is an 8-connected region of the truth' if noun == 'lesion' else 'Regions are 8-connected'}. A {noun} of the "
        f"truth is found where the prediction of its class covers {enough} of it, and split where several predicted regions "
        f"touch it. A predicted region is false unless {enough} of it lies on truth of its class, and merged where it touches "
        f"several {noun}s of the truth."
    )
