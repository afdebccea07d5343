"""Legends and marks of plots lie beside the axes, where they cover no bar and no curve."""

from pathlib import Path

import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from pipeline.report.pictures import bars, figures
from pipeline.report.pictures.canvas import LIGHT

NAMES = {"folder": Path("."), "name": "plot"}
HISTORY = pd.DataFrame({"epoch": [1, 2, 3, 4, 5], "train": 0.5, "seen": [0.9, 0.8, 0.7, 0.99, 0.9]})
TRAINED = {"history": HISTORY, "best": 4, **NAMES}


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """Figures that were to be saved, with everything in its place."""
    found: list[Figure] = []

    def keep(draw, *_, **__):
        found.append(draw(LIGHT))
        FigureCanvasAgg(found[0]).draw()

    for module in (bars, figures):
        monkeypatch.setattr(module, "save_plot", keep)
    return found


def below(figure: Figure) -> bool:
    """Whether there is a legend, and it ends below the axes."""
    axes = figure.axes[0]
    assert axes.get_legend() is None
    return bool(figure.legends[0].get_window_extent().y1 <= axes.get_window_extent().y0)


def test_the_legend_of_patch_shares_lies_below_full_bars(drawn, record):
    shares = pd.DataFrame({"train": 1.0, "validation": 1.0, "test": 1.0}, index=[each.code for each in record.classes])
    bars.patch_shares(shares, **NAMES)
    assert below(drawn[0])


def test_the_legend_of_losses_lies_below(drawn):
    figures.losses(curves={"train": "training", "seen": "validation"}, **TRAINED)
    assert below(drawn[0])


def test_the_chosen_epoch_is_named_between_the_curves_and_the_title(drawn, record):
    figures.history_scores(curves={"seen": "MA"}, record=record, title="Dice per class", **TRAINED)
    axes = drawn[0].axes[0]
    [above] = axes.child_axes
    [name] = above.get_xticklabels()
    assert name.get_text() == "chosen: 4"
    place = name.get_window_extent()
    assert place.y0 >= axes.get_window_extent().y1
    assert axes.title.get_window_extent().y0 >= axes.get_window_extent().y1
    title = next(each for each in axes.get_children() if getattr(each, "get_text", str)() == "Dice per class")
    assert title.get_window_extent().y0 >= place.y1
