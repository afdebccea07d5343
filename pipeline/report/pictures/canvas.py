"""Canvas of a plot: its colours on a light and a dark page, its axes, its two files."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patheffects import AbstractPathEffect, Normal, Stroke

from pipeline.config.manifest import DatasetRecord
from pipeline.report.pictures.store_pictures import Shot

__all__ = [
    "DARK",
    "LIGHT",
    "MARKERS",
    "SMALL",
    "WIDE",
    "Theme",
    "blank_plot",
    "class_colours",
    "colour_code",
    "legend_below",
    "name_axes",
    "outlined",
    "save_plot",
]

SMALL, WIDE, DPI = (4.3, 3.0), 5.6, 150
MARKERS = "osD^vPX*"


@dataclass(frozen=True, slots=True)
class Theme:
    """Theme: colours of a page."""

    name: str
    ink: str
    faint: str
    shades: tuple[str, str, str]
    """For train, validation and test, or whatever comes in threes."""


LIGHT = Theme("light", "#1f2933", "#d5dbe3", ("#9db4cc", "#4f86c6", "#123a6b"))
DARK = Theme("dark", "#d9e1ea", "#39444f", ("#44597a", "#6ea3df", "#cfe3fb"))


def colour_code(rgb: tuple[int, int, int]) -> str:
    """Colour code of three bytes, for Matplotlib and for HTML.

    Examples
    --------
    >>> colour_code((255, 0, 16))
    '#ff0010'
    """
    return "#{:02x}{:02x}{:02x}".format(*rgb)


def class_colours(record: DatasetRecord) -> dict[str, str]:
    """Colour code of each class, by its code."""
    return {each.code: colour_code(each.rgb) for each in record.classes}


def blank_plot(theme: Theme, *, title: str, size: tuple[float, float] = SMALL) -> tuple[Figure, Axes]:
    """Empty axes, on a ground that lets the page through; ``size`` in inches."""
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


def legend_below(figure: Figure, axes: Axes, theme: Theme, *, columns: int) -> None:
    """Legend under the axes, in so many columns."""
    handles, names = axes.get_legend_handles_labels()
    figure.legend(
        handles,
        names,
        frameon=False,
        fontsize=8.5,
        labelcolor=theme.ink,
        ncols=columns,
        loc="outside lower center",
        handletextpad=0.5,
    )


def name_axes(axes: Axes, theme: Theme, *, x: str, y: str) -> None:
    """Labels of both axes."""
    axes.set_xlabel(x, color=theme.ink, fontsize=9)
    axes.set_ylabel(y, color=theme.ink, fontsize=9)


def save_plot(draw: Callable[[Theme], Figure], folder: Path, name: str, *, caption: str) -> Shot:
    """Plot files for light and for dark pages."""
    names = {theme.name: f"{name}.{theme.name}.png" for theme in (LIGHT, DARK)}
    for theme in (LIGHT, DARK):
        # The canvas draws once where Figure.savefig draws twice.
        canvas = FigureCanvasAgg(draw(theme))
        canvas.print_png(folder / names[theme.name], metadata={"Software": None})  # type: ignore[no-untyped-call]  # upstream
    width, height = canvas.get_width_height()
    return Shot(names["light"], caption, width, height, dark=names["dark"])


def outlined(theme: Theme) -> list[AbstractPathEffect]:
    """Outline of a line in the ink: without it yellow on white and blue on black cannot be seen."""
    return [Stroke(linewidth=2.6, foreground=theme.ink, alpha=0.55), Normal()]
