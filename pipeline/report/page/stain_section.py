"""Section on stains: one sentence, a table of swatches with the target on top, and plots by centre."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline import stores
from pipeline.report.page.stains import (
    Stained,
    Stains,
    Triple,
    lab_colour,
    lab_of,
    stain_colours,
    stains_frame,
    to_list,
)
from pipeline.report.page.tables import DASH, Cell, Table, counted, number
from pipeline.report.pictures import figures
from pipeline.report.pictures.overlays import RGB
from pipeline.report.pictures.store_pictures import Shot
from pipeline.stores.provenance import Provenance

__all__ = ["StainSection", "stain_section", "stain_sentence", "stain_table"]

LISTED = 40
"""Images in the table, at least; odd ones are all in it."""
FILE = "stains.parquet"
METHODS = {
    "vahadane": "Vahadane",
    "macenko": "Macenko",
    "reinhard": "Reinhard",
    "reference": "reference",
    "none": "unchanged",
}
FALLBACKS = {
    "reference": "takes the reference vectors",
    "macenko": "takes Macenko's",
    "keep": "is left as it is",
}
NAMES = ("haematoxylin", "eosin")


@dataclass(frozen=True, slots=True)
class StainSection:
    """Content of the section on stains."""

    text: str
    table: Table
    shots: tuple[Shot, ...]
    file: str
    """Table of every image, in the folder of figures."""


def stain_sentence(settings: Mapping[str, Any], *, target: Stains | None) -> str:
    """Method, target and background of stain normalisation.

    Parameters
    ----------
    settings
        The block ``normalized.stain`` of the configuration.
    target
        The look that is aimed at, where it was written.
    """
    method = str(settings.get("method", "none"))
    if method == "none":
        return "Histology, no stain normalisation was asked for."
    source = (target.source if target else "") or str(settings.get("target", "reference"))
    light = {
        "estimate": "Light through bare glass is estimated per image and channel, so that glass comes out neutral.",
        "white": "Light through bare glass is taken as 255.",
    }.get(str(settings.get("background")), "")
    outside = {
        "normalise": "Pixels outside tissue are mapped like all.",
        "keep": "Pixels outside tissue are kept as they are.",
    }.get(str(settings.get("outside")), "")
    fallback = FALLBACKS.get(str(settings.get("fallback")), "")
    odd = f"An image whose stains cannot be trusted {fallback}." if fallback and method != "reinhard" else ""
    parts = [f"Histology, stain normalisation: {METHODS.get(method, method)}. Target: {source}.", light, outside, odd]
    return " ".join(part for part in parts if part)


def _swatch(colour: RGB | None, *, hint: str, note: str = "") -> Cell:
    if colour is None:
        return Cell(DASH, kind="swatch", hint=f"{hint}: unknown")
    code = "#{:02x}{:02x}{:02x}".format(*colour)
    return Cell("", kind="swatch", chips=(("", code, f"{hint}: {code}"),), note=note or code)


def _glass(stains: Stains) -> Cell:
    levels = stains.background
    if levels is None:
        return _swatch(None, hint="glass")
    red, green, blue = (round(min(max(level, 0), 255)) for level in levels)
    return _swatch((red, green, blue), hint="glass", note=" ".join(f"{level:.0f}" for level in levels))


def _tissue(stains: Stains, share: float | None) -> Cell:
    if share is None or stains.tissue_pixels is None:
        return Cell(DASH)
    text = DASH if math.isnan(share) else f"{100 * share:.1f} %"
    return Cell(text, note=f"{counted(stains.tissue_pixels)} px", hint="share and number of pixels of tissue")


def _vector_cells(stains: Stains) -> list[Cell]:
    seen = stain_colours(stains) or (None, None)
    swatches = [_swatch(colour, hint=name) for colour, name in zip(seen, NAMES, strict=True)]
    between = Cell(number(stains.angles.get("between", math.nan), digits=1))
    amounts = zip(NAMES, stains.maxima or (math.nan, math.nan), strict=True)
    return [*swatches, between, *(_amount(each, stains.angles.get(name)) for name, each in amounts)]


def _amount(most: float, off: float | None) -> Cell:
    return Cell(number(most, digits=2), note="" if off is None else f"{off:.1f}° off")


def _triple(values: Triple | None) -> Cell:
    return Cell(DASH if values is None else " / ".join(f"{each:.1f}" for each in values))


def _lab_cells(stains: Stains) -> list[Cell]:
    colour = None if stains.mean is None else lab_colour(stains.mean)
    return [_swatch(colour, hint="mean colour of the tissue"), _triple(stains.mean), _triple(stains.deviation)]


def _head(*, lab: bool, percentile: float) -> tuple[Cell, ...]:
    vectors = (
        Cell("Haematoxylin", kind="text", hint=f"white light through the {percentile:g}th-percentile amount"),
        Cell("Eosin", kind="text", hint=f"white light through the {percentile:g}th-percentile amount"),
        Cell("H to E, °", hint="angle between the two vectors of optical density"),
        *(
            Cell(
                f"{name[0].upper()} p{percentile:g}",
                hint=f"{percentile:g}th percentile of the {name} concentrations over tissue; below, the angle of its"
                " vector to the reference",
            )
            for name in NAMES
        ),
    )
    means = (
        Cell("Mean colour", kind="text", hint="mean colour of the tissue"),
        Cell("Mean L* / a* / b*"),
        Cell("Deviation L* / a* / b*", hint="standard deviation over the tissue"),
    )
    return (
        Cell("Image", kind="text", hint="its split and centre below"),
        Cell("Used", kind="text", hint="method whose numbers these are"),
        *(means if lab else vectors),
        Cell("Glass", kind="text", hint="light through bare glass, red green blue"),
        Cell("Tissue", hint="share of the pixels of the normalised image"),
        Cell("Flags", kind="text"),
    )


def _row(name: str, stains: Stains, *, note: str, lab: bool, share: float | None) -> tuple[Cell, ...]:
    flags = Cell("; ".join(stains.flags) or "none", kind="flags")
    return (
        Cell(name, kind="text", strong=True, note=note),
        Cell(METHODS.get(stains.used, stains.used or DASH), kind="text"),
        *(_lab_cells(stains) if lab else _vector_cells(stains)),
        _glass(stains),
        _tissue(stains, share),
        flags,
    )


def stain_table(images: Sequence[Stained], target: Stains | None, *, percentile: float, most: int = LISTED) -> Table:
    """Table of stains: the target and, below it, images by centre and id; rows of odd ones are marked.

    Parameters
    ----------
    images
        Every image.
    target
        The look that is aimed at.
    percentile
        Of the concentrations, for the headings.
    most
        Images to list; odd ones are listed all the same.
    """
    listed, odd = to_list(images, most=most), sum(each.is_odd for each in images)
    lab = any(each.stains.method == "reinhard" for each in images)
    rows, marked = [], []
    if target is not None:
        rows.append(_row("Target", target, note=target.source, lab=lab, share=None))
    for each in listed:
        marked += [len(rows)] if each.is_odd else []
        note = " · ".join(part for part in (each.split, each.centre) if part)
        rows.append(_row(each.image_id, each.stains, note=note, lab=lab, share=each.tissue_share))
    which = f"All {counted(len(images))} images as they were before normalisation, by centre, then by id"
    if len(listed) < len(images):
        which = (
            f"{counted(len(listed))} of {counted(len(images))} images as they were before normalisation: all flagged"
            " ones, then the first of each centre"
        )
    note = (
        f"H and E p{percentile:g}: the {percentile:g}th percentile of the concentrations of haematoxylin and eosin over"
        " tissue; below it how many degrees the vector is off its reference. H to E: the angle between the two."
    )
    return Table(
        f"{which}; {counted(odd)} flagged",
        _head(lab=lab, percentile=percentile),
        tuple(rows),
        notes=() if lab else (note,),
        marked=frozenset(marked),
    )


def _points(name: str, stains: Stains, *, centre: str, odd: bool) -> list[dict[str, Any]]:
    if stains.method == "reinhard":
        seen = {"": stains.mean} if stains.mean else {}
    else:
        seen = {what: lab_of(colour) for what, colour in zip(NAMES, stain_colours(stains) or (), strict=False)}
    return [
        {"name": name, "centre": centre, "what": what, "x": lab[1], "y": lab[2], "odd": odd}
        for what, lab in seen.items()
    ]


def _plots(images: Sequence[Stained], target: Stains | None, *, folder: Path) -> tuple[Shot, ...]:
    """Where the colours and the amounts of the stains lie, by centre; nothing to compare with less than two images."""
    points = [
        point for each in images for point in _points(each.image_id, each.stains, centre=each.centre, odd=each.is_odd)
    ]
    if len({point["name"] for point in points}) < 2:
        return ()
    aim = pd.DataFrame(_points("target", target, centre="", odd=False) if target else [], columns=[*points[0]])
    title = "Colours of the stains" if points[0]["what"] in NAMES else "Mean colours of the tissue"
    shots = [
        figures.by_centre(
            pd.DataFrame(points),
            aim,
            title=title,
            x="a*  (green to red)",
            y="b*  (blue to yellow)",
            folder=folder,
            name="stains.colours",
        )
    ]
    amounts = [
        {"centre": each.centre, "what": "", "x": each.stains.maxima[0], "y": each.stains.maxima[1], "odd": each.is_odd}
        for each in images
        if each.stains.maxima
    ]
    if len(amounts) > 1:
        goal = [{"what": "", "x": target.maxima[0], "y": target.maxima[1]}] if target and target.maxima else []
        shots.append(
            figures.by_centre(
                pd.DataFrame(amounts),
                pd.DataFrame(goal, columns=["what", "x", "y"]),
                title="Amounts of the stains",
                x="haematoxylin, high percentile",
                y="eosin, high percentile",
                folder=folder,
                name="stains.amounts",
            )
        )
    return tuple(shots)


def stain_section(
    images: Sequence[Stained],
    target: Stains | None,
    *,
    settings: Mapping[str, Any],
    folder: Path,
    provenance: Provenance,
) -> StainSection | None:
    """Section on stains, with its plots and the table of all numbers written; None where there are no stains.

    Parameters
    ----------
    images
        Every image, in the order of the table.
    target
        The look that is aimed at.
    settings
        The block ``normalized.stain`` of the configuration.
    folder
        Where plots and numbers go.
    provenance
        Record of origin.
    """
    if not images:
        return None
    stores.write_table(stains_frame(images), folder / FILE, provenance=provenance.as_attributes())
    table = stain_table(images, target, percentile=float(settings.get("percentile", 99)))
    text = (
        "As found in each image before normalisation, which brings every row to the target's. A swatch is the colour of"
        " white light through a high amount of one stain alone."
    )
    if images[0].stains.method == "reinhard":
        text = "As found in each image before normalisation, which brings every row to the target's: the mean colour of its tissue, and how far it spreads."
    return StainSection(text, table, _plots(images, target, folder=folder), FILE)
