"""Reliability plot: share of truth among the pixels of each bin of probability, beside the diagonal."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pipeline.config.manifest import DatasetRecord
from pipeline.report.pictures.canvas import (
    MARKERS,
    WIDE,
    Theme,
    blank_plot,
    colour_code,
    legend_below,
    name_axes,
    outlined,
    save_plot,
)
from pipeline.report.pictures.store_pictures import Shot

__all__ = ["reliability_plot"]

FEW = 100
"""Pixels below which a bin is drawn apart: its share of truth says little."""


def _curve(
    axes: Axes, theme: Theme, points: Mapping[str, Sequence[float]], *, at: int, label: str, colour: str
) -> None:
    """Curve of one class through the bins that hold enough pixels; the others are faint dots beside it."""
    bins = list(zip(points["confidence"], points["frequency"], points["pixels"], strict=True))
    kept = [(x, y) for x, y, pixels in bins if pixels >= FEW]
    line = axes.plot(
        [x for x, _ in kept],
        [y for _, y in kept],
        color=colour,
        linewidth=1.8,
        marker=MARKERS[at % len(MARKERS)],
        markersize=4.5,
        label=label,
    )[0]
    line.set_path_effects(outlined(theme))
    few = [(x, y) for x, y, pixels in bins if pixels < FEW]
    axes.scatter(
        [x for x, _ in few],
        [y for _, y in few],
        facecolor="none",
        edgecolor=colour,
        linewidth=1,
        marker=MARKERS[at % len(MARKERS)],
        s=18,
    )


def reliability_plot(
    curves: Mapping[str, Mapping[str, Sequence[float]]], record: DatasetRecord, *, title: str, folder: Path, name: str
) -> Shot:
    """Reliability curves; ``curves`` is class code → ``confidence``, ``frequency`` and ``pixels`` of each bin that holds any."""

    def draw(theme: Theme) -> Figure:
        figure, axes = blank_plot(theme, title=title, size=(WIDE, 3.7))
        axes.plot([0, 1], [0, 1], color=theme.ink, linewidth=1, linestyle=(0, (4, 3)), label="calibrated")
        for at, each in enumerate(record.classes):
            if each.code in curves:
                _curve(axes, theme, curves[each.code], at=at, label=each.code, colour=colour_code(each.rgb))
        axes.set_xlim(-0.02, 1.02)
        axes.set_ylim(-0.02, 1.02)
        name_axes(
            axes, theme, x=f"mean probability of a bin (hollow: fewer than {FEW} pixels)", y="share of it that is truth"
        )
        legend_below(figure, axes, theme, columns=6)
        return figure

    return save_plot(draw, folder, name, caption=title)
