"""Dot plot of paired differences: a row for each arm, a dot for each image, a line at the mean."""

from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from pipeline.report.pictures.canvas import WIDE, Theme, blank_plot, name_axes, save_plot
from pipeline.report.pictures.store_pictures import Shot

__all__ = ["differences_plot"]


def differences_plot(
    images: pd.DataFrame, means: pd.DataFrame, *, title: str, measure: str, folder: Path, name: str
) -> Shot:
    """Dot plot of the differences of images from the base arm.

    Parameters
    ----------
    images
        ``arm``, ``difference``: a row for each image and arm.
    means
        ``arm``, ``difference``, ``low``, ``high``: a row for each arm, in the order of the rows; bounds may be NaN.
    title, measure
        What is shown, and along the axis.
    folder, name
        Where the pictures go.
    """
    arms = means["arm"].tolist()

    def draw(theme: Theme) -> Figure:
        figure, axes = blank_plot(theme, title=title, size=(WIDE, 1.2 + 0.34 * len(arms)))
        axes.axvline(0, color=theme.ink, linewidth=1)
        rows = [arms.index(arm) for arm in images["arm"]]
        axes.scatter(
            images["difference"], rows, s=26, facecolor="none", edgecolor=theme.shades[1], linewidth=1.2, zorder=3
        )
        places = range(len(arms))
        axes.scatter(means["difference"], places, s=190, marker="|", color=theme.ink, linewidth=2.2, zorder=4)
        known = [at for at, low in enumerate(means["low"].notna()) if low]
        axes.hlines(known, means["low"].iloc[known], means["high"].iloc[known], color=theme.ink, linewidth=1.2)
        axes.set_yticks(places, arms)
        axes.set_ylim(len(arms) - 0.5, -0.5)
        axes.margins(x=0.08)
        axes.locator_params(axis="x", nbins=6)
        name_axes(axes, theme, x=f"{measure}, difference from the base arm", y="")
        return figure

    return save_plot(draw, folder, name, caption=f"{title}: a ring for each image, a bar at their mean")
