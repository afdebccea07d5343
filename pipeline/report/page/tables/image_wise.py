"""Table of the image-wise AUC and the calibration of each class, with both rules under it."""

import pandas as pd

from pipeline.arrays.calibration import BINS
from pipeline.config.manifest import DatasetRecord
from pipeline.report.measures.summary import NORMALISED, on_grid
from pipeline.report.page.tables.cells import Cell, Table, counted, headings
from pipeline.report.page.tables.measured import class_cell, grid_text, value_cell

__all__ = ["image_wise_table"]

RANKED = ("AUC", "area under the ROC curve of images, ranked by their largest probability of the class", "image_auc")
CALIBRATED = (
    ("ECE", "expected calibration error: mean of |frequency − confidence| over pixels", "ece_pooled"),
    ("ACE", "average calibration error: the same, mean over the bins of probability", "ace_pooled"),
)
COUNTS = (
    ("With", "images that hold the class"),
    ("Without", "images that were looked through for the class and do not hold it"),
)
AUC_RULE = (
    "AUC: do images that hold the class rank above those that do not, by the largest probability in them? It is the share of "
    "pairs of such images in the right order, ties half; .5 is chance. Undefined where all images hold the class, or none."
)
CALIBRATION_RULE = (
    f"Calibration: pixels of all images in {BINS} bins of probability. ECE weighs bins by pixels, so that background decides "
    "it where a class is rare; ACE weighs all bins that hold pixels alike. Undefined without truth, as Dice is."
)


def image_wise_table(summary: pd.DataFrame, record: DatasetRecord, *, split: str, grid: str = NORMALISED) -> Table:
    """Table of image-wise AUC and calibration of each class on one split; ``summary`` as in `classes_table`."""
    part, rows = on_grid(summary[summary["split"] == split], grid), []
    for each in record.classes:
        own = part[part["class_code"] == each.code]
        held, looked = (int(own[name].iloc[0]) if len(own) else 0 for name in ("images_with_truth", "images"))
        one_side = "all images hold the class" if held else "no image holds the class"
        cells = (
            value_cell(own, RANKED[2], undefined=one_side),
            *(value_cell(own, name, digits=4) for _, _, name in CALIBRATED),
        )
        rows.append((class_cell(each, record), Cell(counted(held)), Cell(counted(looked - held)), *cells))
    head = headings("Class", *COUNTS, *[(text, hint) for text, hint, _ in (RANKED, *CALIBRATED)])
    return Table(
        f"Whole images, and calibration, {split} images{grid_text(summary, grid)}",
        head,
        tuple(rows),
        (AUC_RULE, CALIBRATION_RULE),
    )
