"""Confusion matrix as a table: where the pixels of each class go, with the IoU of labels and the rule under it."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from pipeline.arrays.confusion import label_ious
from pipeline.config.manifest import DatasetRecord, Task
from pipeline.counts import number_of
from pipeline.report.page.tables.cells import Cell, Table, chips, counted, headings, number, text_cell
from pipeline.words import BACKGROUND

__all__ = ["confusion_table"]

BY: Mapping[Task, str] = {
    "multiclass": "The label of a pixel is the most probable one, background having the probability 1 − Σp, without thresholds.",
    "multilabel": "The label of a pixel comes from the written masks; where they overlap, the first by the priority of the manifest.",
    "binary": "The label of a pixel comes from the written masks.",
}
UNLIKE: Mapping[Task, str] = {
    "multiclass": (
        "Why this mIoU with background is not that of the other tables: here each pixel has one label, chosen by probability "
        "alone, as in most papers on multiclass segmentation. There the written masks are compared, after the threshold of "
        "each class and the removal of small regions, each class by itself in the images in which it is annotated, and "
        "background is what no mask covers. A threshold below .5 marks pixels whose most probable label is background, and a "
        "removed region keeps its label here. Compare a paper with this one; judge the masks that you use by the others."
    ),
    "multilabel": (
        "Why this mIoU with background may differ from that of the other tables: here each pixel has one label. There each "
        "mask is compared by itself, so a pixel in two masks counts for both classes, and in all images in which its class is "
        "annotated. Where no masks and no truths overlap and every image is annotated for every class, the two are equal."
    ),
    "binary": "This mIoU with background is that of the other tables: with one class both compare its written masks.",
}
"""Sentences that tell the two kinds of mIoU apart."""


def confusion_table(kept: Mapping[str, Any], record: DatasetRecord, *, split: str, where: str = "") -> Table:
    """Table of a confusion matrix, shares of the truth of each class.

    Parameters
    ----------
    kept
        ``labels``, ``pixels`` (truth by prediction) and ``images``, as `write_metrics` keeps them.
    record
        Classes and task.
    split
        Which split.
    where
        Words on the grid.
    """
    matrix, names = np.array(kept["pixels"], np.int64), list(kept["labels"])
    order = [*range(1, len(names)), 0]
    ious = label_ious(matrix, names)
    rows = []
    for at in order:
        of_truth = int(matrix[at].sum())
        shares = [
            Cell(
                f"{100 * matrix[at, other] / of_truth:.1f} %" if of_truth else "–",
                hint=f"{counted(matrix[at, other])} pixels",
                strong=other == at,
            )
            for other in order
        ]
        rows.append((_name(names[at], record), Cell(counted(of_truth)), *shares, Cell(number(ious[names[at]]))))
    defined = [value for value in ious.values() if not np.isnan(value)]
    mean = (
        f"mIoU with background {number(float(np.mean(defined)))}, over {number_of(len(defined), 'label')}. "
        if defined
        else ""
    )
    note = f"{mean}{BY[record.task]} Over {number_of(kept['images'], 'image')} in which every class is annotated."
    head = headings(
        "Truth", "Pixels", *[(f"→ {names[at]}", "share of the truth's pixels") for at in order], "IoU of labels"
    )
    return Table(f"Confusion of classes, {split} images{where}", head, tuple(rows), (note, UNLIKE[record.task]))


def _name(code: str, record: DatasetRecord) -> Cell:
    return text_cell(code) if code == BACKGROUND else Cell("", kind="text", chips=chips([code], record))
