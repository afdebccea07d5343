"""Tables of errors by place: where false positives lie, and what is missed near window borders; with their rules."""

import math

import pandas as pd

from pipeline.config.manifest import DatasetRecord
from pipeline.report.measures.coarse_places import (
    BLANK_GREY,
    BLANK_WINDOW,
    EVEN_WINDOW,
    RIM_SHARE,
    UNEVEN,
    VESSEL_SHARE,
)
from pipeline.report.measures.error_places import DISTANCES, NEAR_BORDER, PLACES, RIM
from pipeline.report.page.tables.cells import DASH, Cell, Table, counted, headings, text_cell

__all__ = ["distances_table", "places_table"]

COUNTS = ["negatives", "fp", "truth", "fn"]
RULES = {
    "rim": f"Rim: within {RIM} pixels of truth of the class.",
    "vessels": (
        f"Vessels are estimated by a ridge filter, not annotated: the strongest {100 * VESSEL_SHARE:g} % of the field of view by dark "
        "ridges of the green channel, of three widths, that are curved across and not along and hang together over a twentieth of it."
    ),
    "blank": f"Blank: mean grey level of the {BLANK_WINDOW} pixels around at least {BLANK_GREY}, in a small picture.",
    "uneven": (
        f"Unevenly stained, or dense: the mean optical density of the tissue within {EVEN_WINDOW} pixels of a small picture differs from "
        f"the median of all tissue by more than {100 * UNEVEN:.0f} % of it. Crowded nuclei do that, too."
    ),
    "roi_rim": f"Rim of the roi: within {100 * RIM_SHARE:.0f} % of the longer side of the image of what is outside.",
    "window": f"Beside a window border: fewer than {NEAR_BORDER} pixels from where other windows begin to speak.",
}
SHARES = (
    "Share of the false positive pixels of a class; below, how many times as many as its share of the pixels that could have "
    "become one. A pixel may count in several rows."
)


def _sums(rows: pd.DataFrame) -> pd.DataFrame:
    """Counts by class and place, over images."""
    texts = rows.astype({"class_code": str, "place": str})
    return texts.groupby(["class_code", "place"])[COUNTS].sum()


def _counts(sums: pd.DataFrame, code: str, place: str) -> dict[str, int]:
    if (code, place) not in sums.index:
        return dict.fromkeys(COUNTS, 0)
    return {name: int(sums[name].to_numpy()[sums.index.get_loc((code, place))]) for name in COUNTS}


def _share(own: dict[str, int], whole: dict[str, int]) -> Cell:
    if not whole["fp"]:
        return Cell(DASH, hint="no false positive of this class")
    if not own["negatives"]:
        return Cell(DASH, hint="no such place")
    share = own["fp"] / whole["fp"]
    usual = own["negatives"] / whole["negatives"] if whole["negatives"] else math.nan
    note = f"× {share / usual:.1f}" if usual else ""
    hint = f"{counted(own['fp'])} of {counted(whole['fp'])} px; {100 * usual:.1f} % of the pixels"
    return Cell(f"{100 * share:.1f} %", note=note, hint=hint, share=share)


def places_table(rows: pd.DataFrame, record: DatasetRecord, *, split: str) -> Table | None:
    """Table of the places of false positives: a row a place, a column a class; None without any row.

    Parameters
    ----------
    rows
        Of one model and fusion, of ``errors.ERROR_COLUMNS``.
    record
        Facts of the data set.
    split
        Whose rows.
    """
    sums = _sums(rows[rows["split"] == split])
    if not len(sums):
        return None
    present = [place for place in PLACES if place in sums.index.get_level_values("place")]
    found = []
    for place in present:
        cells = []
        for code in record.codes:
            whole = _counts(sums, code, "all")
            own = _counts(sums, code, place)
            all_of = Cell(
                f"{counted(whole['fp'])} px", note=f"{1e6 * whole['fp'] / max(whole['negatives'], 1):.0f} / Mpx"
            )
            cells.append(all_of if place == "all" else _share(own, whole))
        found.append((text_cell(PLACES[place], strong=place == "all"), *cells))
    rules = tuple(RULES[place] for place in present if place in RULES)
    head = headings("Place", *[(each.code, each.name) for each in record.classes])
    return Table(f"Where false positives lie, {split} images", head, tuple(found), (SHARES, *rules))


def _near(own: dict[str, int]) -> Cell:
    missed = DASH if not own["truth"] else f"{100 * own['fn'] / own['truth']:.1f} %"
    false = DASH if not own["negatives"] else f"{1e6 * own['fp'] / own['negatives']:.0f} / Mpx"
    hint = f"{counted(own['fn'])} of {counted(own['truth'])} px missed, {counted(own['fp'])} px false"
    return Cell(missed, note=f"{false} false", hint=hint)


def distances_table(rows: pd.DataFrame, record: DatasetRecord, *, split: str) -> Table | None:
    """Table of errors by the distance from the nearest window border; parameters as of `places_table`."""
    sums = _sums(rows[rows["split"] == split])
    held = sums.index.get_level_values("place")
    names = [
        name for name in DISTANCES if name in held and sums.xs(name, level="place")[["fp", "truth"]].to_numpy().any()
    ]
    if len(names) < 2:  # one window, or nothing to compare
        return None
    found = [(text_cell(name), *(_near(_counts(sums, code, name)) for code in record.codes)) for name in names]
    head = headings("Distance", *[(each.code, each.name) for each in record.classes])
    note = "Share of the truth pixels that are missed; below, false positive pixels in a million that could have become one."
    return Table(f"By the distance from the nearest window border, {split} images", head, tuple(found), (note,))
