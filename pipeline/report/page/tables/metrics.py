"""Tables of metrics: classes, named averages, models and fusions side by side.

A number without a defined value is a dash that says why. Nothing is computed here that is not in a Parquet file.
"""

import math
from collections.abc import Mapping, Sequence

import pandas as pd

from pipeline.config.manifest import DatasetRecord
from pipeline.report.measures.average_words import OF, average_words, compared_columns
from pipeline.report.measures.summary import NORMALISED, TRIVIAL, average_of, on_grid
from pipeline.report.page.tables.cells import DASH, Cell, Table, counted, headings, number, text_cell
from pipeline.report.page.tables.measured import NO_TRUTH, class_cell, grid_text, value_cell

__all__ = ["averages_table", "classes_table", "comparison_table"]

METRICS = (
    ("Dice", "2 TP / (2 TP + FP + FN), pixels of all images pooled", "dice_pooled"),
    ("IoU", "TP / (TP + FP + FN), pixels of all images pooled", "iou_pooled"),
    (
        "AUPR",
        "area under the precision-recall curve: step-wise average precision over the pooled pixels, without threshold",
        "ap_pooled",
    ),
    (
        "AUPR-11",
        "trapezoid under the precision-recall points of the thresholds 0, 0.1 … 1: the AUPR of IDRiD tables made with mmsegmentation",
        "aupr11_pooled",
    ),
    ("Precision", "TP / (TP + FP), pixels of all images pooled", "precision_pooled"),
    ("Recall", "TP / (TP + FN), pixels of all images pooled", "recall_pooled"),
    ("Specificity", "TN / (TN + FP), pixels of all images pooled", "specificity_pooled"),
    ("Dice per image", "mean of the Dice of the images that hold the class", "dice_image_mean"),
    ("IoU per image", "mean of the IoU of the images that hold the class", "iou_image_mean"),
)
UNDEFINED = {"precision_pooled": "nothing of it is predicted", "specificity_pooled": "every pixel is truth"}
IMAGES_HINT = "images that hold the class / images measured"
FALSE_HINT = "pixels predicted in images that do not hold the class"
THRESHOLD_HINT = "fitted on the validation images, by pooled Dice"


def _class_cells(own: pd.DataFrame, *, reason: str) -> list[Cell]:
    if not len(own):
        return [Cell(DASH, hint="not annotated")] * (len(METRICS) + 3)
    first, false = own.iloc[0], own.loc[own["measure"] == "false_positive_area", "value"]
    measured = [
        value_cell(own, measure, bar=measure == "dice_pooled", undefined=UNDEFINED.get(measure, NO_TRUTH))
        for _, _, measure in METRICS
    ]
    held = Cell(f"{first['images_with_truth']} / {first['images']}", hint=IMAGES_HINT)
    threshold = number(float(first["threshold"]))
    return [
        *measured,
        held,
        Cell(counted(int(false.iloc[0])), hint=FALSE_HINT),
        Cell(threshold, hint=reason or THRESHOLD_HINT, note="default" if reason else ""),
    ]


def classes_table(
    summary: pd.DataFrame,
    record: DatasetRecord,
    *,
    split: str,
    reasons: Mapping[str, str],
    grid: str = NORMALISED,
) -> Table:
    """Table of the scores of each class on one split.

    Parameters
    ----------
    summary
        Rows of ``measures.summary.SUMMARY_COLUMNS`` of one result.
    record
        Classes.
    split
        Which split.
    reasons
        Class code → why its threshold was not fitted.
    grid
        Whose pixels count.
    """
    part, rows, notes = on_grid(summary[summary["split"] == split], grid), [], []
    for each in record.classes:
        own = part[part["class_code"] == each.code]
        rows.append((class_cell(each, record), *_class_cells(own, reason=reasons.get(each.code, ""))))
        if not len(own):
            notes.append(f"{each.code}: nobody annotated it in this split.")
        elif not own.iloc[0]["images_with_truth"]:
            notes.append(f"{each.code}: {NO_TRUTH}; it has no Dice, IoU or AUPR, whatever was predicted.")
    notes += [f"{code}: threshold not fitted. {reason}" for code, reason in reasons.items() if reason]
    named = [(text, hint) for text, hint, _ in METRICS]
    head = headings(
        "Class", *named, ("Images", IMAGES_HINT), ("False where absent, px", FALSE_HINT), ("Threshold", THRESHOLD_HINT)
    )
    return Table(f"Classes, {split} images{grid_text(summary, grid)}", head, tuple(rows), tuple(notes))


def averages_table(summary: pd.DataFrame, record: DatasetRecord, *, split: str, grid: str = NORMALISED) -> Table:
    """Table of the named averages of one split on one grid, without those that repeat a class or another average."""
    shown = summary["measure"].isin([measure for _, _, measure in METRICS])
    part = on_grid(summary[(summary["split"] == split) & (summary["average"] != "") & shown], grid)
    rows, said = [], set()
    for average in dict.fromkeys(part["average"].astype(str)):
        words = average_words(average, record)
        if words in said or words.startswith(OF):
            continue
        said.add(words)
        own = part[part["average"] == average]
        behind = max(own["classes"].astype(str), key=len) or "no class"
        cells = [_average_cell(own, measure, of=behind.split()) for _, _, measure in METRICS]
        rows.append((text_cell(words[0].upper() + words[1:], strong=True, note=f"over {behind}"), *cells))
    head = headings("Average", *[(text, hint) for text, hint, _ in METRICS])
    note = "A class without a defined value is left out of an average; the small print says which."
    return Table(f"Averages, {split} images{grid_text(summary, grid)}", head, tuple(rows), (note,))


def _average_cell(rows: pd.DataFrame, measure: str, *, of: Sequence[str]) -> Cell:
    found = rows[rows["measure"] == measure]
    if not len(found):
        return Cell("", hint="this average is given for IoU only")
    cell, behind = value_cell(rows, measure), str(found.iloc[0]["classes"]).split()
    missing = [code for code in of if code not in behind]
    without = f"without {', '.join(missing)}" if missing and behind else ""
    return Cell(cell.text, hint=cell.hint, note=", ".join(part for part in (cell.note, without) if part))


def comparison_table(
    summaries: Mapping[str, pd.DataFrame],
    *,
    split: str,
    shown: str,
    record: DatasetRecord,
    comparable: bool = True,
    grid: str = NORMALISED,
) -> Table:
    """Comparison of models and fusions by the main averages of a split on a grid; the best of a column is strong."""
    columns = compared_columns(record)
    values = {
        name: [
            average_of(table, split=split, average=average, measure=measure, grid=grid)
            for _, average, measure in columns
        ]
        for name, table in summaries.items()
    }
    best = [
        max((value for value in column if not math.isnan(value)), default=math.nan)
        for column in zip(*values.values(), strict=True)
    ]
    rows = tuple(
        (
            text_cell(name, strong=name == shown, note="shown below" if name == shown else ""),
            *(
                Cell(
                    number(value),
                    strong=comparable and value == top,
                    share=value if not math.isnan(value) and at == 0 else None,
                )
                for at, (value, top) in enumerate(zip(row, best, strict=True))
            ),
        )
        for name, row in values.items()
    )
    head = headings(
        "Model / fusion",
        *[(text, f"{measure}, {average_words(average, record)}") for text, average, measure in columns],
    )
    notes = _trivial_notes(summaries[shown], columns, split=split, grid=grid) if comparable else ()
    note = "" if comparable else "; each on the images that it did not learn from"
    where = grid_text(summaries[shown], grid)
    return Table(f"{split.capitalize()} images{where}: pixels pooled, then the named mean{note}", head, rows, notes)


def _trivial_notes(
    summary: pd.DataFrame, columns: Sequence[tuple[str, str, str]], *, split: str, grid: str
) -> tuple[str, ...]:
    """Words on what trivial answers reach on the images that all results were measured on."""
    found = {
        text: average_of(summary, split=split, average=average, measure=TRIVIAL[measure], grid=grid)
        for text, average, measure in columns
        if measure in TRIVIAL
    }
    said = ", ".join(f"{text} {number(value)}" for text, value in found.items() if not math.isnan(value))
    return (
        (f"Trivial answers: the whole region marked as the class gives {said}; nothing marked gives 0.",)
        if said
        else ()
    )
