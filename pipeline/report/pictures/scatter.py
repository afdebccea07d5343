"""Scatter plot by centre: where the images of each lie, and where the target is."""

from collections.abc import Sequence
from pathlib import Path

import altair as alt
import pandas as pd

from pipeline.report.pictures.chart import INK, WIDE, Value, data, fill, save_chart, shape, stroke, tooltip
from pipeline.report.pictures.store_pictures import Shot

__all__ = ["by_centre"]

CENTRES = ("#e69f00", "#56b4e9", "#009e73", "#cc79a7", "#d55e00", "#0072b2", "#f0e442")
"""Distinguishable for colour-blind readers (Okabe and Ito), each with its own marker; further centres share one."""
OTHERS = "#999999"


def _labels(centres: pd.Series) -> dict[str, str]:
    """Centre → label, in the order of their names; those beyond the colours are put together."""
    names = sorted(centres.unique())
    if len(names) < 2:
        return dict.fromkeys(names, "images")
    alone = names if len(names) <= len(CENTRES) else names[: len(CENTRES) - 1]
    found = {name: f"centre {name}" if name else "centre unknown" for name in alone}
    return found | dict.fromkeys(names[len(alone) :], f"{len(names) - len(alone)} more centres")


def _colours(labels: Sequence[str]) -> dict[str, str]:
    """Label → colour; grey for the centres that are put together."""
    return {
        label: OTHERS if label.endswith("more centres") else CENTRES[at]
        for at, label in enumerate(dict.fromkeys(labels))
    }


def by_centre(
    points: pd.DataFrame, target: pd.DataFrame, *, title: str, x: str, y: str, folder: Path, name: str
) -> Shot:
    """Scatter plot: where the images of each centre lie, and where the target is.

    Parameters
    ----------
    points
        ``name`` of the image, ``x``, ``y``, ``centre``, ``what`` (written beside its dots; the second kind is hollow),
        ``odd`` (ringed).
    target
        ``what``, ``x``, ``y``; may be empty.
    title, x, y
        What is shown, and along the axes.
    folder, name
        Where the pictures go.
    """
    labels = _labels(points["centre"])
    odd = points["odd"].astype(bool)
    shown = points.assign(label=points["centre"].map(labels), odd=odd, flags=odd.map({True: "yes", False: "no"}))
    across = alt.X("x:Q", title=x, scale=alt.Scale(zero=False, padding=24))
    up = alt.Y("y:Q", title=y, scale=alt.Scale(zero=False, padding=24))
    layers = [
        *_dots(shown, across, up, colours=_colours(list(labels.values())), names=(x, y)),
        *_target(target, across, up, names=(x, y)),
        *_names_of_kinds(shown, across, up),
    ]
    caption = f"{title} by centre; {x} against {y}"
    return save_chart(alt.layer(*layers), folder, name, title=title, caption=caption, width=WIDE, height=260)


def _axes(names: tuple[str, str]) -> list[Value]:
    """Values along both axes, named by the axis titles without brackets."""
    return [Value(column, text.partition("  (")[0], ".3f") for column, text in zip("xy", names, strict=True)]


def _dots(
    shown: pd.DataFrame, x: alt.X, y: alt.Y, *, colours: dict[str, str], names: tuple[str, str]
) -> list[alt.Chart]:
    """Dots of the images, those of the second kind hollow, and dashed rings round those that were flagged."""
    kinds = list(dict.fromkeys(shown["what"]))
    first, second, odd = shown["what"] == kinds[0], shown["what"] != kinds[0], shown["odd"]
    values = [Value("name", "Image"), Value("label", "Centre"), *([Value("what", "Stain")] if any(kinds) else [])]
    values += [*_axes(names), Value("flags", "Flagged")]
    form = shape("label", list(colours), list(colours))
    filled = data(shown[first]).mark_point(filled=True, stroke=INK, strokeWidth=0.8, size=75, opacity=1)
    hollow = data(shown[second]).mark_point(filled=True, fill="transparent", strokeWidth=1.8, size=75, opacity=1)
    rings = data(shown[odd]).mark_point(
        filled=True, fill="transparent", stroke=INK, strokeDash=[3, 3], size=320, opacity=1
    )
    said = tooltip(values)
    return [
        rings.encode(x, y, tooltip=said),
        filled.encode(x, y, fill("label", colours), form, tooltip=said),
        hollow.encode(x, y, stroke("label", colours), form, tooltip=said),
    ]


def _target(target: pd.DataFrame, x: alt.X, y: alt.Y, *, names: tuple[str, str]) -> list[alt.Chart]:
    if not len(target):
        return []
    base = data(target[["what", "x", "y"]])
    values = tooltip([*([Value("what", "Target")] if any(target["what"]) else []), *_axes(names)])
    cross = base.mark_point(shape="stroke", angle=0, stroke=INK, strokeWidth=2.4, size=240, opacity=1)
    text = base.mark_text(text="target", fill=INK, dx=10, align="left", fontSize=11, aria=False)
    upright = base.mark_point(shape="stroke", angle=90, stroke=INK, strokeWidth=2.4, size=240, opacity=1)
    return [cross.encode(x, y, tooltip=values), upright.encode(x, y, tooltip=values), text.encode(x, y)]


def _names_of_kinds(shown: pd.DataFrame, x: alt.X, y: alt.Y) -> list[alt.Chart]:
    """The name of a kind of dots over the highest of them."""
    kinds = [kind for kind in dict.fromkeys(shown["what"]) if kind]
    if not kinds:
        return []
    highest = pd.concat([shown[shown["what"] == kind].nlargest(1, "y") for kind in kinds])
    text = data(highest[["what", "x", "y"]]).mark_text(fill=INK, dy=-15, fontSize=12, aria=False)
    return [text.encode(x, y, alt.Text("what:N"))]
