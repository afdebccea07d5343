"""Charts as Vega-Lite: one specification gives the pictures for light and dark pages, and values under the pointer in the page.

A specification has no page colours: ink, grid and shades are parameters, with values for both themes included. The page
sets width and theme; a picture has a fixed width.
"""

import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import altair as alt
import pandas as pd
import vl_convert

from pipeline.report.pictures.colours import THEMES
from pipeline.report.pictures.store_pictures import Shot

__all__ = [
    "FAINT",
    "INK",
    "SHADES",
    "SHAPES",
    "SMALL",
    "WIDE",
    "Value",
    "data",
    "fill",
    "save_chart",
    "shape",
    "stroke",
    "tooltip",
]

SMALL, WIDE = 430, 560
"""Widths of a picture, in pixels of the page."""
SCALE = 2
"""Pixels of a picture's file per pixel of the page."""
FONT = "Liberation Sans"
"""Font of the pictures, shipped with the converter, so that they are the same on every machine."""
DIGITS = 5
"""Decimals of numbers in a specification, far more than a chart shows."""

INK, FAINT = alt.expr("ink"), alt.expr("faint")
SHADES = tuple(map(alt.expr, ("pale", "middle", "deep")))
"""For train, validation and test, or whatever comes in threes."""
SHAPES = ("circle", "square", "diamond", "triangle-up", "triangle-down", "cross", "triangle-right", "triangle-left")
"""Shapes, so that names differ not only in colour."""

_INK, _FAINT = {"expr": "ink"}, {"expr": "faint"}
CONFIG: Mapping[str, Any] = {
    "view": {"stroke": None},
    "axis": {
        "domainColor": _FAINT,
        "gridColor": _FAINT,
        "labelColor": _INK,
        "labelFlush": False,
        "labelFontSize": 11.5,
        "labelLimit": {"expr": "0.45 * across"},
        "labelPadding": 5,
        "ticks": False,
        "titleColor": _INK,
        "titleFontSize": 12,
        "titleFontWeight": "normal",
    },
    "axisX": {"tickCount": 6},
    "legend": {
        "labelColor": _INK,
        "labelFontSize": 11.5,
        "labelLimit": {"expr": "across - 60"},
        "layout": {"bottom": {"anchor": "start", "bounds": "full"}},
        "offset": 12,
        "orient": "bottom",
        "symbolStrokeColor": _INK,
        "symbolStrokeWidth": 0.8,
        "title": None,
    },
    "title": {
        "anchor": "start",
        "color": _INK,
        "fontSize": 14.5,
        "fontWeight": "bold",
        "frame": "bounds",
        "offset": 10,
    },
}


class Value(NamedTuple):
    """Value that a mark shows under the pointer."""

    column: str
    name: str
    """Displayed name; not ``image`` or ``title``, which the library interprets as a picture and a heading."""
    format: str = ""
    """Format of a number, as in d3; empty for a text."""


def tooltip(values: Sequence[Value]) -> list[alt.Tooltip]:
    """Values of a mark under the pointer."""
    formats = [{"format": each.format} if each.format else {} for each in values]
    kinds = ["Q" if each.format else "N" for each in values]
    return [
        alt.Tooltip(f"{each.column}:{kind}", title=each.name, **given)
        for each, kind, given in zip(values, kinds, formats, strict=True)
    ]


def data(frame: pd.DataFrame) -> alt.Chart:
    """Chart of a table without marks as yet; numbers have ``DIGITS`` decimals."""
    return alt.Chart(frame.reset_index(drop=True).round(DIGITS))


def _legend(names: Sequence[str]) -> alt.Legend:
    """Legend in as many columns as fit the width of the page; a letter has 7 pixels."""
    return alt.Legend(columns=alt.expr(f"max(1, floor(across / {40 + 7 * max(map(len, names), default=1)}))"))


def fill(field: str, colours: Mapping[str, Any]) -> alt.Fill:
    """Fill by a column of names, with a legend below the chart; ``colours`` is name → colour or parameter."""
    scale = alt.Scale(domain=list(colours), range=list(colours.values()))
    return alt.Fill(f"{field}:N", scale=scale, legend=_legend(list(colours)))


def stroke(field: str, colours: Mapping[str, Any]) -> alt.Stroke:
    """Line colour by a column of names; that of the points has the legend."""
    return alt.Stroke(f"{field}:N", scale=alt.Scale(domain=list(colours), range=list(colours.values())), legend=None)


def shape(field: str, names: Sequence[str], known: Sequence[str]) -> alt.Shape:
    """Shape by a column of names, those that occur in the legend of their fill; its place fixes a name's shape."""
    own = {name: SHAPES[at % len(SHAPES)] for at, name in enumerate(names)}
    scale = alt.Scale(domain=list(known), range=[own[name] for name in known])
    return alt.Shape(f"{field}:N", scale=scale, legend=_legend(known))


def _parameters(theme: str, *, width: int) -> list[dict[str, Any]]:
    return [{"name": name, "value": value} for name, value in {**THEMES[theme], "across": width}.items()]


def _specification(chart: alt.LayerChart, *, caption: str, width: int, height: int) -> dict[str, Any]:
    """Specification of a chart on a light page; ``usermeta`` holds the colours of each theme."""
    found: dict[str, Any] = chart.resolve_legend(stroke="independent").to_dict()
    return found | {
        "autosize": {"type": "fit-x", "contains": "padding"},
        "background": "transparent",
        "config": CONFIG,
        "description": caption,
        "height": height,
        "padding": 4,
        "params": [*found.get("params", ()), *_parameters("light", width=width)],
        "usermeta": {"themes": THEMES},
        "width": width,
    }


def _picture(specification: Mapping[str, Any], *, theme: str, title: str) -> bytes:
    """PNG file of a chart, its title above it."""
    names = {*THEMES[theme], "across"}
    own = [each for each in specification["params"] if each["name"] not in names]
    params = [*own, *_parameters(theme, width=specification["width"])]
    config = {**specification["config"], "font": FONT}
    full = {**specification, "config": config, "params": params, "title": title}
    return bytes(vl_convert.vegalite_to_png(full, scale=SCALE, allowed_base_urls=[]))


def save_chart(
    chart: alt.LayerChart, folder: Path, name: str, *, title: str, caption: str, width: int, height: int
) -> Shot:
    """Picture files of a chart for light and for dark pages, and its specification for the page.

    Parameters
    ----------
    chart
        Its layers.
    folder, name
        Where the pictures go.
    title
        Written above the chart in the pictures; a page says the caption.
    caption
        What is shown.
    width, height
        Pixels of the page: of the whole picture, and of the plot alone. Legend, axes and title come above and below it.
    """
    specification = _specification(chart, caption=caption, width=width, height=height)
    names = {theme: f"{name}.{theme}.png" for theme in THEMES}
    for theme, file in names.items():
        picture = _picture(specification, theme=theme, title=title)
        (folder / file).write_bytes(picture)
    across, down = struct.unpack(">II", picture[16:24])
    return Shot(names["light"], caption, across, down, dark=names["dark"], chart=specification)
