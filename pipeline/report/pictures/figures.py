"""Curves and dots of scores: training curves, precision-recall curves, results side by side."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import altair as alt
import numpy as np
import pandas as pd

from pipeline.config.manifest import DatasetRecord
from pipeline.report.pictures.chart import INK, SHADES, SMALL, WIDE, Value, data, fill, save_chart, shape, tooltip
from pipeline.report.pictures.colours import class_colours
from pipeline.report.pictures.curves import curves, nearest
from pipeline.report.pictures.store_pictures import Shot

__all__ = ["free_response", "history_scores", "losses", "precision_recall", "results_compared"]

UNIT = alt.Scale(domain=[0, 1])
MARKS = 8
"""Marks along a precision-recall curve, whose points are too many for one each."""


def _long(history: pd.DataFrame, columns: Mapping[str, str]) -> pd.DataFrame:
    """Points ``curve``, ``epoch``, ``value`` of the columns, which are column → label, in the epochs where each is known."""
    parts = [
        pd.DataFrame({"curve": label, "epoch": history["epoch"], "value": history[column]}).dropna()
        for column, label in columns.items()
    ]
    return pd.concat(parts) if parts else pd.DataFrame(columns=["curve", "epoch", "value"])


def _epochs(history: pd.DataFrame) -> alt.X:
    """Whole numbers along x, at most eight of them."""
    first, last = int(history["epoch"].min()), int(history["epoch"].max())
    axis = alt.Axis(values=list(range(first, last + 1, max(1, math.ceil((last - first) / 7)))), format="d")
    return alt.X("epoch:Q", title="epoch", axis=axis, scale=alt.Scale(zero=False, nice=False))


def _chosen(best: float | None, x: alt.X) -> list[alt.Chart]:
    """Line at the chosen epoch, named above the plot, where no curve runs."""
    if best is None:
        return []
    base = data(pd.DataFrame({"epoch": [best]}))
    rule = base.mark_rule(stroke=INK, strokeDash=[4, 3])
    text = base.mark_text(text=f"chosen: {best:g}", fill=INK, dy=-8, fontSize=11, aria=False)
    return [rule.encode(x, tooltip=tooltip([Value("epoch", "Chosen epoch", "d")])), text.encode(x, y=alt.value(0))]


def losses(history: pd.DataFrame, columns: Mapping[str, str], *, best: float | None, folder: Path, name: str) -> Shot:
    """Loss curves over epochs; ``columns`` is column → label, the chosen epoch is marked."""
    points, x, y = (
        _long(history, columns),
        _epochs(history),
        alt.Y("value:Q", title="loss", scale=alt.Scale(zero=False)),
    )
    shades = {label: SHADES[1 + at % 2] for at, label in enumerate(columns.values())}
    values = [Value("curve", "Loss of"), Value("epoch", "Epoch", "d"), Value("value", "Loss", ".4f")]
    layers = [*curves(points, x, y, field="curve", colours=shades), *_chosen(best, x), nearest(points, x, y, values)]
    return save_chart(
        alt.layer(*layers), folder, name, title="Loss", caption="Loss over epochs", width=SMALL, height=190
    )


def history_scores(
    history: pd.DataFrame,
    columns: Mapping[str, str],
    record: DatasetRecord,
    *,
    best: float | None,
    title: str,
    folder: Path,
    name: str,
) -> Shot:
    """Score curves over epochs; ``columns`` is column → class code, or a label where it is no class."""
    points, x, y = _long(history, columns), _epochs(history), alt.Y("value:Q", title="validation patches", scale=UNIT)
    known = class_colours(record)
    colours = {label: known.get(label, INK) for label in columns.values()}
    values = [Value("curve", "Class"), Value("epoch", "Epoch", "d"), Value("value", title.partition(" ")[0], ".4f")]
    layers = [*curves(points, x, y, field="curve", colours=colours), *_chosen(best, x), nearest(points, x, y, values)]
    return save_chart(alt.layer(*layers), folder, name, title=title, caption=title, width=SMALL, height=190)


def _recalls(curve: Sequence[Sequence[float]], *, label: str) -> pd.DataFrame:
    """Points of a precision-recall curve, from recall 0 on; without thresholds where they were not measured."""
    recall, precision, *more = curve
    points = pd.DataFrame({"curve": label, "recall": [0.0, *recall], "precision": [precision[0], *precision]})
    marked = np.linspace(0, len(points) - 1, MARKS).round().astype(int)
    points = points.assign(threshold=[math.nan, *more[0]]) if more else points
    return points.assign(marked=points.index.isin(marked))


def precision_recall(
    found: Mapping[str, Sequence[Sequence[float]]],
    areas: Mapping[str, float],
    record: DatasetRecord,
    *,
    title: str,
    folder: Path,
    name: str,
) -> Shot:
    """Precision-recall curves.

    Parameters
    ----------
    found
        Class code → recall, precision and, where they are known, thresholds.
    areas
        Class code → AUPR, for the legend.
    record
        Colours and order of classes.
    title
        What is shown.
    folder, name
        Where the pictures go.
    """
    shown = [code for code in record.codes if code in found and len(found[code][0])]
    labels = {code: f"{code}  AUPR {areas[code]:.3f}" for code in shown}
    colours = {label: class_colours(record)[code] for code, label in labels.items()}
    points = pd.concat([_recalls(found[code], label=label) for code, label in labels.items()])
    numbers = [each for each in ("threshold", "recall", "precision") if each in points]
    values = [Value("curve", "Class"), *(Value(each, each.capitalize(), ".4f") for each in numbers)]
    x, y = alt.X("recall:Q", scale=UNIT), alt.Y("precision:Q", scale=UNIT)
    layers = curves(points, x, y, field="curve", colours=colours, marked="datum.marked", interpolate="step-before")
    chart = alt.layer(*layers, nearest(points, x, y, values).transform_filter("datum.recall > 0"))
    return save_chart(chart, folder, name, title=title, caption=title, width=WIDE, height=250)


def _decades(most: float) -> list[float]:
    """Ticks of an axis that is linear below 0.1 and logarithmic above."""
    ticks = [0.0, *(step * 10.0**power for power in range(-1, 9) for step in (1, 2, 5))]
    return [round(tick, 1) for tick in ticks if tick <= max(most, 0.1)]


def free_response(
    found: Mapping[str, Mapping[str, Sequence[float]]], record: DatasetRecord, *, title: str, folder: Path, name: str
) -> Shot:
    """FROC curves; ``found`` is class code → ``threshold``, ``sensitivity``, ``false_positives_per_image`` of each threshold."""
    colours = {code: colour for code, colour in class_colours(record).items() if code in found}
    points = pd.concat([pd.DataFrame(found[code]).assign(curve=code) for code in colours])
    scale = alt.Scale(type="symlog", constant=0.1, nice=False, domainMin=0)
    ticks = _decades(float(points["false_positives_per_image"].max()))
    axis = alt.Axis(values=ticks, tickCount=len(ticks), format=".6~g", labelOverlap="greedy")
    x = alt.X("false_positives_per_image:Q", title="false regions per image", scale=scale, axis=axis)
    y = alt.Y("sensitivity:Q", title="regions of the truth found", scale=UNIT)
    values = [
        Value("curve", "Class"),
        Value("threshold", "Threshold", ".3f"),
        Value("false_positives_per_image", "False regions per image", ".3f"),
        Value("sensitivity", "Found", ".4f"),
    ]
    layers = curves(points, x, y, field="curve", colours=colours, order=alt.Order("threshold:Q"))
    chart = alt.layer(*layers, nearest(points, x, y, values))
    return save_chart(chart, folder, name, title=title, caption=title, width=WIDE, height=250)


def _interval(row: "pd.Series[float]") -> str:
    return f"{row['low']:.3f} to {row['high']:.3f}" if row[["low", "high"]].notna().all() else "not known"


def results_compared(frame: pd.DataFrame, record: DatasetRecord, *, title: str, folder: Path, name: str) -> Shot:
    """Dot plot with intervals: pooled Dice of each class, one row per result.

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
    shown = frame[["result", "class_code", "value", "low", "high"]][frame["value"].notna()]
    shown = shown.assign(interval=shown.apply(_interval, axis=1))
    known = [code for code in record.codes if (frame["class_code"] == code).any()]
    colours = {code: class_colours(record)[code] for code in known}
    y = alt.Y("result:N", title=None, scale=alt.Scale(domain=results), axis=alt.Axis(grid=True))
    x = alt.X("value:Q", title="Dice, pixels pooled over images", scale=UNIT, axis=alt.Axis(titleAnchor="end"))
    values = [Value("result", "Result"), Value("class_code", "Class"), Value("value", "Dice", ".4f")]
    values.append(Value("interval", "Interval"))
    lines = data(shown.dropna(subset=["low", "high"])).mark_rule(stroke=INK, opacity=0.5, aria=False)
    dots = data(shown).mark_point(filled=True, stroke=INK, strokeWidth=0.8, size=85, opacity=1)
    chart = alt.layer(
        lines.encode(alt.X("low:Q", scale=UNIT), alt.X2("high:Q"), y),
        dots.encode(
            x, y, fill("class_code", colours), shape("class_code", record.codes, known), tooltip=tooltip(values)
        ),
    )
    return save_chart(chart, folder, name, title=title, caption=title, width=WIDE, height=28 * len(results))
