"""Tables of an experiment: arms side by side, their classes, paired differences, published figures."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import pandas as pd

from pipeline.config.experiments import AVERAGES
from pipeline.report.measures.summary import MEASURES, ORIGINAL, OVER_LESIONS
from pipeline.report.page.tables.cells import DASH, Cell, Table, counted, headings, number, text_cell

__all__ = ["arms_table", "class_tables", "difference_table", "image_difference_table", "published_table"]

ARM_COLUMNS = (
    ("AUPR, lesion classes", "ap_pooled.lesions"),
    ("AUPR-11, lesion classes", "aupr11_pooled.lesions"),
    ("Dice, lesion classes", "dice_pooled.lesions"),
    ("mIoU", "iou_pooled.classes"),
)
CLASS_MEASURES = {
    "ap_pooled": "AUPR",
    "aupr11_pooled": "AUPR-11",
    "dice_pooled": "Dice",
    "recall_pooled": "Sensitivity (recall)",
    "precision_pooled": "Precision",
}
IMAGE_MEASURES = {"dice": "Dice", "ap": "AUPR", "aupr11": "AUPR-11"}
COST = (
    ("Training, s", "train_seconds", "seconds of one training, mean over its models"),
    ("MiB", "train_memory_mb", "largest memory of a training"),
    ("Maps, s", "maps_seconds", "seconds for the maps of all measured images, each once, all fusions in one pass"),
    ("MiB", "maps_memory_mb", "largest memory of the maps of an image"),
)
ByArm: TypeAlias = dict[tuple[str, str], dict[str, Any]]
"""Arm and class → row of a table."""
TRIVIAL_ROW = "everything marked"


def _with_spread(value: float, spread: float) -> Cell:
    return Cell(number(value), note="" if math.isnan(spread) else f"± {number(spread)}")


def _strong(cell: Cell, *, strong: bool) -> Cell:
    return Cell(cell.text, note=cell.note, hint=cell.hint, strong=strong)


def arms_table(results: pd.DataFrame, *, split: str) -> Table:
    """Table of the arms on one split: main averages with their spread, steps, cost; the best of a column is strong.

    Parameters
    ----------
    results
        Rows of the arms, see `pipeline.report.measures.arms.arm_row`.
    split
        Which split.
    """
    own = results[results["split"] == split]
    best = {column: own[column].max() for _, column in ARM_COLUMNS if column in own}
    rows = []
    for row in own.to_dict("records"):
        cells = [
            _strong(_with_spread(row[column], row[f"{column}.spread"]), strong=row[column] == best[column])
            if column in own
            else Cell(DASH)
            for _, column in ARM_COLUMNS
        ]
        cost = [_rounded(row[column]) for _, column, _ in COST]
        name = text_cell(row["arm"], strong=bool(row["base"]), note="base arm" if row["base"] else "")
        rows.append((name, *cells, Cell(counted(row["steps"])), *cost))
    head = headings("Arm", *[text for text, _ in ARM_COLUMNS], "Steps", *[(text, hint) for text, _, hint in COST])
    return Table(_caption(own, split), head, tuple(rows), _trivial_notes(own))


def _rounded(value: float) -> Cell:
    return Cell(DASH, hint="not known") if math.isnan(value) else Cell(counted(round(value)))


def _caption(own: pd.DataFrame, split: str) -> str:
    first = own.iloc[0]
    spread = "; ± standard deviation over models" if own["models"].max() > 1 else ""
    return (
        f"{split.capitalize()}, images: {first['images']}, groups: {first['groups']}; pixels pooled, then the named mean"
        f" ({_grid_said(own)}){spread}"
    )


def _grid_said(own: pd.DataFrame) -> str:
    grids = set(own["grid"])
    if len(grids) > 1:
        return f"grid of the {ORIGINAL} images, which is that of the normalised ones where an arm rescales none"
    return f"grid of the {grids.pop()} images"


def _trivial_notes(own: pd.DataFrame) -> tuple[str, ...]:
    column = "dice_everywhere_pooled.lesions"
    if column not in own or own[column].isna().all():
        return ()
    return (
        f"Trivial answers: the whole region marked as the lesion gives Dice {number(own[column].iloc[0])}; nothing marked 0.",
    )


def class_tables(measures: pd.DataFrame, *, split: str, codes: Sequence[str]) -> list[Table]:
    """Tables of the classes on one split, one for each measure: a row for each arm, and one for the trivial answer.

    Parameters
    ----------
    measures
        Rows of all arms, see `pipeline.report.measures.arms.arm_measures`.
    split
        Which split.
    codes
        Class codes in order.
    """
    own = measures[(measures["split"] == split) & (measures["average"] == "")]
    tables = []
    for measure, title in CLASS_MEASURES.items():
        part = _by_arm(own[own["measure"] == measure])
        rows = [
            (text_cell(arm), *(_class_cell(part, arm, code) for code in codes)) for arm in dict.fromkeys(own["arm"])
        ]
        if rows and measure == "dice_pooled":
            first = str(own["arm"].iloc[0])
            cells = [Cell(number(part.get((first, code), {}).get("trivial", math.nan))) for code in codes]
            rows.append((text_cell(TRIVIAL_ROW, note="a trivial answer"), *cells))
        tables.append(
            Table(f"{title} of each class, {split} images: {MEASURES[measure]}", headings("Arm", *codes), tuple(rows))
        )
    return tables


def _by_arm(rows: pd.DataFrame) -> ByArm:
    return {(str(row["arm"]), str(row["class_code"])): row for row in rows.to_dict("records")}  # type: ignore[misc]


def _class_cell(part: ByArm, arm: str, code: str) -> Cell:
    if (arm, code) not in part:
        return Cell(DASH, hint="not measured")
    row = part[arm, code]
    cell = _with_spread(float(row["value"]), float(row["spread"]))
    between = "" if math.isnan(row["low"]) else f"{row['low']:.3f} – {row['high']:.3f}"
    return Cell(cell.text, note=cell.note or between)


def difference_table(differences: pd.DataFrame, *, split: str, measure: str, codes: Sequence[str]) -> Table:
    """Table of the paired differences of one measure on one split: a row for each arm but the base arm.

    Parameters
    ----------
    differences
        Rows of all arms, see `pipeline.report.measures.arms.arm_differences`.
    split, measure
        Which split, and measure of an image.
    codes
        Class codes in order; the mean over the lesions of an image comes first.
    """
    own = differences[(differences["split"] == split) & (differences["measure"] == measure)]
    part = _by_arm(own)
    names = [OVER_LESIONS, *codes]
    rows = [
        (text_cell(arm), *(_difference_cell(part, arm, name) for name in names)) for arm in dict.fromkeys(own["arm"])
    ]
    head = headings("Arm", "Lesions of an image", *codes)
    caption = f"{IMAGE_MEASURES[measure]}, {split} images: mean of the differences from the base arm, image by image"
    return Table(caption, head, tuple(rows))


def _difference_cell(part: ByArm, arm: str, name: str) -> Cell:
    if (arm, name) not in part:
        return Cell(DASH, hint="no image has both values")
    row = part[arm, name]
    counts = f"{int(row['better'])} better, {int(row['worse'])} worse of {int(row['images'])}"
    between = "" if math.isnan(row["low"]) else f"{row['low']:+.3f} … {row['high']:+.3f}; "
    return Cell(f"{row['difference']:+.3f}", note=f"{between}{counts}")


def image_difference_table(images: pd.DataFrame, *, split: str, measure: str) -> Table:
    """Table of each image's difference, mean over its lesions: a row for each image, a column for each arm."""
    own = images[(images["split"] == split) & (images["measure"] == measure) & (images["class_code"] == OVER_LESIONS)]
    arms = list(dict.fromkeys(own["arm"]))
    values = own.set_index(["image_id", "arm"])["difference"]
    rows = [
        (text_cell(image), *(Cell(f"{values[image, arm]:+.3f}" if (image, arm) in values else DASH) for arm in arms))
        for image in dict.fromkeys(own["image_id"])
    ]
    caption = f"{IMAGE_MEASURES[measure]} of each {split} image, mean over its lesions: difference from the base arm"
    return Table(caption, headings("Image", *arms), tuple(rows))


def published_table(
    published: Sequence[Mapping[str, Any]], measures: pd.DataFrame, *, split: str, codes: Sequence[str]
) -> Table | None:
    """Table of published figures, and ours of the nearest measure under them; None where none are given.

    Averages have columns where a published row has one.

    Parameters
    ----------
    published
        Rows of `pipeline.config.experiments.Published`, as plain values.
    measures
        Rows of all arms.
    split
        The split that stands beside them.
    codes
        Class codes in order.
    """
    if not published:
        return None
    rows = []
    columns = [*(name for name in AVERAGES if any(name in each["values"] for each in published)), *codes]
    for measure in dict.fromkeys(each["measure"] for each in published):
        for each in (each for each in published if each["measure"] == measure):
            cells = [Cell(number(each["values"].get(column, math.nan))) for column in columns]
            said = Cell("; ".join(filter(None, (each["source"], each["differs"]))), kind="flags")
            rows.append((text_cell(each["name"], note="published"), text_cell(measure), *cells, said))
        own = measures[(measures["split"] == split) & (measures["measure"] == measure)]
        part = _by_arm(own.assign(class_code=own["class_code"].where(own["average"] == "", own["average"])))
        for arm in dict.fromkeys(own["arm"]):
            cells = [_class_cell(part, arm, column) for column in columns]
            rows.append(
                (
                    text_cell(arm, strong=True, note="ours"),
                    text_cell(measure),
                    *cells,
                    Cell(f"our {split} images", kind="flags"),
                )
            )
    head = (
        Cell("Method", kind="text"),
        Cell("Measure", kind="text"),
        *map(Cell, columns),
        Cell("Source, and what differs", kind="text"),
    )
    return Table(
        "Published figures beside ours. They are of other data, weights and steps: no ranking", head, tuple(rows)
    )
