"""Plots of the page: bars, training curves, precision-recall curves, dots; each for a light and for a dark page."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from pipeline.config.manifest import DatasetRecord
from pipeline.report.pictures.canvas import (
    MARKERS,
    WIDE,
    Theme,
    blank_plot,
    legend,
    legend_below,
    name_axes,
    outlined,
    save_plot,
)
from pipeline.report.pictures.store_pictures import Shot
from pipeline.words import TRUTH_SPLITS

__all__ = [
    "by_centre",
    "drawn_counts",
    "history_scores",
    "losses",
    "patch_shares",
    "precision_recall",
    "results_compared",
]

CENTRES = ("#e69f00", "#56b4e9", "#009e73", "#cc79a7", "#d55e00", "#0072b2", "#f0e442")
"""Told apart by colour-blind readers (Okabe and Ito), and each with a marker of its own; further centres share one."""
OTHERS = "#999999"


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
    colours = {each.code: [part / 255 for part in each.rgb] for each in record.classes}

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
            size=(WIDE, 1.0 + 0.13 * len(frame) * (1 + len(splits))),
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
        axes.legend(frameon=False, fontsize=8.5, labelcolor=theme.ink, loc="lower right")
        return figure

    return save_plot(draw, folder, name, caption="Share of patches that contain each class")


def _epochs(axes: Axes, theme: Theme, best: float | None) -> None:
    """Whole numbers along x, and a line at the chosen epoch."""
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    if best is not None:
        axes.axvline(best, color=theme.ink, linewidth=1, linestyle=(0, (4, 3)))
        axes.annotate(
            f"chosen: {best:g}",
            (best, 1),
            xycoords=("data", "axes fraction"),
            xytext=(-4, -4),
            va="top",
            ha="right",
            textcoords="offset points",
            fontsize=8,
            color=theme.ink,
        )


def losses(history: pd.DataFrame, curves: Mapping[str, str], *, best: float | None, folder: Path, name: str) -> Shot:
    """Loss curves over epochs; ``curves`` is column → label, the chosen epoch is marked."""

    def draw(theme: Theme) -> Figure:
        figure, axes = blank_plot(theme, title="Loss")
        for at, (column, label) in enumerate(curves.items()):
            known = history[history[column].notna()]
            axes.plot(
                known["epoch"],
                known[column],
                color=theme.shades[1 + at % 2],
                linewidth=1.8,
                label=label,
                marker=MARKERS[at],
                markersize=3.5,
            )
        _epochs(axes, theme, best)
        name_axes(axes, theme, x="epoch", y="loss")
        legend(axes, theme)
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
    colours = {each.code: [part / 255 for part in each.rgb] for each in record.classes}

    def draw(theme: Theme) -> Figure:
        figure, axes = blank_plot(theme, title=title)
        for at, (column, label) in enumerate(curves.items()):
            known = history[history[column].notna()]
            line = axes.plot(
                known["epoch"],
                known[column],
                color=colours.get(label, theme.ink),
                linewidth=1.6,
                label=label,
                marker=MARKERS[at % len(MARKERS)],
                markersize=3.5,
            )[0]
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
                    color=[part / 255 for part in each.rgb],
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
            known = part["low"].notna()
            axes.hlines(
                [row for row, has in zip(rows, known, strict=True) if has],
                part["low"][known],
                part["high"][known],
                color=theme.ink,
                linewidth=1,
                alpha=0.5,
            )
            axes.scatter(
                part["value"],
                rows,
                color=[[p / 255 for p in each.rgb]],
                edgecolor=theme.ink,
                linewidth=0.7,
                marker=MARKERS[at % len(MARKERS)],
                s=44,
                label=each.code,
                zorder=3,
            )
        axes.set_yticks(range(len(results)), results)
        axes.set_ylim(len(results) - 0.5, -0.5)
        axes.set_xlim(-0.03, 1.03)
        name_axes(axes, theme, x="Dice, pixels pooled over images", y="")
        legend_below(figure, axes, theme, columns=8)
        return figure

    return save_plot(draw, folder, name, caption=title)


def _centres(points: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Label → points, in the order of the centres' names; those beyond the colours are put together."""
    names = sorted(points["centre"].unique())
    alone = names if len(names) <= len(CENTRES) else names[: len(CENTRES) - 1]
    found = {f"centre {name}" if name else "centre unknown": points[points["centre"] == name] for name in alone}
    if len(alone) < len(names):
        found[f"{len(names) - len(alone)} more centres"] = points[~points["centre"].isin(alone)]
    return found if len(names) > 1 else {"images": points}


def by_centre(
    points: pd.DataFrame, target: pd.DataFrame, *, title: str, x: str, y: str, folder: Path, name: str
) -> Shot:
    """Scatter plot: where the images of each centre lie, and where the target is.

    Parameters
    ----------
    points
        ``x``, ``y``, ``centre``, ``what`` (written beside its dots; the second kind is hollow), ``odd`` (ringed).
    target
        ``x``, ``y``; may be empty.
    title, x, y
        What is shown, and along the axes.
    folder, name
        Where the pictures go.
    """
    kinds, parts = list(dict.fromkeys(points["what"])), _centres(points)

    def draw(theme: Theme) -> Figure:
        figure, axes = blank_plot(theme, title=title, size=(WIDE, 3.9))
        for at, (label, part) in enumerate(parts.items()):
            colour = CENTRES[at] if at < len(CENTRES) and not label.endswith("more centres") else OTHERS
            for kind in kinds:
                own, hollow = part[part["what"] == kind], kind != kinds[0]
                axes.scatter(
                    own["x"],
                    own["y"],
                    s=42,
                    marker=MARKERS[at % len(MARKERS)],
                    linewidth=1.4 if hollow else 0.7,
                    facecolor="none" if hollow else colour,
                    edgecolor=colour if hollow else theme.ink,
                    label=None if hollow else label,
                    zorder=3,
                )
        _marks(axes, theme, points[points["odd"].astype(bool)], target)
        for kind in [kind for kind in kinds if kind]:
            own = points[points["what"] == kind]
            axes.annotate(
                kind,
                (own["x"].iloc[own["y"].argmax()], own["y"].max()),
                xytext=(0, 9),
                textcoords="offset points",
                ha="center",
                fontsize=9,
                color=theme.ink,
            )
        axes.margins(0.12)
        name_axes(axes, theme, x=x, y=y)
        legend_below(figure, axes, theme, columns=3)
        return figure

    return save_plot(draw, folder, name, caption=f"{title} by centre; {x} against {y}")


def _marks(axes: Axes, theme: Theme, odd: pd.DataFrame, target: pd.DataFrame) -> None:
    if len(odd):
        axes.scatter(
            odd["x"],
            odd["y"],
            s=150,
            marker="o",
            facecolor="none",
            edgecolor=theme.ink,
            linewidth=0.9,
            linestyle=(0, (2, 2)),
            label="flagged",
            zorder=4,
        )
    if len(target):
        axes.scatter(
            target["x"], target["y"], s=150, marker="+", color=theme.ink, linewidth=2, label="target", zorder=5
        )
