"""Curves of a chart: a line with an outline for each name, marks that differ in shape, and the nearest point under the pointer."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import altair as alt
import pandas as pd

from pipeline.report.pictures.chart import INK, Value, data, fill, shape, stroke

__all__ = ["curves", "nearest"]


def _text(value: Value) -> str:
    """Vega expression of a value; the cell round a point has the mark as its row, and that the row of the table."""
    column = f"(datum.datum || datum)[{json.dumps(value.column)}]"
    return f"format({column}, {json.dumps(value.format)})" if value.format else column


def nearest(points: pd.DataFrame, x: alt.X, y: alt.Y, values: Sequence[Value]) -> alt.Chart:
    """Ring round the point that is nearest to the pointer, which shows its values."""
    pointer = alt.selection_point(name="pointer", on="pointerover", clear="pointerout", nearest=True, empty=False)
    # No list of tooltips: in the cells of the nearest point texts would be undefined (Vega-Lite 6.4).
    said = alt.expr("{" + ", ".join(f"{json.dumps(each.name)}: {_text(each)}" for each in values) + "}")
    ring = data(points).mark_point(
        filled=True, fill="transparent", stroke=INK, strokeWidth=1.5, size=150, aria=False, tooltip=said
    )
    shown = alt.condition(pointer, alt.value(1), alt.value(0))
    return ring.encode(x, y, opacity=shown).properties(name="nearest").add_params(pointer)


def curves(
    points: pd.DataFrame,
    x: alt.X,
    y: alt.Y,
    *,
    field: str,
    colours: Mapping[str, Any],
    order: alt.Order | None = None,
    marked: str = "true",
    size: int = 34,
    interpolate: Literal["linear", "step-before"] = "linear",
) -> list[alt.Chart]:
    """Layers of curves.

    Parameters
    ----------
    points
        A row for each point.
    x, y
        Both axes.
    field
        Column that distinguishes the curves.
    colours
        Its values → colour or parameter, in the order of the legend.
    order
        Column by which points are joined; x where it is not given.
    marked
        Vega expression of the points that get a mark.
    size
        Square pixels of a mark.
    interpolate
        How points are joined.
    """
    base, known = data(points), list(colours)
    # Without an outline in the ink colour, yellow on white and blue on black would be invisible.
    outline = base.mark_line(stroke=INK, strokeWidth=3.4, strokeOpacity=0.55, interpolate=interpolate, aria=False)
    line = base.mark_line(strokeWidth=1.8, interpolate=interpolate, aria=False)
    marks = base.mark_point(filled=True, stroke=INK, strokeWidth=0.7, opacity=1, size=size).transform_filter(marked)
    joined = [x, y] if order is None else [x, y, order]
    return [
        outline.encode(*joined, detail=f"{field}:N"),
        line.encode(*joined, stroke(field, colours)),
        marks.encode(x, y, fill(field, colours), shape(field, known, known)),
    ]
