"""Tables of the centres and of the groups of a split, one row each."""

import math

import pandas as pd

from pipeline.config.manifest import DatasetRecord
from pipeline.report.measures.summary import NORMALISED, OVER_LESIONS, grids_of, on_grid
from pipeline.report.page.tables.cells import Cell, Table, counted, headings, number, text_cell
from pipeline.report.page.tables.measured import grid_text, trivial_note

__all__ = ["parts_tables"]

FOUND, FALSE = "lesion_sensitivity_pooled", "false_lesions_per_image"
HEAD = (("Groups", "patients"), ("Images", "measured images"))
NOTES = {
    "centre": "Of each class: Dice, below AUPR and the Dice of trivial answers. Parts of few groups differ by chance: see how many there are.",
    "group": "Only shown where a group has several images; otherwise the table of images says the same.",
}


def _means(record: DatasetRecord) -> dict[str, tuple[str, str]]:
    """Measures of the mean over lesions → head and hint of their columns.

    None where no class is a lesion, which has no such mean; no Dice and AUPR of a single one, whose own column says them.
    """
    lesions = [each for each in record.classes if each.kind == "lesion"]
    over = "classes" if len(lesions) == len(record.classes) else "lesion classes"
    named = f", {over}" if over == "lesion classes" else ""
    pooled = f"pixels of the images pooled, mean over the {over} that they hold"
    scores = {
        "dice_pooled": (f"Dice{named}", f"{pooled}; below, trivial answers"),
        "ap_pooled": (f"AUPR{named}", "the same of step-wise average precision"),
    }
    regions = {
        FOUND: ("Found", f"share of the regions of the truth that are found, mean over {over}"),
        FALSE: ("False per image", f"false predicted regions of a class per image, mean over {over}"),
    }
    return (scores if len(lesions) > 1 else {}) | (regions if lesions else {})


def _mean_cell(mean: pd.Series, measure: str) -> Cell:
    if measure == "dice_pooled":
        return _dice(mean, note=_trivial(mean))
    return Cell(number(float(mean[measure]), digits=1 if measure == FALSE else 3))


def _score(row: pd.Series) -> Cell:
    beside = f"{number(float(row['ap_pooled']))}; {_trivial(row)}".removesuffix("; ")
    return _dice(row, note=beside)


def _dice(row: pd.Series, *, note: str) -> Cell:
    dice = float(row["dice_pooled"])
    return Cell(number(dice), note=note, share=None if math.isnan(dice) else dice)


def _trivial(row: pd.Series) -> str:
    return trivial_note(float(row["dice_everywhere_pooled"]))


def _row(part: str, own: pd.DataFrame, record: DatasetRecord) -> tuple[Cell, ...]:
    mean = own[own["average"].astype(str) == OVER_LESIONS].iloc[0]
    by_class = {str(row["class_code"]): _score(row) for _, row in own.iterrows() if str(row["class_code"])}
    return (
        text_cell(part, strong=True),
        Cell(counted(mean["groups"])),
        Cell(counted(mean["images"])),
        *(_mean_cell(mean, measure) for measure in _means(record)),
        *(by_class.get(code, Cell("–", hint="not annotated")) for code in record.codes),
    )


def parts_tables(rows: pd.DataFrame, record: DatasetRecord, *, split: str) -> tuple[Table, ...]:
    """Tables of centres, where there are several, and of groups, where one has several images; on the grid that comes first.

    Parameters
    ----------
    rows
        Of one model and fusion, of ``parts.PART_COLUMNS``.
    record
        Facts of the data set.
    split
        Whose rows.
    """
    grid = grids_of(rows)[0] if len(rows) else NORMALISED
    found = on_grid(rows[rows["split"] == split], grid)
    tables = []
    for by, title in (("centre", "Centre"), ("group", "Group")):
        own = found[found["by"] == by]
        names = sorted(own["part"].astype(str).unique())
        wanted = len(names) > 1 and (by == "centre" or bool((own["images"] > 1).any()))
        if wanted:
            cells = tuple(_row(name, own[own["part"].astype(str) == name], record) for name in names)
            head = headings(
                title,
                *HEAD,
                *_means(record).values(),
                *[(each.code, f"{each.name}: Dice, below AUPR and trivial answers") for each in record.classes],
            )
            caption = f"By {by}, {split} images{grid_text(rows, grid)}"
            tables.append(Table(caption, head, cells, (NOTES[by],)))
    return tuple(tables)
