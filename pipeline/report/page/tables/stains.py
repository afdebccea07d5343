"""Table of stains: the target and, below it, images; colours as swatches, rows of odd ones marked."""

import math
from collections.abc import Sequence

from pipeline.counts import number_of
from pipeline.report.page.stains import (
    METHODS,
    NAMES,
    Stained,
    Stains,
    Triple,
    lab_colour,
    stain_colours,
    to_list,
)
from pipeline.report.page.tables.cells import DASH, Cell, Table, counted, number
from pipeline.report.pictures.colours import colour_code
from pipeline.report.pictures.overlays import RGB

__all__ = ["LISTED", "stain_table"]

LISTED = 40
"""Images in the table, at least; odd ones are all in it."""


def _swatch(colour: RGB | None, *, hint: str, note: str = "") -> Cell:
    if colour is None:
        return Cell(DASH, kind="swatch", hint=f"{hint}: unknown")
    code = colour_code(colour)
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
    which = f"{number_of(len(images), 'image')} before normalisation, by centre, then by id"
    if len(listed) < len(images):
        which = (
            f"{counted(len(listed))} of {number_of(len(images), 'image')} before normalisation: all flagged"
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
