"""Reliability plot: share of truth among the pixels of each bin of probability, beside the diagonal."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import altair as alt
import pandas as pd

from pipeline.config.manifest import DatasetRecord
from pipeline.report.pictures.chart import INK, WIDE, Value, data, save_chart, stroke
from pipeline.report.pictures.colours import class_colours
from pipeline.report.pictures.curves import curves, nearest
from pipeline.report.pictures.store_pictures import Shot

__all__ = ["reliability_plot"]

FEW = 100
"""Pixels below which a bin is drawn differently, because its share of truth is unreliable."""


def reliability_plot(
    found: Mapping[str, Mapping[str, Sequence[float]]], record: DatasetRecord, *, title: str, folder: Path, name: str
) -> Shot:
    """Reliability curves; ``found`` is class code → ``confidence``, ``frequency`` and ``pixels`` of each bin that holds any."""
    colours = {code: colour for code, colour in class_colours(record).items() if code in found}
    points = pd.concat([pd.DataFrame(found[code]).assign(curve=code) for code in colours])
    kept, few = points[points["pixels"] >= FEW], points[points["pixels"] < FEW]
    unit = alt.Scale(domain=[0, 1])
    text = ["mean probability of a bin", f"dashed: calibrated; hollow: fewer than {FEW} pixels"]
    x, y = (
        alt.X("confidence:Q", title=text, scale=unit),
        alt.Y("frequency:Q", title="share of it that is truth", scale=unit),
    )
    diagonal = data(pd.DataFrame({"confidence": [0.0, 1.0], "frequency": [0.0, 1.0]}))
    hollow = data(few).mark_point(filled=True, fill="transparent", strokeWidth=1.4, size=34, opacity=1)
    values = [
        Value("curve", "Class"),
        Value("confidence", "Mean probability", ".4f"),
        Value("frequency", "Share of truth", ".4f"),
        Value("pixels", "Pixels", ",d"),
    ]
    chart = alt.layer(
        diagonal.mark_line(stroke=INK, strokeWidth=1, strokeDash=[4, 3], aria=False).encode(x, y),
        *curves(kept, x, y, field="curve", colours=colours, size=46),
        hollow.encode(x, y, stroke("curve", colours)),
        nearest(points, x, y, values),
    )
    return save_chart(chart, folder, name, title=title, caption=title, width=WIDE, height=250)
