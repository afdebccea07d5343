"""Reliability plot: share of truth among the pixels of each bin of probability, beside the diagonal."""

from collections.abc import Mapping, Sequence
from pathlib import Path

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


def reliability_plot(
    curves: Mapping[str, Mapping[str, Sequence[float]]], record: DatasetRecord, *, title: str, folder: Path, name: str
) -> Shot:
    """Reliability curves; ``curves`` is class code → ``confidence`` and ``frequency`` of each bin that holds pixels."""

    def draw(theme: Theme) -> Figure:
        figure, axes = blank_plot(theme, title=title, size=(WIDE, 3.7))
        axes.plot([0, 1], [0, 1], color=theme.ink, linewidth=1, linestyle=(0, (4, 3)), label="calibrated")
        for at, each in enumerate(record.classes):
            if each.code in curves:
                line = axes.plot(
                    curves[each.code]["confidence"],
                    curves[each.code]["frequency"],
                    color=colour_code(each.rgb),
                    linewidth=1.8,
                    marker=MARKERS[at % len(MARKERS)],
                    markersize=4.5,
                    label=each.code,
                )[0]
                line.set_path_effects(outlined(theme))
        axes.set_xlim(-0.02, 1.02)
        axes.set_ylim(-0.02, 1.02)
        name_axes(axes, theme, x="mean probability of a bin", y="share of it that is truth")
        legend_below(figure, axes, theme, columns=6)
        return figure

    return save_plot(draw, folder, name, caption=title)
