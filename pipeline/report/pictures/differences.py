"""Dot plot of paired differences: a row for each arm, a dot for each image, a line at the mean."""

from pathlib import Path

import altair as alt
import pandas as pd

from pipeline.report.pictures.chart import INK, SHADES, WIDE, Value, data, save_chart, tooltip
from pipeline.report.pictures.store_pictures import Shot

__all__ = ["differences_plot"]


def differences_plot(
    images: pd.DataFrame, means: pd.DataFrame, *, title: str, measure: str, folder: Path, name: str
) -> Shot:
    """Dot plot of the differences of images from the base arm.

    Parameters
    ----------
    images
        ``arm``, ``image_id``, ``difference``: a row for each image and arm.
    means
        ``arm``, ``difference``, ``low``, ``high``: a row for each arm, in the order of the rows; bounds may be NaN.
    title, measure
        What is shown, and along the axis.
    folder, name
        Where the pictures go.
    """
    arms = means["arm"].astype(str).tolist()
    x = alt.X("difference:Q", title=f"{measure}, difference from the base arm", axis=alt.Axis(titleAnchor="end"))
    y = alt.Y("arm:N", title=None, scale=alt.Scale(domain=arms), axis=alt.Axis(grid=True))
    arm, signed = Value("arm", "Arm"), "+.4f"
    of_image = [arm, Value("image_id", "Image"), Value("difference", "Difference", signed)]
    mean = [arm, Value("difference", "Mean difference", signed)]
    bounds = [Value(each, f"Interval, {each}", signed) for each in ("low", "high")]
    known = means[["arm", "difference", "low", "high"]].dropna(subset=["low", "high"])
    zero = data(pd.DataFrame({"difference": [0.0]})).mark_rule(stroke=INK, aria=False)
    rings = data(images[["arm", "image_id", "difference"]]).mark_point(
        filled=True, fill="transparent", stroke=SHADES[1], strokeWidth=1.5, size=55, opacity=1
    )
    lines = data(known).mark_rule(stroke=INK, strokeWidth=1.6)
    ticks = data(means[["arm", "difference"]]).mark_tick(color=INK, thickness=3, size=18, opacity=1)
    chart = alt.layer(
        zero.encode(x),
        lines.encode(alt.X("low:Q"), alt.X2("high:Q"), y, tooltip=tooltip([*mean, *bounds])),
        rings.encode(x, y, tooltip=tooltip(of_image)),
        ticks.encode(x, y, tooltip=tooltip(mean)),
    )
    caption = f"{title}: a ring for each image, a bar at their mean"
    return save_chart(chart, folder, name, title=title, caption=caption, width=WIDE, height=28 * len(arms))
