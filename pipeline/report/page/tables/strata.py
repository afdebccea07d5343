"""Table of the lesions found by size, contrast, elongation and isolation, with its rule under it."""

from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.arrays.contrast import RING
from pipeline.config.manifest import DatasetRecord
from pipeline.report.page.tables.cells import DASH, Cell, Table, headings, number
from pipeline.report.page.tables.measured import class_cell

__all__ = ["strata_table"]

THIRDS = {
    "area_px": ("Smallest", "middle size", "largest"),
    "contrast": ("Faintest", "middle contrast", "strongest"),
    "elongation": ("Roundest", "middle shape", "longest"),
    "isolation_px": ("Crowded", "middle distance", "isolated"),
}
UNITS = {
    "area_px": ("area, pixels of the grid", "{:.0f} px"),
    "contrast": ("contrast, grey levels", "{:.1f}"),
    "elongation": ("major over minor axis", "{:.2f}"),
    "isolation_px": ("distance to the next region of the class, pixels of the grid", "{:.0f} px"),
}
RULE = (
    "Share of the regions of the truth that are found, in thirds of those of a class by each property; small print: found / all, and "
    "the values of that third. Regions of equal value stay together. Contrast is the mean grey level (luminance of the normalised image) inside "
    f"less that of the ring of {RING} pixels around, outside of every class and inside the region of interest; its sign does not "
    "count here. Elongation is the major over the minor axis of the ellipse of equal second moments. A region that is alone in "
    "its image counts as the most isolated."
)


def strata_table(
    found: Mapping[str, Mapping[str, Sequence[Mapping[str, Any]]]], record: DatasetRecord, *, split: str, where: str
) -> Table | None:
    """Table of the sensitivity in thirds of each class on one split; None where no class has a lesion.

    Parameters
    ----------
    found
        Class code → property → thirds, see `measures.strata`.
    record
        Classes.
    split
        Which split.
    where
        Words on the grid, for the caption.
    """
    classes = [each for each in record.classes if each.code in found]
    if not classes:
        return None
    rows = [
        (class_cell(each, record), *(_cell(third, name) for name in THIRDS for third in found[each.code][name]))
        for each in classes
    ]
    named = [(text, f"third of the regions by {UNITS[name][0]}") for name, texts in THIRDS.items() for text in texts]
    caption = f"Regions found by size, contrast, elongation and isolation, {split} images{where}"
    return Table(caption, headings("Class", *named), tuple(rows), (RULE,))


def _cell(third: Mapping[str, Any], name: str) -> Cell:
    if not third["lesions"]:
        return Cell(DASH, hint="none in this third: too many are of equal value, or there are too few")
    meaning, pattern = UNITS[name]
    least, most = ("∞" if third[end] is None else pattern.format(third[end]) for end in ("least", "most"))
    span = least if least == most else f"{least.removesuffix(' px')} – {most}"
    note = f"{third['found']} / {third['lesions']}, {span}"
    return Cell(number(third["sensitivity"]), hint=f"regions found; {meaning} {span}", note=note)
