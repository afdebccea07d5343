"""Section on stains: a table of swatches with the target on top, and plots by centre."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline import stores
from pipeline.report.page.facts import Facts
from pipeline.report.page.stains import NAMES, Stained, Stains, lab_of, stain_colours, stains_frame
from pipeline.report.page.tables.stains import stain_table
from pipeline.report.pictures import scatter
from pipeline.report.pictures.store_pictures import Shot
from pipeline.stores.provenance import Provenance

__all__ = ["stains_content", "stains_section"]

FILE = "stains.parquet"
"""Table of every image, in the folder of figures."""
TEXT = (
    "As found in each image before normalisation, which brings every row to the target's. A swatch is the colour of"
    " white light through a high amount of one stain alone."
)
TEXT_OF_REINHARD = (
    "As found in each image before normalisation, which brings every row to the target's: the mean colour of its"
    " tissue, and how far it spreads."
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


def _colours_plot(images: Sequence[Stained], target: Stains | None, *, folder: Path) -> Shot | None:
    """Plot of the colours of the stains; nothing to compare with less than two images."""
    points = [
        point for each in images for point in _points(each.image_id, each.stains, centre=each.centre, odd=each.is_odd)
    ]
    if len({point["name"] for point in points}) < 2:
        return None
    aim = _points("target", target, centre="", odd=False) if target else []
    return scatter.by_centre(
        pd.DataFrame(points),
        pd.DataFrame(aim, columns=[*points[0]]),
        title="Colours of the stains" if points[0]["what"] in NAMES else "Mean colours of the tissue",
        x="a*  (green to red)",
        y="b*  (blue to yellow)",
        folder=folder,
        name="stains.colours",
    )


def _amounts_plot(images: Sequence[Stained], target: Stains | None, *, folder: Path) -> Shot | None:
    """Plot of the amounts of the stains; nothing to compare with less than two images."""
    amounts = [
        {
            "name": each.image_id,
            "centre": each.centre,
            "what": "",
            "x": each.stains.maxima[0],
            "y": each.stains.maxima[1],
            "odd": each.is_odd,
        }
        for each in images
        if each.stains.maxima
    ]
    if len(amounts) < 2:
        return None
    aim = [{"what": "", "x": target.maxima[0], "y": target.maxima[1]}] if target and target.maxima else []
    return scatter.by_centre(
        pd.DataFrame(amounts),
        pd.DataFrame(aim, columns=["what", "x", "y"]),
        title="Amounts of the stains",
        x="haematoxylin, high percentile",
        y="eosin, high percentile",
        folder=folder,
        name="stains.amounts",
    )


def stains_content(
    images: Sequence[Stained],
    target: Stains | None,
    *,
    settings: Mapping[str, Any],
    folder: Path,
    provenance: Provenance,
) -> dict[str, Any] | None:
    """Content of the section, its plots and the table of all numbers written; None where there are no stains.

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
    plots = (plot(images, target, folder=folder) for plot in (_colours_plot, _amounts_plot))
    return {
        "text": TEXT_OF_REINHARD if images[0].stains.method == "reinhard" else TEXT,
        "stains": stain_table(images, target, percentile=float(settings.get("percentile", 99))),
        "shots": tuple(shot for shot in plots if shot),
        "file": FILE,
    }


def stains_section(facts: Facts) -> dict[str, Any] | None:
    """Content of the section on stains, its plots written; None where no stains are normalised."""
    return stains_content(
        facts.stained,
        facts.target,
        settings=facts.stage_config.get("normalized", {}).get("stain", {}),
        folder=facts.folder,
        provenance=facts.provenance,
    )
