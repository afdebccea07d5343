"""Bar charts of a patch index: patches drawn for each class, and shares of patches that contain it."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pipeline.config.manifest import DatasetRecord
from pipeline.report.pictures.canvas import WIDE, Theme, blank_plot, class_colours, legend_below, name_axes, save_plot
from pipeline.report.pictures.store_pictures import Shot
from pipeline.words import TRUTH_SPLITS

__all__ = ["drawn_counts", "patch_shares"]


def _bars_end(axes: Axes, theme: Theme, values: Sequence[float], *, pattern: str) -> None:
    for at, value in enumerate(values):
        axes.annotate(
            pattern.format(value),
            (value, at),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            fontsize=8.5,
            color=theme.ink,
        )
    axes.margins(x=0.14)


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
    colours = class_colours(record)

    def draw(theme: Theme) -> Figure:
        figure, axes = blank_plot(
            theme, title="Training patches by the class they were drawn for", size=(WIDE, 0.9 + 0.34 * len(frame))
        )
        bars = [colours.get(what, theme.shades[1]) for what in frame["what"]]
        axes.barh(frame["what"], frame["patches"], color=bars, edgecolor=theme.ink, linewidth=0.5, height=0.68)
        _bars_end(axes, theme, frame["patches"].tolist(), pattern="{:,.0f}")
        axes.invert_yaxis()
        axes.grid(visible=False, axis="y")
        name_axes(axes, theme, x="patches", y="")
        return figure

    return save_plot(draw, folder, name, caption="Patches drawn for each class, training split")


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

    def draw(theme: Theme) -> Figure:
        step = 0.8 / max(len(splits), 1)
        figure, axes = blank_plot(
            theme,
            title="Share of patches that contain each class",
            size=(WIDE, 1.3 + 0.13 * len(frame) * (1 + len(splits))),
        )
        for at, split in enumerate(splits):
            places = [row + (at - (len(splits) - 1) / 2) * step for row in range(len(frame))]
            axes.barh(
                places,
                100 * frame[split],
                height=step * 0.9,
                color=theme.shades[TRUTH_SPLITS.index(split)],
                label=split,
            )
        axes.set_yticks(range(len(frame)), [str(code) for code in frame.index])
        axes.invert_yaxis()
        axes.set_xlim(0, 100)
        axes.grid(visible=False, axis="y")
        name_axes(axes, theme, x="% of patches", y="")
        legend_below(figure, axes, theme, columns=len(splits))
        return figure

    return save_plot(draw, folder, name, caption="Share of patches that contain each class")
