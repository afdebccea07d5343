"""Table of the results of every measured image, the worst first."""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote

import pandas as pd

from pipeline.config.manifest import DatasetRecord
from pipeline.report.measures.mismatches import Mismatch
from pipeline.report.measures.summary import grids_of, on_grid
from pipeline.report.page.tables.cells import Cell, Table, counted, number, text_cell

__all__ = ["ImageScore", "extremes", "image_scores", "results_table"]

NUMBERS = (
    ("Dice", "mean over the lesion classes that the image holds"),
    ("AUPR", "step-wise average precision, mean over the same classes"),
    ("Lesions", "regions of the truth, all lesion classes"),
    ("Found", "those of them that are found"),
    ("Missed", "those that are not"),
    ("False", "predicted regions that are false"),
    ("Flags", "notes of the stages on this image"),
)


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
    lesions = [each.code for each in record.classes if each.kind != "anatomy"] or list(record.codes)
    own = on_grid(rows, grids_of(rows)[0]) if len(rows) else rows
    own = own[own["class_code"].astype(str).isin(lesions)]
    found = [_of_image(str(image), part) for image, part in own.groupby("image_id", observed=True, sort=True)]
    return sorted(found, key=lambda each: (math.isnan(each.dice), each.dice, each.image))


def extremes(scores: Sequence[ImageScore], *, split: str) -> dict[str, ImageScore]:
    """Images of the best, the median and the worst Dice of a split, each only once; the lower one of two in the middle."""
    own = [each for each in scores if each.split == split and not math.isnan(each.dice)]
    if len(own) < 2:
        return {"only": own[0]} if own else {}
    found = {"best": own[-1], "median": own[(len(own) - 1) // 2], "worst": own[0]}
    return {name: each for name, each in found.items() if name != "median" or len(own) > 2}


def results_table(
    scores: Sequence[ImageScore],
    *,
    flags: Mapping[str, int],
    mismatched: Sequence[Mismatch],
    shown: str,
    linked: Collection[str] = (),
    pages: Mapping[str, str] | None = None,
) -> Table:
    """Table of every measured image for one model and fusion, worst Dice first.

    Parameters
    ----------
    scores
        Of `image_scores`.
    flags
        Image id → number of its flags.
    mismatched
        Images whose truth is in doubt: their rows stand out, and can be filtered for.
    shown
        Name of the result.
    linked
        Image ids that have overlays on the page.
    pages
        Image id → link to its own page, which goes before the overlays.
    """
    links = {image: f"#overlay-{quote(image)}" for image in linked} | dict(pages or {})
    doubts = {each.image_id: each for each in mismatched}
    cells = tuple(
        (*_cells(each, href=links.get(each.image, "")), _flags(flags.get(each.image, 0), doubts.get(each.image)))
        for each in scores
    )
    note = "An image without lesions has neither Dice nor AUPR; every region predicted there is false."
    caption = f"All {counted(len(cells))} measured images, {shown}, worst Dice first"
    head = (
        *(text_cell(text) for text in ("Image", "Split", "Group")),
        *(Cell(text, hint=hint) for text, hint in NUMBERS),
    )
    marked = frozenset(at for at, each in enumerate(scores) if each.image in doubts)
    return Table(caption, head, cells, (note,), marked)


def _flags(count: int, doubt: Mismatch | None) -> Cell:
    if doubt is None:
        return Cell(counted(count))
    said = f"truth in doubt: {', '.join((*doubt.codes, *doubt.inverted))}"
    return Cell(counted(count), note=said, hint="; ".join(doubt.flags))


def _of_image(image: str, part: pd.DataFrame) -> ImageScore:
    first, held = part.iloc[0], part[part["truth_pixels"] > 0]
    dice, ap = (float(held[name].mean()) if len(held) else math.nan for name in ("dice", "ap"))
    lesions, found, false = (int(part[name].sum()) for name in ("lesions", "lesions_found", "false_lesions"))
    return ImageScore(image, str(first["split"]), str(first["group_id"]), dice, ap, lesions, found, false)


def _cells(each: ImageScore, *, href: str) -> tuple[Cell, ...]:
    return (
        Cell(each.image, kind="text", strong=True, href=href),
        text_cell(each.split),
        text_cell(each.group),
        Cell(number(each.dice), share=None if math.isnan(each.dice) else each.dice),
        Cell(number(each.ap)),
        *(Cell(counted(value)) for value in (each.lesions, each.found, each.lesions - each.found, each.false)),
    )
