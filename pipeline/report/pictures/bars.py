"""Bar charts of a patch index: patches drawn for each class, and shares of patches that contain it."""

from pathlib import Path

import altair as alt
import pandas as pd

from pipeline.config.manifest import DatasetRecord
from pipeline.report.pictures.chart import INK, SHADES, WIDE, Value, data, fill, save_chart, tooltip
from pipeline.report.pictures.colours import class_colours
from pipeline.report.pictures.store_pictures import Shot
from pipeline.words import TRUTH_SPLITS

__all__ = ["drawn_counts", "patch_shares"]

ROW = 28
"""Pixels of a bar and the room around it."""


def _rows(field: str, names: list[str]) -> alt.Y:
    """A row for each name, in their order, without lines between them."""
    scale = alt.Scale(domain=names, paddingInner=0.3, paddingOuter=0.15)
    return alt.Y(f"{field}:N", title=None, scale=scale, axis=alt.Axis(domain=False))


def drawn_counts(frame: pd.DataFrame, record: DatasetRecord, *, folder: Path, name: str) -> Shot:
    """Bar chart of the patches that were drawn for each class or as plain grid, training split.

    Parameters
    ----------
    frame
        ``what``, ``patches`` in the order of the bars, class codes first.
    record
        Colours.
    folder, name
        Where the pictures go.
    """
    known, names = class_colours(record), frame["what"].astype(str).tolist()
    colours = alt.Scale(domain=names, range=[known.get(each, SHADES[1]) for each in names])
    # Room beside the longest bar for its number.
    x = alt.X("patches:Q", scale=alt.Scale(domain=[0, 1.14 * max(frame["patches"].max(), 1)], nice=False))
    base = data(frame[["what", "patches"]]).encode(y=_rows("what", names))
    values = tooltip([Value("what", "Drawn for"), Value("patches", "Patches", ",d")])
    bars = base.mark_bar(stroke=INK, strokeWidth=0.6).encode(
        x, alt.Fill("what:N", scale=colours, legend=None), tooltip=values
    )
    ends = base.mark_text(align="left", dx=5, fill=INK, fontSize=11.5, aria=False)
    chart = alt.layer(bars, ends.encode(x, alt.Text("patches:Q", format=",d")))
    title, caption = "Training patches by the class they were drawn for", "Patches drawn for each class, training split"
    return save_chart(chart, folder, name, title=title, caption=caption, width=WIDE, height=ROW * len(frame))


def patch_shares(frame: pd.DataFrame, *, folder: Path, name: str) -> Shot:
    """Grouped bar chart: which share of the patches of each split contains each class.

    Parameters
    ----------
    frame
        Index: class codes; one column of shares, 0 to 1, per split.
    folder, name
        Where the pictures go.
    """
    splits = [split for split in TRUTH_SPLITS if split in frame.columns]
    rows = [(str(code), split, 100 * frame.loc[code, split]) for code in frame.index for split in splits]
    shares = data(pd.DataFrame(rows, columns=["class", "split", "share"]))
    shades = dict(zip(TRUTH_SPLITS, SHADES, strict=True))
    values = tooltip([Value("class", "Class"), Value("split", "Split"), Value("share", "% of patches", ".2f")])
    bars = shares.mark_bar(stroke=INK, strokeWidth=0.4).encode(
        alt.X("share:Q", title="% of patches", scale=alt.Scale(domain=[0, 100])),
        _rows("class", [str(code) for code in frame.index]),
        alt.YOffset("split:N", scale=alt.Scale(domain=splits)),
        fill("split", {split: shades[split] for split in splits}),
        tooltip=values,
    )
    title = "Share of patches that contain each class"
    height = len(frame) * (12 + 13 * len(splits))
    return save_chart(alt.layer(bars), folder, name, title=title, caption=title, width=WIDE, height=height)
