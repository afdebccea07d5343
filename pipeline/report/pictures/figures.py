"""Curves and dots of scores: training curves, precision-recall curves, results side by side."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from pipeline.config.manifest import DatasetRecord
from pipeline.report.pictures.canvas import (
    MARKERS,
    WIDE,
    Theme,
    blank_plot,
    class_colours,
    colour_code,
    legend_below,
    name_axes,
    outlined,
    save_plot,
)
from pipeline.report.pictures.store_pictures import Shot

__all__ = ["free_response", "history_scores", "losses", "precision_recall", "results_compared"]


def _epochs(axes: Axes, theme: Theme, best: float | None) -> None:
    """Whole numbers along x, and a line at the chosen epoch, named above the axes, where no curve runs."""
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    if best is not None:
        axes.axvline(best, color=theme.ink, linewidth=1, linestyle=(0, (4, 3)))
        above = axes.secondary_xaxis("top")  # the title makes room for labels of ticks, not for other text
        above.set_ticks([best], [f"chosen: {best:g}"])
        above.tick_params(colors=theme.ink, labelsize=8, length=0, pad=1)
        above.spines["top"].set_visible(False)


def _curve(axes: Axes, history: pd.DataFrame, column: str, *, at: int, label: str, colour: str, width: float) -> Line2D:
    """Curve of a column over the epochs where it is known."""
    known = history[history[column].notna()]
    marker = MARKERS[at % len(MARKERS)]
    return axes.plot(
        known["epoch"], known[column], color=colour, linewidth=width, label=label, marker=marker, markersize=3.5
    )[0]


def losses(history: pd.DataFrame, curves: Mapping[str, str], *, best: float | None, folder: Path, name: str) -> Shot:
    """Loss curves over epochs; ``curves`` is column → label, the chosen epoch is marked."""

    def draw(theme: Theme) -> Figure:
        figure, axes = blank_plot(theme, title="Loss")
        for at, (column, label) in enumerate(curves.items()):
            _curve(axes, history, column, at=at, label=label, colour=theme.shades[1 + at % 2], width=1.8)
        _epochs(axes, theme, best)
        name_axes(axes, theme, x="epoch", y="loss")
        legend_below(figure, axes, theme, columns=2)
        return figure

    return save_plot(draw, folder, name, caption="Loss over epochs")


def history_scores(
    history: pd.DataFrame,
    curves: Mapping[str, str],
    record: DatasetRecord,
    *,
    best: float | None,
    title: str,
    folder: Path,
    name: str,
) -> Shot:
    """Score curves over epochs; ``curves`` is column → class code, or a label where it is no class."""
    colours = class_colours(record)

    def draw(theme: Theme) -> Figure:
        figure, axes = blank_plot(theme, title=title)
        for at, (column, label) in enumerate(curves.items()):
            colour = colours.get(label, theme.ink)
            line = _curve(axes, history, column, at=at, label=label, colour=colour, width=1.6)
            line.set_path_effects(outlined(theme))
        _epochs(axes, theme, best)
        axes.set_ylim(0, 1)
        name_axes(axes, theme, x="epoch", y="validation patches")
        legend_below(figure, axes, theme, columns=6)
        return figure

    return save_plot(draw, folder, name, caption=title)


def precision_recall(
    curves: Mapping[str, tuple[Sequence[float], Sequence[float]]],
    areas: Mapping[str, float],
    record: DatasetRecord,
    *,
    title: str,
    folder: Path,
    name: str,
) -> Shot:
    """Precision-recall curves; ``curves`` is class code → recall and precision, ``areas`` their AUPR."""

    def draw(theme: Theme) -> Figure:
        figure, axes = blank_plot(theme, title=title, size=(WIDE, 3.7))
        for each in record.classes:
            recall, precision = curves.get(each.code, ((), ()))
            if len(recall):
                line = axes.plot(
                    [0.0, *recall],
                    [precision[0], *precision],
                    color=colour_code(each.rgb),
                    linewidth=1.8,
                    drawstyle="steps-pre",
                    label=f"{each.code}  AUPR {areas[each.code]:.3f}",
                )[0]
                line.set_path_effects(outlined(theme))
        axes.set_xlim(0, 1)
        axes.set_ylim(0, 1.02)
        name_axes(axes, theme, x="recall", y="precision")
        legend_below(figure, axes, theme, columns=3)
        return figure

    return save_plot(draw, folder, name, caption=title)


def free_response(
    curves: Mapping[str, Mapping[str, Sequence[float]]], record: DatasetRecord, *, title: str, folder: Path, name: str
) -> Shot:
    """FROC curves; ``curves`` is class code → ``sensitivity`` and ``false_positives_per_image`` at each threshold."""

    def draw(theme: Theme) -> Figure:
        figure, axes = blank_plot(theme, title=title, size=(WIDE, 3.7))
        for each in record.classes:
            if each.code in curves:
                line = axes.plot(
                    curves[each.code]["false_positives_per_image"],
                    curves[each.code]["sensitivity"],
                    color=colour_code(each.rgb),
                    linewidth=1.8,
                    marker="o",
                    markersize=3,
                    label=each.code,
                )[0]
                line.set_path_effects(outlined(theme))
        axes.set_xscale("symlog", linthresh=0.1)
        axes.set_xlim(left=0)
        axes.set_ylim(0, 1.02)
        name_axes(axes, theme, x="false regions per image", y="regions of the truth found")
        legend_below(figure, axes, theme, columns=3)
        return figure

    return save_plot(draw, folder, name, caption=title)


def _dots_with_intervals(
    axes: Axes, theme: Theme, part: pd.DataFrame, rows: Sequence[int], *, at: int, label: str, colour: str
) -> None:
    """Dots of one class, one in each of its rows, with their intervals where these are known."""
    known = part["low"].notna()
    lines = [row for row, has in zip(rows, known, strict=True) if has]
    axes.hlines(lines, part["low"][known], part["high"][known], color=theme.ink, linewidth=1, alpha=0.5)
    axes.scatter(
        part["value"],
        rows,
        color=colour,
        edgecolor=theme.ink,
        linewidth=0.7,
        marker=MARKERS[at % len(MARKERS)],
        s=44,
        label=label,
        zorder=3,
    )


def results_compared(frame: pd.DataFrame, record: DatasetRecord, *, title: str, folder: Path, name: str) -> Shot:
    """Dot plot with intervals: pooled Dice of each class, one row per result.

    Parameters
    ----------
    frame
        ``result``, ``class_code``, ``value``, ``low``, ``high``.
    record
        Colours and order of classes.
    title
        What is shown.
    folder, name
        Where the pictures go.
    """
    results = list(dict.fromkeys(frame["result"]))

    def draw(theme: Theme) -> Figure:
        figure, axes = blank_plot(theme, title=title, size=(WIDE, 1.3 + 0.34 * len(results)))
        for at, each in enumerate(record.classes):
            part = frame[(frame["class_code"] == each.code) & frame["value"].notna()]
            rows = [results.index(result) for result in part["result"]]
            colour = colour_code(each.rgb)
            _dots_with_intervals(axes, theme, part, rows, at=at, label=each.code, colour=colour)
        axes.set_yticks(range(len(results)), results)
        axes.set_ylim(len(results) - 0.5, -0.5)
        axes.set_xlim(-0.03, 1.03)
        name_axes(axes, theme, x="Dice, pixels pooled over images", y="")
        legend_below(figure, axes, theme, columns=8)
        return figure

    return save_plot(draw, folder, name, caption=title)
