"""Scatter plot by centre: where the images of each lie, and where the target is."""

from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pipeline.report.pictures.canvas import MARKERS, WIDE, Theme, blank_plot, legend_below, name_axes, save_plot
from pipeline.report.pictures.store_pictures import Shot

__all__ = ["by_centre"]

CENTRES = ("#e69f00", "#56b4e9", "#009e73", "#cc79a7", "#d55e00", "#0072b2", "#f0e442")
"""Told apart by colour-blind readers (Okabe and Ito), and each with a marker of its own; further centres share one."""
OTHERS = "#999999"


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
            for kind in kinds:
                _dots(axes, theme, part[part["what"] == kind], at=at, label=label, hollow=kind != kinds[0])
        _marks(axes, theme, points[points["odd"].astype(bool)], target)
        for kind in filter(None, kinds):
            _name_kind(axes, theme, points[points["what"] == kind], kind)
        axes.margins(0.12)
        name_axes(axes, theme, x=x, y=y)
        legend_below(figure, axes, theme, columns=3)
        return figure

    return save_plot(draw, folder, name, caption=f"{title} by centre; {x} against {y}")


def _dots(axes: Axes, theme: Theme, part: pd.DataFrame, *, at: int, label: str, hollow: bool) -> None:
    colour = CENTRES[at] if at < len(CENTRES) and not label.endswith("more centres") else OTHERS
    axes.scatter(
        part["x"],
        part["y"],
        s=42,
        marker=MARKERS[at % len(MARKERS)],
        linewidth=1.4 if hollow else 0.7,
        facecolor="none" if hollow else colour,
        edgecolor=colour if hollow else theme.ink,
        label=None if hollow else label,
        zorder=3,
    )


def _name_kind(axes: Axes, theme: Theme, part: pd.DataFrame, kind: str) -> None:
    """The name of a kind of dots over the highest of them."""
    axes.annotate(
        kind,
        (part["x"].iloc[part["y"].argmax()], part["y"].max()),
        xytext=(0, 9),
        textcoords="offset points",
        ha="center",
        fontsize=9,
        color=theme.ink,
    )


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
