"""Tables of metrics: classes, named averages, models and fusions side by side.

A number without a defined value is a dash that says why. Nothing is computed here that is not in a Parquet file.
"""

import math
from collections.abc import Mapping, Sequence

import pandas as pd

from pipeline.config.manifest import ClassRecord, DatasetRecord
from pipeline.report.measures.summary import COMPARED, NORMALISED, TRIVIAL, average_of, grids_of, on_grid
from pipeline.report.page.tables.cells import DASH, Cell, Table, chips, counted, headings, number, text_cell

__all__ = ["averages_table", "classes_table", "comparison_table", "lesions_table", "matching_rule", "trivial_note"]

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
    ("Dice per image", "mean of the Dice of the images that hold the class", "dice_image_mean"),
    ("IoU per image", "mean of the IoU of the images that hold the class", "iou_image_mean"),
)
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
IMAGES_HINT = "images that hold the class / images measured"
FALSE_HINT = "pixels predicted in images that do not hold the class"
THRESHOLD_HINT = "fitted on the validation images, by pooled Dice"
NO_TRUTH = "no image of this split holds the class"


def _value(rows: pd.DataFrame, measure: str, *, digits: int = 3, bar: bool = False) -> Cell:
    found = rows[rows["measure"] == measure]
    if not len(found):
        return Cell(DASH, hint="not measured")
    row = found.iloc[0]
    value, low, high = float(row["value"]), float(row["low"]), float(row["high"])
    if math.isnan(value):
        return Cell(DASH, hint=f"undefined: {NO_TRUTH}")
    between = "" if math.isnan(low) else f"{low:.{digits}f} – {high:.{digits}f}"
    trivial = rows.loc[rows["measure"] == TRIVIAL.get(measure, ""), "value"]
    note = ", ".join(filter(None, (between, trivial_note(float(trivial.iloc[0])) if len(trivial) else "")))
    return Cell(number(value, digits=digits), hint=str(row["label"]), note=note, share=value if bar else None)


def trivial_note(value: float) -> str:
    """Words on the Dice of the trivial answers beside that of a model; empty where it is undefined."""
    return "" if math.isnan(value) else f"all marked {number(value)}, none 0"


def _class_cell(each: ClassRecord, record: DatasetRecord) -> Cell:
    return Cell("", kind="text", chips=chips([each.code], record), note=each.name)


def _class_cells(own: pd.DataFrame, *, reason: str) -> list[Cell]:
    if not len(own):
        return [Cell(DASH, hint="not annotated")] * (len(METRICS) + 3)
    first, false = own.iloc[0], own.loc[own["measure"] == "false_positive_area", "value"]
    measured = [_value(own, measure, bar=measure == "dice_pooled") for _, _, measure in METRICS]
    held = Cell(f"{first['images_with_truth']} / {first['images']}", hint=IMAGES_HINT)
    threshold = number(float(first["threshold"]))
    return [
        *measured,
        held,
        Cell(counted(int(false.iloc[0])), hint=FALSE_HINT),
        Cell(threshold, hint=reason or THRESHOLD_HINT, note="default" if reason else ""),
    ]


def _grid_text(summary: pd.DataFrame, grid: str) -> str:
    """Words on the grid for a caption, where there are two."""
    return f", grid of the {grid} images" if len(grids_of(summary)) > 1 else ""


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
        Rows of ``measures.SUMMARY_COLUMNS`` of one result.
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
        rows.append((_class_cell(each, record), *_class_cells(own, reason=reasons.get(each.code, ""))))
        if not len(own):
            notes.append(f"{each.code}: nobody annotated it in this split.")
        elif not own.iloc[0]["images_with_truth"]:
            notes.append(f"{each.code}: {NO_TRUTH}; it has no Dice, IoU or AUPR, whatever was predicted.")
    notes += [f"{code}: threshold not fitted. {reason}" for code, reason in reasons.items() if reason]
    named = [(text, hint) for text, hint, _ in METRICS]
    head = headings(
        "Class", *named, ("Images", IMAGES_HINT), ("FP area, px", FALSE_HINT), ("Threshold", THRESHOLD_HINT)
    )
    return Table(f"Classes, {split} images{_grid_text(summary, grid)}", head, tuple(rows), tuple(notes))


def averages_table(summary: pd.DataFrame, *, split: str, grid: str = NORMALISED) -> Table:
    """Table of the named averages of one split on one grid."""
    shown = summary["measure"].isin([measure for _, _, measure in METRICS])
    part = on_grid(summary[(summary["split"] == split) & (summary["average"] != "") & shown], grid)
    rows = []
    for average in dict.fromkeys(part["average"].astype(str)):
        own = part[part["average"] == average]
        behind = max(own["classes"].astype(str), key=len) or "no class"
        cells = [_average_cell(own, measure, of=behind.split()) for _, _, measure in METRICS]
        rows.append((text_cell(average[0].upper() + average[1:], strong=True, note=f"over {behind}"), *cells))
    head = headings("Average", *[(text, hint) for text, hint, _ in METRICS])
    note = "A class without a defined value is left out of an average; the small print says which."
    return Table(f"Averages, {split} images{_grid_text(summary, grid)}", head, tuple(rows), (note,))


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
            _value(
                own, measure, digits=1 if measure == "false_lesions_per_image" else 3, bar=measure == "lesion_f1_pooled"
            )
            for _, _, measure in LESION_METRICS
        ]
        numbers = [Cell(counted(int(held[name].sum()))) for name in LESION_COUNTS]
        rows.append((_class_cell(each, record), *numbers, *cells))
    named = [(text, hint) for text, hint, _ in LESION_METRICS]
    head = headings("Class", *LESION_COUNTS.values(), *named)
    return Table(f"Lesions, {split} images{_grid_text(summary, grid)}", head, tuple(rows), (matching_rule(match),))


def matching_rule(match: float) -> str:
    """Rule of lesion-wise measures, in words."""
    enough = f"at least {match:.0%}" if match else "any pixel"
    return (
        f"A lesion is an 8-connected region of the truth. It is found where the prediction of its class covers {enough} of "
        f"it. A predicted region is false unless {enough} of it lies on truth of its class. A lesion is split where "
        "several predicted regions touch it; a predicted region is merged where it touches several lesions."
    )


def _average_cell(rows: pd.DataFrame, measure: str, *, of: Sequence[str]) -> Cell:
    found = rows[rows["measure"] == measure]
    if not len(found):
        return Cell("", hint="this average is given for IoU only")
    cell, behind = _value(rows, measure), str(found.iloc[0]["classes"]).split()
    missing = [code for code in of if code not in behind]
    without = f"without {', '.join(missing)}" if missing and behind else ""
    return Cell(cell.text, hint=cell.hint, note=", ".join(part for part in (cell.note, without) if part))


def comparison_table(
    summaries: Mapping[str, pd.DataFrame],
    *,
    split: str,
    shown: str,
    comparable: bool = True,
    grid: str = NORMALISED,
) -> Table:
    """Comparison of models and fusions by the main averages of a split on a grid; the best of a column is strong."""
    values = {
        name: [
            average_of(table, split=split, average=average, measure=measure, grid=grid)
            for _, average, measure in COMPARED
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
    head = headings("Model / fusion", *[(text, f"{measure}, {average}") for text, average, measure in COMPARED])
    notes = _trivial_notes(summaries[shown], split=split, grid=grid) if comparable else ()
    note = "" if comparable else "; each on the images that it did not learn from"
    where = _grid_text(summaries[shown], grid)
    return Table(f"{split.capitalize()} images{where}: pixels pooled, then the named mean{note}", head, rows, notes)


def _trivial_notes(summary: pd.DataFrame, *, split: str, grid: str) -> tuple[str, ...]:
    """Words on what trivial answers reach on the images that all results were measured on."""
    found = {
        text: average_of(summary, split=split, average=average, measure=TRIVIAL[measure], grid=grid)
        for text, average, measure in COMPARED
        if measure in TRIVIAL
    }
    said = ", ".join(f"{text} {number(value)}" for text, value in found.items() if not math.isnan(value))
    return (
        (f"Trivial answers: the whole region marked as the class gives {said}; nothing marked gives 0.",)
        if said
        else ()
    )
