"""Tables of the images: one row per image, and one per split; cells that other tables of images share."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from pipeline.config.manifest import DatasetRecord
from pipeline.counts import number_of
from pipeline.report.page.tables.cells import DASH, Cell, Table, chips, counted, headings, text_cell
from pipeline.words import SPLITS

__all__ = ["classes_cell", "images_table", "ordered", "size_text", "split_text", "splits_table"]

ORDER = (*SPLITS, "rejected")
LEFT_OUT = "left out"
"""Word for images that could not be used."""


def images_table(table: pd.DataFrame, record: DatasetRecord, *, pages: Mapping[str, str] | None = None) -> Table:
    """Table of images, one row each; ``pages`` gives links to the pages of images."""
    rows = [
        (
            text_cell(str(row["image_id"]), strong=True, href=(pages or {}).get(str(row["image_id"]), "")),
            text_cell(split_text(row)),
            text_cell(str(row["centre"]) or DASH, hint="" if row["centre"] else "unknown"),
            text_cell(str(row["group_id"]) or DASH),
            Cell(size_text(row), hint="width × height in original pixels"),
            classes_cell(row, record),
        )
        for row in ordered(table).to_dict("records")
    ]
    head = [Cell(text, kind="text") for text in ("Image", "Split", "Centre", "Group")]
    head += [Cell("Size, px", hint="width × height of the original"), Cell("Classes present", kind="text")]
    return Table(number_of(len(rows), "image"), tuple(head), tuple(rows), searched=True)


def ordered(table: pd.DataFrame) -> pd.DataFrame:
    """Rows of images by split, those left out last, then by id."""
    order = {split: at for at, split in enumerate(ORDER)}
    ranked = table.assign(order=table["split"].map(order).fillna(len(order)))
    return ranked.sort_values(["order", "image_id"]).drop(columns="order")


def split_text(row: Mapping[Any, Any]) -> str:
    """Split of an image, or that it was left out."""
    return LEFT_OUT if row["rejected"] else str(row["split"])


def size_text(row: Mapping[Any, Any]) -> str:
    """Size of an original, width × height in pixels; a dash where it is not known."""
    return f"{row['width']} × {row['height']}" if row["height"] else DASH


def classes_cell(row: Mapping[Any, Any], record: DatasetRecord) -> Cell:
    """Cell of the classes that an image holds, by the pixels of its truth; it tells none from not annotated."""
    pixels = {code: int(row[f"pixels_{code}"]) for code in record.codes}
    hints = {code: f"{code}: {counted(count)} original pixels" for code, count in pixels.items()}
    present = chips((code for code, count in pixels.items() if count > 0), record, hints=hints)
    unknown = [code for code, count in pixels.items() if count < 0]
    known = "not annotated" if len(unknown) == len(pixels) else "none" if not present else ""
    return Cell(
        "" if present else DASH if row["rejected"] else known,
        kind="text",
        chips=() if row["rejected"] else present,
        note=f"not annotated: {', '.join(unknown)}" if 0 < len(unknown) < len(pixels) else "",
    )


def _held(part: pd.DataFrame, code: str, *, codes: Sequence[str]) -> Cell:
    looked = part[[f"pixels_{each}" for each in codes]].ge(0)
    known = part[looked[f"pixels_{code}"]]
    held = int((known[f"pixels_{code}"] > 0).sum())
    hint = f"{held} of {len(known)} annotated images hold {code}"
    unknown = int((looked.any(axis=1) & ~looked[f"pixels_{code}"]).sum())
    note = f"unknown in {unknown}" if unknown else ""
    return Cell(f"{held} / {len(known)}" if len(known) else DASH, hint=hint, note=note)


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
        held = [Cell(DASH) if name == "rejected" else _held(part, code, codes=record.codes) for code in record.codes]
        rows.append(
            (
                text_cell(LEFT_OUT if name == "rejected" else name, strong=True),
                *plain,
                Cell(f"{megapixels:,.1f}"),
                *held,
            )
        )
    classes = [(each.code, f"images that hold {each.name} / images annotated for it") for each in record.classes]
    head = headings("Split", "Images", ("Groups", "patients"), "Centres", ("Mpx", "original megapixels"), *classes)
    return Table("Images per split; per class: images that hold it / images annotated for it", head, tuple(rows))
