"""Table of every image: its facts, its scores for one model and fusion, its flags; measured images first, the worst on top."""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import pandas as pd

from pipeline.config.manifest import DatasetRecord
from pipeline.counts import number_of, region_noun
from pipeline.report.measures.summary import grids_of, on_grid
from pipeline.report.page.tables.cells import DASH, Cell, Table, counted, number, text_cell
from pipeline.report.page.tables.images import classes_cell, ordered, size_text, split_text

__all__ = ["ImageScore", "Places", "extremes", "image_scores", "results_table"]

LEFT_OUT = "#rejections"
"""Place on the page that says why an image was left out."""


@dataclass(frozen=True, slots=True)
class ImageScore:
    """Scores of one image over the lesion classes, or all classes where none is a lesion."""

    image: str
    split: str
    group: str
    dice: float
    """Mean over the classes that the image holds; NaN where it holds none."""
    ap: float
    lesions: int
    found: int
    false: int


def image_scores(rows: pd.DataFrame, record: DatasetRecord) -> list[ImageScore]:
    """Scores of every measured image, worst Dice first and images without lesions last.

    Parameters
    ----------
    rows
        Rows of ``measures.image_rows.IMAGE_COLUMNS`` of one result.
    record
        Classes; anatomy is left out where there is anything else.
    """
    own = on_grid(rows, grids_of(rows)[0]) if len(rows) else rows
    own = own[own["class_code"].astype(str).isin(record.lesion_codes)]
    found = [_of_image(str(image), part) for image, part in own.groupby("image_id", observed=True, sort=True)]
    return sorted(found, key=lambda each: (math.isnan(each.dice), each.dice, each.image))


def extremes(scores: Sequence[ImageScore], *, split: str) -> dict[str, ImageScore]:
    """Images of the best, the median and the worst Dice of a split, each only once; the lower one of two in the middle."""
    own = [each for each in scores if each.split == split and not math.isnan(each.dice)]
    if len(own) < 2:
        return {"only": own[0]} if own else {}
    found = {"best": own[-1], "median": own[(len(own) - 1) // 2], "worst": own[0]}
    return {name: each for name, each in found.items() if name != "median" or len(own) > 2}


@dataclass(frozen=True, slots=True)
class Places:
    """Places that the names of images lead to; each goes before those after it."""

    pages: Mapping[str, str] = field(default_factory=dict)
    """Image id → link to its own page."""
    overlays: Collection[str] = ()
    """Image ids that have overlays on the page."""
    pictures: Mapping[str, str] = field(default_factory=dict)
    """Image id → small picture in the folder of figures, which is shown, too."""

    def link(self, image: str, *, left_out: bool) -> str:
        """Link of the name of an image; empty where it leads to its picture."""
        if image in self.pages:
            return self.pages[image]
        return f"#overlay-{quote(image)}" if image in self.overlays else LEFT_OUT if left_out else ""


def results_table(
    table: pd.DataFrame,
    scores: Sequence[ImageScore],
    record: DatasetRecord,
    *,
    shown: str,
    flags: Mapping[str, Sequence[str]],
    places: Places,
    doubtful: Collection[str] = (),
) -> Table:
    """Table of every image for one model and fusion, worst Dice first and images that were not measured last.

    Parameters
    ----------
    table
        ``raw/images.parquet``.
    scores
        Of `image_scores`; empty where nothing was measured, which leaves their columns out.
    record
        Classes.
    shown
        Name of the result.
    flags
        Image id → its flags, in words.
    places
        Pictures and links.
    doubtful
        Image ids whose truth is in doubt: their rows stand out.
    """
    noun = region_noun(
        (each.kind for each in record.classes if each.code in record.lesion_codes), modality=record.modality
    )
    scored = {each.image: each for each in scores}
    rows = {str(row["image_id"]): row for row in ordered(table).to_dict("records")}
    order = [*(image for image in scored if image in rows), *(image for image in rows if image not in scored)]
    cells = []
    for image in order:
        numbers = _numbers(scored.get(image)) if scores else ()
        said = "; ".join(["left out"] * bool(rows[image]["rejected"]) + list(flags.get(image, ())))
        known = _facts(rows[image], record, score=scored.get(image), places=places)
        cells.append((*known, *numbers, Cell(said, kind="flags")))
    texts = [text_cell(text) for text in ("Image", "Split", "Group", "Classes present")]
    head = (*texts, *(_heads(noun) if scores else ()), text_cell("Flags", hint="notes of the stages on the image"))
    note = f"An image without {noun}s has neither Dice nor AUPR; every region predicted there is false."
    caption = f"{number_of(len(cells), 'image')}{f'; {shown}, worst Dice first' if scores else ''}"
    marked = frozenset(at for at, image in enumerate(order) if image in doubtful)
    return Table(caption, head, tuple(cells), (note,) if scores else (), marked, searched=True)


def _heads(noun: str) -> tuple[Cell, ...]:
    texts = (
        ("Dice", f"mean over the {'lesion ' if noun == 'lesion' else ''}classes that the image holds"),
        ("AUPR", "step-wise average precision, mean over the same classes"),
        (f"{noun.capitalize()}s", f"regions of the truth, all {'lesion ' if noun == 'lesion' else ''}classes"),
        ("Found", "those of them that are found"),
        ("Missed", "those that are not"),
        ("False", "predicted regions that are false"),
    )
    return tuple(Cell(text, hint=hint) for text, hint in texts)


def _of_image(image: str, part: pd.DataFrame) -> ImageScore:
    first, held = part.iloc[0], part[part["truth_pixels"] > 0]
    dice, ap = (float(held[name].mean()) if len(held) else math.nan for name in ("dice", "ap"))
    lesions, found, false = (int(part[name].sum()) for name in ("lesions", "lesions_found", "false_lesions"))
    return ImageScore(image, str(first["split"]), str(first["group_id"]), dice, ap, lesions, found, false)


def _facts(
    row: Mapping[Any, Any], record: DatasetRecord, *, score: ImageScore | None, places: Places
) -> tuple[Cell, ...]:
    image, centre = str(row["image_id"]), str(row["centre"])
    href = places.link(image, left_out=bool(row["rejected"]))
    size = f"{size_text(row)} px" if row["height"] else ""
    name = Cell(image, kind="text", strong=True, href=href, picture=places.pictures.get(image, ""), note=size)
    group = text_cell(str(row["group_id"]) or DASH, note=f"centre {centre}" if centre else "")
    return name, text_cell(score.split if score else split_text(row)), group, classes_cell(row, record)


def _numbers(each: ImageScore | None) -> tuple[Cell, ...]:
    if each is None:
        return (Cell(DASH, hint="not measured"),) * 6
    return (
        *(Cell(number(value)) for value in (each.dice, each.ap)),
        *(Cell(counted(value)) for value in (each.lesions, each.found, each.lesions - each.found, each.false)),
    )
