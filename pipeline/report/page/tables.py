"""Tables of the page: cells with text, meaning and a bar; numbers written so that they cannot be misread.

A number without a defined value is a dash that says why. Nothing is computed here that is not in a Parquet file.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from pipeline.config.manifest import ClassRecord, DatasetRecord
from pipeline.report.measures.summary import COMPARED, average_of
from pipeline.words import BACKGROUND, SPLITS

__all__ = [
    "Cell",
    "Table",
    "averages_table",
    "chips",
    "classes_table",
    "comparison_table",
    "counted",
    "images_table",
    "number",
    "sampling_table",
    "splits_table",
]

DASH = "–"
ORDER = (*SPLITS, "rejected")
NO_TRUTH = "no image of this split holds the class"


@dataclass(frozen=True, slots=True)
class Cell:
    """Cell of a table."""

    text: str
    kind: str = "number"
    """``number`` stands right; ``text``, ``swatch`` (large chips) and ``flags`` (may be long) left."""
    note: str = ""
    """Small print under the text."""
    hint: str = ""
    """Shown when the pointer rests on it."""
    share: float | None = None
    """Length of the bar behind the text, 0 to 1."""
    strong: bool = False
    chips: tuple[tuple[str, str, str], ...] = ()
    """Coloured labels: text, colour, hint."""


@dataclass(frozen=True, slots=True)
class Table:
    """Table with what its columns mean."""

    caption: str
    head: tuple[Cell, ...]
    rows: tuple[tuple[Cell, ...], ...]
    notes: tuple[str, ...] = ()
    marked: frozenset[int] = frozenset()
    """Numbers of the rows that stand out."""


def number(value: float, *, digits: int = 3) -> str:
    """Number with a fixed number of digits after the point; a dash where it is undefined.

    Examples
    --------
    >>> number(0.4567), number(float("nan"))
    ('0.457', '–')
    """
    return DASH if math.isnan(value) else f"{value:.{digits}f}"


def counted(value: int) -> str:
    """Whole number with thousands separators.

    Examples
    --------
    >>> counted(1234567)
    '1,234,567'
    """
    return f"{int(value):,}"


def _text(text: str, *, hint: str = "", strong: bool = False, note: str = "") -> Cell:
    return Cell(text, kind="text", hint=hint, strong=strong, note=note)


def _head(*columns: str | tuple[str, str]) -> tuple[Cell, ...]:
    """Headings, each a text or a text and its meaning; the first stands left, the others right."""
    pairs = [(each, "") if isinstance(each, str) else each for each in columns]
    return tuple(Cell(text, kind="number" if at else "text", hint=hint) for at, (text, hint) in enumerate(pairs))


def chips(
    codes: Iterable[str], record: DatasetRecord, *, hints: Mapping[str, str] | None = None
) -> tuple[tuple[str, str, str], ...]:
    """Coloured labels of classes, in manifest order."""
    wanted = set(codes)
    return tuple(
        (each.code, "#{:02x}{:02x}{:02x}".format(*each.rgb), (hints or {}).get(each.code, each.name))
        for each in record.classes
        if each.code in wanted
    )


def images_table(table: pd.DataFrame, record: DatasetRecord) -> Table:
    """Table of images, one row each."""
    order = {split: at for at, split in enumerate(ORDER)}
    ordered = table.assign(order=table["split"].map(order).fillna(len(order))).sort_values(["order", "image_id"])
    rows = []
    for row in ordered.to_dict("records"):
        pixels = {code: int(row[f"pixels_{code}"]) for code in record.codes}
        hints = {code: f"{code}: {counted(count)} original pixels" for code, count in pixels.items()}
        present = chips((code for code, count in pixels.items() if count > 0), record, hints=hints)
        unknown = [code for code, count in pixels.items() if count < 0]
        known = "not annotated" if len(unknown) == len(pixels) else "none" if not present else ""
        known = DASH if row["rejected"] else known
        size = f"{row['width']} × {row['height']}" if row["height"] else DASH
        rows.append(
            (
                _text(str(row["image_id"]), strong=True),
                _text(str(row["split"])),
                _text(str(row["centre"]) or DASH, hint="" if row["centre"] else "unknown"),
                _text(str(row["group_id"]) or DASH),
                Cell(size, hint="width × height in original pixels"),
                Cell(
                    "" if present else known,
                    kind="text",
                    chips=() if row["rejected"] else present,
                    note=f"not annotated: {', '.join(unknown)}" if 0 < len(unknown) < len(pixels) else "",
                ),
            )
        )
    head = [Cell(text, kind="text") for text in ("Image", "Split", "Centre", "Group")]
    head += [Cell("Size, px", hint="width × height of the original"), Cell("Classes present", kind="text")]
    return Table(f"All {counted(len(rows))} images", tuple(head), tuple(rows))


def _held(part: pd.DataFrame, code: str) -> Cell:
    known = part[part[f"pixels_{code}"] >= 0]
    held = int((known[f"pixels_{code}"] > 0).sum())
    hint = f"{held} of {len(known)} annotated images hold {code}"
    return Cell(f"{held} / {len(known)}" if len(known) else DASH, hint=hint)


def splits_table(table: pd.DataFrame, record: DatasetRecord) -> Table:
    """Table of splits with totals: images, groups, centres, and how many images hold each class."""
    rows = []
    parts = [(split, table[table["split"] == split]) for split in ORDER]
    usable = table[table["rejected"] == ""]
    for name, part in [*((name, part) for name, part in parts if len(part)), ("all usable", usable)]:
        megapixels = float((part["height"].astype(float) * part["width"].astype(float)).sum()) / 1e6
        plain = [
            Cell(counted(len(part))),
            Cell(counted(part["group_id"].nunique())),
            Cell(counted(part["centre"].nunique())),
        ]
        held = [Cell(DASH) if name == "rejected" else _held(part, code) for code in record.codes]
        rows.append((_text(name, strong=True), *plain, Cell(f"{megapixels:,.1f}"), *held))
    classes = [(each.code, f"images that hold {each.name} / images annotated for it") for each in record.classes]
    head = _head("Split", "Images", ("Groups", "patients"), "Centres", ("Mpx", "original megapixels"), *classes)
    return Table("Images per split; per class: images that hold it / images annotated for it", head, tuple(rows))


def sampling_table(frame: pd.DataFrame, record: DatasetRecord) -> Table:
    """Table of the patches of each split and class drawn for, and how many of them contain each class."""
    rows = []
    inside = frame.assign(
        what=frame["target_class"].astype(object).where(frame["target_class"].notna(), "grid").astype(str)
    )
    inside.loc[inside["coverage"], "what"] += " (coverage)"
    order = {name: at for at, name in enumerate([*record.codes, BACKGROUND, "grid"])}
    for split in ORDER:
        part = inside[inside["split"] == split]
        for what in sorted(part["what"].unique(), key=lambda name: (order.get(name, len(order)), name)):
            drawn = part[part["what"] == what]
            contain = [int((drawn[f"pixels_{code}"] > 0).sum()) for code in record.codes]
            cells = [Cell(counted(count), note=f"{100 * count / len(drawn):.0f} %") for count in contain]
            rows.append((_text(split, strong=True), Cell(what, kind="text"), Cell(counted(len(drawn))), *cells))
    classes = [(each.code, f"patches that contain at least one pixel of {each.name}") for each in record.classes]
    head = (_text("Split"), _text("Drawn for"), *_head("", "Patches", *classes)[1:])
    return Table("Patches, and how many of them contain each class", head, tuple(rows))


def _value(rows: pd.DataFrame, measure: str, *, digits: int = 3, bar: bool = False) -> Cell:
    found = rows[rows["measure"] == measure]
    if not len(found):
        return Cell(DASH, hint="not measured")
    row = found.iloc[0]
    value, low, high = float(row["value"]), float(row["low"]), float(row["high"])
    if math.isnan(value):
        return Cell(
            DASH, hint=f"undefined: {NO_TRUTH}" if not row["images_with_truth"] else "undefined: nothing predicted"
        )
    note = "" if math.isnan(low) else f"{low:.{digits}f} – {high:.{digits}f}"
    return Cell(number(value, digits=digits), hint=str(row["label"]), note=note, share=value if bar else None)


METRICS = (
    ("Dice", "2 TP / (2 TP + FP + FN), pixels of all images pooled", "dice_pooled"),
    ("IoU", "TP / (TP + FP + FN), pixels of all images pooled", "iou_pooled"),
    (
        "AUPR",
        "area under the precision-recall curve: step-wise average precision over the pooled pixels, without threshold",
        "ap_pooled",
    ),
    ("Dice per image", "mean of the Dice of the images that hold the class", "dice_image_mean"),
    ("IoU per image", "mean of the IoU of the images that hold the class", "iou_image_mean"),
)


IMAGES_HINT = "images that hold the class / images measured"
FALSE_HINT = "pixels predicted in images that do not hold the class"
THRESHOLD_HINT = "fitted on the validation images, by pooled Dice"


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


def classes_table(summary: pd.DataFrame, record: DatasetRecord, *, split: str, reasons: Mapping[str, str]) -> Table:
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
    """
    part, rows, notes = summary[summary["split"] == split], [], []
    for each in record.classes:
        own = part[part["class_code"] == each.code]
        rows.append((_class_cell(each, record), *_class_cells(own, reason=reasons.get(each.code, ""))))
        if not len(own):
            notes.append(f"{each.code}: nobody annotated it in this split.")
        elif not own.iloc[0]["images_with_truth"]:
            zero = "; pooled Dice and IoU are 0 because something was predicted" if not own["value"].iloc[0] else ""
            notes.append(f"{each.code}: {NO_TRUTH}; AUPR and means over images are undefined{zero}.")
    notes += [f"{code}: threshold not fitted. {reason}" for code, reason in reasons.items() if reason]
    named = [(text, hint) for text, hint, _ in METRICS]
    head = _head("Class", *named, ("Images", IMAGES_HINT), ("FP area, px", FALSE_HINT), ("Threshold", THRESHOLD_HINT))
    return Table(f"Classes, {split} images", head, tuple(rows), tuple(notes))


def averages_table(summary: pd.DataFrame, *, split: str) -> Table:
    """Table of the named averages of one split."""
    part = summary[(summary["split"] == split) & (summary["average"] != "")]
    rows = []
    for average in dict.fromkeys(part["average"].astype(str)):
        own = part[part["average"] == average]
        behind = max(own["classes"].astype(str), key=len) or "no class"
        cells = [_average_cell(own, measure, of=behind.split()) for _, _, measure in METRICS]
        rows.append((_text(average[0].upper() + average[1:], strong=True, note=f"over {behind}"), *cells))
    head = _head("Average", *[(text, hint) for text, hint, _ in METRICS])
    note = "A class without a defined value is left out of an average; the small print says which."
    return Table(f"Averages, {split} images", head, tuple(rows), (note,))


def _average_cell(rows: pd.DataFrame, measure: str, *, of: Sequence[str]) -> Cell:
    found = rows[rows["measure"] == measure]
    if not len(found):
        return Cell("", hint="this average is given for IoU only")
    cell, behind = _value(rows, measure), str(found.iloc[0]["classes"]).split()
    missing = [code for code in of if code not in behind]
    without = f"without {', '.join(missing)}" if missing and behind else ""
    return Cell(cell.text, hint=cell.hint, note=", ".join(part for part in (cell.note, without) if part))


def comparison_table(
    summaries: Mapping[str, pd.DataFrame], *, split: str, shown: str, comparable: bool = True
) -> Table:
    """Comparison of models and fusions by the main averages of a split; the best of a column is strong."""
    values = {
        name: [average_of(table, split=split, average=average, measure=measure) for _, average, measure in COMPARED]
        for name, table in summaries.items()
    }
    best = [
        max((value for value in column if not math.isnan(value)), default=math.nan)
        for column in zip(*values.values(), strict=True)
    ]
    rows = tuple(
        (
            _text(name, strong=name == shown, note="shown below" if name == shown else ""),
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
    head = _head("Model / fusion", *[(text, f"{measure}, {average}") for text, average, measure in COMPARED])
    note = "" if comparable else "; each on the images that it did not learn from"
    return Table(f"{split.capitalize()} images: pixels pooled, then the named mean{note}", head, rows)


def plain_table(caption: str, head: Sequence[str], rows: Iterable[Sequence[Any]]) -> Table:
    """Table of texts."""
    return Table(
        caption, tuple(_text(text) for text in head), tuple(tuple(_text(str(each)) for each in row) for row in rows)
    )
