"""Tables of a patch index: counts, truth shares, lesions that are missed, spread, patches of each image."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from pipeline.config.manifest import DatasetRecord
from pipeline.counts import number_of, region_noun
from pipeline.report.page.tables.cells import DASH, Cell, Table, chips, counted, headings, text_cell
from pipeline.report.pictures.patch_sheet import drawn_for
from pipeline.words import BACKGROUND, SPLITS

__all__ = [
    "all_tables",
    "images_of_index",
    "lesions_missed",
    "missed_sentence",
    "notes_of",
    "sampling_table",
    "spread_table",
    "truth_shares",
]

QUANTILES = (
    ("least", 0.0),
    ("5 %", 0.05),
    ("25 %", 0.25),
    ("median", 0.5),
    ("75 %", 0.75),
    ("95 %", 0.95),
    ("most", 1.0),
)
SPREAD_TEXTS = {
    "negatives": "patches without truth",
    "images": "images they are from",
    "groups": "patients they are from",
    "images_offered": "images they could be from",
    "most_from_one_image": "most of them from one image",
    "most_from_one_group": "most of them from one patient",
    "least_distance": "least distance of two, pixels",
    "tissue_share": "share of the tissue they see",
}
"""Keys of the summary's ``spread``."""


def _order(record: DatasetRecord) -> dict[str, int]:
    return {name: at for at, name in enumerate([*record.codes, BACKGROUND, "grid"])}


def _percent(share: float) -> str:
    """A share with as many digits as it takes to see that it is not nothing.

    Examples
    --------
    >>> _percent(0.25), _percent(0.00031), _percent(0.0)
    ('25.0 %', '0.031 %', '0 %')
    """
    percent = 100 * share
    if percent == 0:
        return "0 %"
    return f"{percent:.1f} %" if percent >= 1 else f"{percent:.2g} %"


def sampling_table(frame: pd.DataFrame, record: DatasetRecord) -> Table:
    """Table of the patches of each split and class drawn for, and how many of them contain each class."""
    rows, order = [], _order(record)
    inside = frame.assign(what=drawn_for(frame))
    inside.loc[inside["coverage"], "what"] += " (coverage)"
    for split in SPLITS:
        part = inside[inside["split"] == split]
        for what in sorted(part["what"].unique(), key=lambda name: (order.get(name, len(order)), name)):
            drawn = part[part["what"] == what]
            contain = [int((drawn[f"pixels_{code}"] > 0).sum()) for code in record.codes]
            cells = [Cell(counted(count), note=f"{100 * count / len(drawn):.0f} %") for count in contain]
            rows.append((text_cell(split, strong=True), Cell(what, kind="text"), Cell(counted(len(drawn))), *cells))
    classes = [(each.code, f"patches that contain at least one pixel of {each.name}") for each in record.classes]
    head = (text_cell("Split"), text_cell("Drawn for"), *headings("", "Patches", *classes)[1:])
    return Table("Patches, and how many of them contain each class", head, tuple(rows))


def truth_shares(frame: pd.DataFrame, record: DatasetRecord) -> Table:
    """Truth shares: quantiles of the share of a patch that is truth, for each split and class drawn for."""
    what, order, rows = drawn_for(frame), _order(record), []
    for split in SPLITS:
        here = frame["split"] == split
        for name in sorted(set(what[here]), key=lambda name: (order.get(name, len(order)), name)):
            share = frame.loc[here & (what == name), "truth_fraction"].astype("float64")
            cells = [Cell(_percent(float(share.quantile(at)))) for _, at in QUANTILES]
            rows.append((text_cell(split, strong=True), text_cell(name), *cells))
    head = (text_cell("Split"), text_cell("Drawn for"), *(Cell(name) for name, _ in QUANTILES))
    return Table("Share of a patch that has truth of any class: quantiles over patches", head, tuple(rows))


def images_of_index(frame: pd.DataFrame, record: DatasetRecord, *, most: int) -> Table:
    """Patches of each image, those with most first within a split.

    Parameters
    ----------
    frame
        An index.
    record
        Classes.
    most
        Rows of the table; a note tells of the others.
    """
    what = drawn_for(frame)
    keys = [frame["split"].astype(str), frame["image_id"].astype(str), frame["group_id"].astype(str)]
    counts = pd.crosstab(keys, what)
    order = _order(record)
    columns = sorted(map(str, counts.columns), key=lambda name: (order.get(name, len(order)), name))
    numbers = counts[columns].to_numpy()
    found = [(*map(str, key), numbers[at].tolist()) for at, key in enumerate(counts.index.to_flat_index())]
    found.sort(key=lambda row: (SPLITS.index(row[0]), -sum(row[3]), row[1]))
    rows = [
        (
            text_cell(image, strong=True),
            text_cell(split),
            text_cell(group),
            Cell(counted(sum(parts))),
            *(Cell(counted(part) if part else DASH) for part in parts),
        )
        for split, image, group, parts in found[:most]
    ]
    head = (
        text_cell("Image"),
        text_cell("Split"),
        text_cell("Patient"),
        Cell("Patches"),
        *(Cell(name) for name in columns),
    )
    more = (f"{counted(len(found) - most)} more images, each with no more patches.",) if len(found) > most else ()
    return Table("Patches of each image, by what they were drawn for", head, tuple(rows), more)


def _size_text(size: Mapping[str, Any]) -> str:
    least, largest = size.get("least_area", 0), size.get("most_area")
    return f"{counted(least)} to {counted(largest)} px" if largest is not None else f"from {counted(least)} px"


def lesions_missed(summary: Mapping[str, Any], record: DatasetRecord) -> Table | None:
    """Lesions of the training images that no training patch touches, by class and size; None where nothing is known."""
    lesions: Mapping[str, Any] = summary.get("lesions") or {}
    sizes = {_size_text(each): each["least_area"] for found in lesions.values() for each in found.get("by_area", ())}
    names = sorted(sizes, key=lambda name: sizes[name])
    rows = []
    for code in [code for code in record.codes if code in lesions]:
        found = lesions[code]
        known = {_size_text(each): each for each in found.get("by_area", ())}
        cells = [_missed(known[name]) if name in known else Cell(DASH, hint="none of this size") for name in names]
        rows.append((Cell("", kind="text", chips=chips([code], record)), _missed(found), *cells))
    head = (text_cell("Class"), Cell("All"), *(Cell(name) for name in names))
    noun = _noun(lesions, record)
    caption = f"{noun.capitalize()}s of the training images that no training patch touches, by area: untouched / all"
    return Table(caption, head, tuple(rows)) if rows else None


def _noun(codes: Iterable[str], record: DatasetRecord) -> str:
    return region_noun((each.kind for each in record.classes if each.code in set(codes)), modality=record.modality)


def missed_sentence(summary: Mapping[str, Any], record: DatasetRecord) -> str:
    """Count of the training lesions that no training patch touches, to stand behind a number; empty where unknown."""
    counted_in = {code: found for code, found in (summary.get("lesions") or {}).items() if found.get("components")}
    if not counted_in:
        return ""
    lesions, noun = counted_in.values(), _noun(counted_in, record)
    untouched, total = (sum(int(found.get(key, 0)) for found in lesions) for key in ("untouched", "components"))
    if not untouched:
        return f"; training patches touch {'all ' if total > 1 else ''}{number_of(total, noun)}"
    return (
        f"; no training patch touches {counted(untouched)} of {number_of(total, noun)} ({_percent(untouched / total)})"
    )


def _missed(found: Mapping[str, Any]) -> Cell:
    untouched, total = int(found.get("untouched", 0)), int(found.get("components", 0))
    if not total:
        return Cell(DASH, hint="none in the training images")
    return Cell(f"{counted(untouched)} / {counted(total)}", note=_percent(untouched / total), strong=untouched > 0)


def _spread_text(key: str, value: object) -> str:
    if value is None:
        return DASH
    if not isinstance(value, int | float):
        return str(value)
    return _percent(value) if key.endswith("share") else f"{value:,.0f}"


def spread_table(frame: pd.DataFrame, summary: Mapping[str, Any]) -> Table | None:
    """Spread of the training patches over images and patients, and of those without truth over the tissue."""
    train = frame[frame["split"] == "train"]
    if not len(train):
        return None
    rows = [("training patches", counted(len(train)))]
    for column, name in (("image_id", "image"), ("group_id", "patient")):
        per = train[column].astype(str).value_counts()
        rows.append((f"{name}s they are from", counted(len(per))))
        share = _percent(int(per.iloc[0]) / len(train))
        rows.append((f"most of them from one {name}", f"{counted(int(per.iloc[0]))} ({share}, {per.index[0]})"))
    spread: Mapping[str, Any] = summary.get("spread") or {}
    if spread.get("negatives", 1):
        rows += [
            (SPREAD_TEXTS.get(key, key.replace("_", " ")), _spread_text(key, value)) for key, value in spread.items()
        ]
    cells = tuple((text_cell(name), Cell(value)) for name, value in rows)
    return Table("How the patches are spread", (text_cell("What"), Cell("Value")), cells)


def notes_of(summary: Mapping[str, Any]) -> tuple[str, ...]:
    """Notes on what was done otherwise than asked, in sentences; of an older index, made from what ran short."""
    if "notes" in summary:
        return tuple(map(str, summary["notes"]))
    return tuple(
        f"{each['class']}: {counted(each['drawn'])} of {number_of(each['requested'], 'patch', 'patches')} drawn"
        + (f", because {each['why']}." if each.get("why") else ".")
        for each in summary.get("short", ())
    )


def all_tables(frame: pd.DataFrame, summary: Mapping[str, Any], record: DatasetRecord, *, most: int) -> Sequence[Table]:
    """Tables of an index, all but the counts."""
    found = (
        truth_shares(frame, record),
        lesions_missed(summary, record),
        spread_table(frame, summary),
        images_of_index(frame, record, most=most),
    )
    return [table for table in found if table is not None]
