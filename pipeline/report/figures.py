"""Which plots does the page hold? Each is drawn twice, for a light and for a dark page, without global state."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patheffects import AbstractPathEffect, Normal, Stroke

from pipeline.manifest import DatasetRecord
from pipeline.report.gallery import Shot

__all__ = ["Theme", "drawn_counts", "history_scores", "losses", "patch_shares", "precision_recall", "results_compared"]

SMALL, WIDE, DPI = (4.3, 3.0), 5.6, 150
MARKERS = "osD^vPX*"
SPLITS = ("train", "validation", "test")


@dataclass(frozen=True, slots=True)
class Theme:
    """Colours of a page."""

    name: str
    ink: str
    faint: str
    shades: tuple[str, str, str]
    """For train, validation and test, or whatever comes in threes."""


LIGHT = Theme("light", "#1f2933", "#d5dbe3", ("#9db4cc", "#4f86c6", "#123a6b"))
DARK = Theme("dark", "#d9e1ea", "#39444f", ("#44597a", "#6ea3df", "#cfe3fb"))


def _plot(theme: Theme, *, title: str, size: tuple[float, float] = SMALL) -> tuple[Figure, Axes]:
    figure = Figure(figsize=size, dpi=DPI, layout="constrained")
    figure.patch.set_alpha(0)
    axes = figure.add_subplot()
    axes.patch.set_alpha(0)
    axes.set_title(title, loc="left", color=theme.ink, fontsize=11, fontweight="bold")
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(theme.faint)
    axes.tick_params(colors=theme.ink, labelsize=8.5, length=0)
    axes.grid(color=theme.faint, linewidth=0.6)
    axes.set_axisbelow(True)
    return figure, axes


def _legend(axes: Axes, theme: Theme) -> None:
    handles, labels = axes.get_legend_handles_labels()
    axes.legend(handles, labels, frameon=False, fontsize=8.5, labelcolor=theme.ink)


def _legend_below(figure: Figure, axes: Axes, theme: Theme, *, columns: int) -> None:
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, frameon=False, fontsize=8.5, labelcolor=theme.ink, ncols=columns,
                  loc="outside lower center", handletextpad=0.5)  # fmt: skip


def _labels(axes: Axes, theme: Theme, *, x: str, y: str) -> None:
    axes.set_xlabel(x, color=theme.ink, fontsize=9)
    axes.set_ylabel(y, color=theme.ink, fontsize=9)


def _save(draw: Callable[[Theme], Figure], folder: Path, name: str, *, caption: str) -> Shot:
    names = {theme.name: f"{name}.{theme.name}.png" for theme in (LIGHT, DARK)}
    for theme in (LIGHT, DARK):
        # The canvas draws once where Figure.savefig draws twice.
        canvas = FigureCanvasAgg(draw(theme))
        canvas.print_png(folder / names[theme.name], metadata={"Software": None})  # type: ignore[no-untyped-call]  # upstream
    width, height = canvas.get_width_height()
    return Shot(names["light"], caption, width, height, dark=names["dark"])


def _outlined(theme: Theme) -> list[AbstractPathEffect]:
    # Yellow on white and blue on black can only be seen with a border of the ink.
    return [Stroke(linewidth=2.6, foreground=theme.ink, alpha=0.55), Normal()]


def _bars_end(axes: Axes, theme: Theme, values: Sequence[float], *, pattern: str) -> None:
    for at, value in enumerate(values):
        axes.annotate(pattern.format(value), (value, at), xytext=(4, 0), textcoords="offset points", va="center",
                      fontsize=8.5, color=theme.ink)  # fmt: skip
    axes.margins(x=0.14)


def drawn_counts(frame: pd.DataFrame, record: DatasetRecord, *, folder: Path, name: str) -> Shot:
    """Bars: how many patches were drawn for each class or as plain grid, training split.

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
        figure, axes = _plot(
            theme, title="Training patches by the class they were drawn for", size=(WIDE, 0.9 + 0.34 * len(frame))
        )
        bars = [colours.get(what, theme.shades[1]) for what in frame["what"]]
        axes.barh(frame["what"], frame["patches"], color=bars, edgecolor=theme.ink, linewidth=0.5, height=0.68)
        _bars_end(axes, theme, frame["patches"].tolist(), pattern="{:,.0f}")
        axes.invert_yaxis()
        axes.grid(visible=False, axis="y")
        _labels(axes, theme, x="patches", y="")
        return figure

    return _save(draw, folder, name, caption="Patches drawn for each class, training split")


def patch_shares(frame: pd.DataFrame, *, folder: Path, name: str) -> Shot:
    """Grouped bars: which share of the patches of each split contains each class.

    Parameters
    ----------
    frame
        Index: class codes; one column of shares, 0 to 1, per split.
    folder, name
        Where the pictures go.
    """
    splits = [split for split in SPLITS if split in frame.columns]

    def draw(theme: Theme) -> Figure:
        step = 0.8 / max(len(splits), 1)
        figure, axes = _plot(
            theme,
            title="Share of patches that contain each class",
            size=(WIDE, 1.0 + 0.13 * len(frame) * (1 + len(splits))),
        )
        for at, split in enumerate(splits):
            places = [row + (at - (len(splits) - 1) / 2) * step for row in range(len(frame))]
            axes.barh(
                places, 100 * frame[split], height=step * 0.9, color=theme.shades[SPLITS.index(split)], label=split
            )
        axes.set_yticks(range(len(frame)), [str(code) for code in frame.index])
        axes.invert_yaxis()
        axes.set_xlim(0, 100)
        axes.grid(visible=False, axis="y")
        _labels(axes, theme, x="% of patches", y="")
        axes.legend(frameon=False, fontsize=8.5, labelcolor=theme.ink, loc="lower right")
        return figure

    return _save(draw, folder, name, caption="Share of patches that contain each class")


def _chosen_epoch(axes: Axes, theme: Theme, best: float | None) -> None:
    if best is not None:
        axes.axvline(best, color=theme.ink, linewidth=1, linestyle=(0, (4, 3)))
        axes.annotate(f"chosen: {best:g}", (best, 1), xycoords=("data", "axes fraction"), xytext=(-4, -4), va="top",
                      ha="right", textcoords="offset points", fontsize=8, color=theme.ink)  # fmt: skip


def losses(history: pd.DataFrame, curves: Mapping[str, str], *, best: float | None, folder: Path, name: str) -> Shot:
    """Loss over epochs; ``curves`` is column → label, the chosen epoch is marked."""

    def draw(theme: Theme) -> Figure:
        figure, axes = _plot(theme, title="Loss")
        for at, (column, label) in enumerate(curves.items()):
            known = history[history[column].notna()]
            axes.plot(known["epoch"], known[column], color=theme.shades[1 + at % 2], linewidth=1.8, label=label,
                      marker=MARKERS[at], markersize=3.5)  # fmt: skip
        _chosen_epoch(axes, theme, best)
        _labels(axes, theme, x="epoch", y="loss")
        _legend(axes, theme)
        return figure

    return _save(draw, folder, name, caption="Loss over epochs")


def history_scores(
    history: pd.DataFrame, curves: Mapping[str, str], record: DatasetRecord, *, best: float | None, title: str,
    folder: Path, name: str,
) -> Shot:  # fmt: skip
    """Validation scores over epochs; ``curves`` is column → class code, or a label where it is no class."""
    colours = {each.code: [part / 255 for part in each.rgb] for each in record.classes}

    def draw(theme: Theme) -> Figure:
        figure, axes = _plot(theme, title=title)
        for at, (column, label) in enumerate(curves.items()):
            known = history[history[column].notna()]
            line = axes.plot(known["epoch"], known[column], color=colours.get(label, theme.ink), linewidth=1.6,
                             label=label, marker=MARKERS[at % len(MARKERS)], markersize=3.5)[0]  # fmt: skip
            line.set_path_effects(_outlined(theme))
        _chosen_epoch(axes, theme, best)
        axes.set_ylim(0, 1)
        _labels(axes, theme, x="epoch", y="validation patches")
        _legend_below(figure, axes, theme, columns=6)
        return figure

    return _save(draw, folder, name, caption=title)


def precision_recall(
    curves: Mapping[str, tuple[Sequence[float], Sequence[float]]], areas: Mapping[str, float], record: DatasetRecord, *,
    title: str, folder: Path, name: str,
) -> Shot:  # fmt: skip
    """Precision over recall; ``curves`` is class code → recall and precision, ``areas`` their AUPR."""

    def draw(theme: Theme) -> Figure:
        figure, axes = _plot(theme, title=title, size=(WIDE, 3.7))
        for each in record.classes:
            recall, precision = curves.get(each.code, ((), ()))
            if len(recall):
                line = axes.plot([0.0, *recall], [precision[0], *precision], color=[part / 255 for part in each.rgb],
                                 linewidth=1.8, drawstyle="steps-pre", label=f"{each.code}  AUPR {areas[each.code]:.3f}")[0]  # fmt: skip
                line.set_path_effects(_outlined(theme))
        axes.set_xlim(0, 1)
        axes.set_ylim(0, 1.02)
        _labels(axes, theme, x="recall", y="precision")
        _legend_below(figure, axes, theme, columns=3)
        return figure

    return _save(draw, folder, name, caption=title)


def results_compared(frame: pd.DataFrame, record: DatasetRecord, *, title: str, folder: Path, name: str) -> Shot:
    """Dots with intervals: pooled Dice of each class, one row per result.

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
        figure, axes = _plot(theme, title=title, size=(WIDE, 1.3 + 0.34 * len(results)))
        for at, each in enumerate(record.classes):
            part = frame[(frame["class_code"] == each.code) & frame["value"].notna()]
            rows = [results.index(result) for result in part["result"]]
            known = part["low"].notna()
            axes.hlines([row for row, has in zip(rows, known, strict=True) if has], part["low"][known],
                        part["high"][known], color=theme.ink, linewidth=1, alpha=0.5)  # fmt: skip
            axes.scatter(part["value"], rows, color=[[p / 255 for p in each.rgb]], edgecolor=theme.ink, linewidth=0.7,
                         marker=MARKERS[at % len(MARKERS)], s=44, label=each.code, zorder=3)  # fmt: skip
        axes.set_yticks(range(len(results)), results)
        axes.set_ylim(len(results) - 0.5, -0.5)
        axes.set_xlim(-0.03, 1.03)
        _labels(axes, theme, x="Dice, pixels pooled over images", y="")
        _legend_below(figure, axes, theme, columns=8)
        return figure

    return _save(draw, folder, name, caption=title)
