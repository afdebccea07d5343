"""Progress of sliding windows over an image, counted by rich: a bar on a terminal, else a line in the log now and then."""

import logging
import time
from collections.abc import Callable
from types import TracebackType

from rich import progress as rich_progress
from rich.console import Console
from rich.text import Text

__all__ = ["EVERY_S", "WindowProgress"]

logger = logging.getLogger(__name__)

EVERY_S = 10.0
"""Seconds between two lines."""


class _Rate(rich_progress.ProgressColumn):
    """Windows and pixels per second over the last half minute."""

    def render(self, task: rich_progress.Task) -> Text:
        speed = task.finished_speed or task.speed or 0.0
        return Text(f"{speed:.1f} windows/s, {speed * task.fields['pixels'] / 1e6:.1f} Mpx/s")


COUNT = rich_progress.TextColumn("{task.completed:.0f} of {task.total:.0f} windows ({task.percentage:.0f} %)")
RATE = _Rate()
TIME = rich_progress.TimeRemainingColumn(elapsed_when_finished=True)


class WindowProgress:
    """Count of evaluated windows, from several threads; times enter no result."""

    def __init__(
        self, name: str, *, total: int, before: int, pixels: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Begin.

        Parameters
        ----------
        name
            The image.
        total
            Windows to evaluate.
        before
            Windows that an earlier job evaluated; they do not count for the speed of this one.
        pixels
            Pixels of one window, without overlap.
        clock
            Gives seconds.
        """
        console = Console(stderr=True)
        self._shown = rich_progress.Progress(
            rich_progress.TextColumn("{task.description}"),
            rich_progress.BarColumn(),
            COUNT,
            RATE,
            TIME,
            console=console,
            get_time=clock,
            disable=not console.is_terminal,
        )
        self._number = self._shown.add_task(name, total=total, completed=before, pixels=pixels)
        self._shown.update(self._number)  # With nothing left to do it is finished.
        self._clock, self._said = clock, clock()

    def __enter__(self) -> "WindowProgress":
        self._shown.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._shown.stop()

    def add(self, windows: int) -> None:
        """Count some windows more."""
        self._shown.advance(self._number, windows)
        if (now := self._clock()) - self._said >= EVERY_S:
            self._said = now
            logger.info("%s: %s", self._task.description, self.line())

    def line(self) -> str:
        """Windows done, windows and pixels per second, and the time left or taken."""
        task = self._task
        count, rate, seconds = (column.render(task).plain for column in (COUNT, RATE, TIME))
        return f"{count}, {rate}, {'took' if task.finished else 'left'} {seconds}"

    @property
    def _task(self) -> rich_progress.Task:
        return self._shown.tasks[0]
