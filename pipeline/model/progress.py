"""Progress of a training: table and curves after every epoch, and on a terminal a bar with loss, Dice and time left."""

import io
import math
import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline.model.operators import prepare_torchvision
from pipeline.stores.flush import write_whole
from pipeline.stores.model_files import CURVES, HISTORY_CSV

prepare_torchvision()  # Lightning imports it.
from lightning.pytorch.callbacks import RichProgressBar  # noqa: E402

__all__ = ["Pace", "TrainingBar", "shown_number", "write_progress"]


class Pace:
    """Pace of a training: steps of this process over time; an earlier process may have had another pace."""

    def __init__(self, *, steps: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._steps, self._clock = steps, clock
        self._first, self._began = 0, clock()

    def begin(self, done: int) -> None:
        """Begin after ``done`` steps."""
        self._first, self._began = done, self._clock()

    def left(self, done: int) -> str:
        """Time left after ``done`` steps, as hours, minutes and seconds; dashes where unknown."""
        if done <= self._first:
            return "-:--:--"
        seconds = (self._clock() - self._began) / (done - self._first) * max(self._steps - done, 0)
        return str(timedelta(seconds=round(seconds)))


class TrainingBar(RichProgressBar):
    """Bar of an epoch, with its mean loss so far, the Dice of the previous epoch, and the time left in the training."""

    def get_metrics(self, trainer: Any, pl_module: Any) -> dict[str, Any]:  # noqa: ANN401 untyped library
        """Shown beside the bar."""
        return dict(pl_module.shown(trainer.global_step))


def write_progress(folder: Path, history: Sequence[dict[str, float]], *, codes: Sequence[str]) -> None:
    """Table ``history.csv`` and figure ``progress.png`` of the epochs so far, each written whole.

    Parameters
    ----------
    folder
        That of the model, unfinished.
    history
        Rows of the epochs.
    codes
        Class codes.
    """
    table = pd.DataFrame(history).astype({"epoch": "int32"})
    write_whole(folder / HISTORY_CSV, [table.to_csv(index=False).encode()])
    write_whole(folder / CURVES, [_picture(table, codes=codes)])


def _picture(table: pd.DataFrame, *, codes: Sequence[str]) -> bytes:
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    figure = Figure(figsize=(9, 3.4), dpi=110, layout="constrained")
    left, right = figure.subplots(1, 2)
    _curves(left, table, {"train_loss": "training", "validation_loss": "validation"})
    _curves(right, table, {f"dice_{code}": code for code in codes} | {"mean_dice": "mean"})
    left.set(xlabel="epoch", ylabel="loss")
    right.set(xlabel="epoch", ylabel="Dice of validation patches", ylim=(0, 1))
    for axes in (left, right):
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    file = io.BytesIO()
    figure.savefig(file, format="png", metadata={"Software": None})
    return file.getvalue()


def _curves(axes: Any, table: pd.DataFrame, labels: dict[str, str]) -> None:  # noqa: ANN401 untyped library
    drawn = {column: label for column, label in labels.items() if table[column].notna().any()}
    for column, label in drawn.items():
        width = 2.4 if column.startswith("mean_") else 1.4
        axes.plot(table["epoch"], table[column], marker="o", markersize=3, linewidth=width, label=label)
    if drawn:
        axes.legend(fontsize=8)


def shown_number(value: float) -> str:
    """Number with four digits; a dash where it is none."""
    return "-" if math.isnan(value) else f"{value:.4f}"
