"""How far is a pass, how fast is it, and how long will it take? A line in the log now and then."""

import logging
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock

from rich import progress as rich_progress
from rich.console import Console

__all__ = ["Progress", "bar", "line"]

logger = logging.getLogger(__name__)

EVERY_S = 10.0
"""Seconds between two lines."""


def line(*, done: int, before: int, total: int, seconds: float, pixels: int) -> str:
    """What a reader of the log wants to know.

    Parameters
    ----------
    done
        Windows evaluated so far, with those of an earlier run.
    before
        Windows that an earlier run had evaluated; they say nothing about the speed of this one.
    total
        Windows to evaluate.
    seconds
        Since this run began.
    pixels
        Of one window, counted without overlap.

    Examples
    --------
    >>> line(done=300, before=100, total=500, seconds=20.0, pixels=147456)
    '300 of 500 windows (60 %), 10.0 windows/s, 1.5 Mpx/s, 20 s left'
    """
    rate = (done - before) / seconds if seconds > 0 else 0.0
    left = f"{_duration((total - done) / rate)} left" if rate > 0 else "time left unknown"
    share = 100 * done / total if total else 100
    return f"{done} of {total} windows ({share:.0f} %), {rate:.1f} windows/s, {rate * pixels / 1e6:.1f} Mpx/s, {left}"


def _duration(seconds: float) -> str:
    whole = round(seconds)
    if whole < 120:
        return f"{whole} s"
    minutes = whole // 60
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60} min"


@contextmanager
def bar(name: str) -> Iterator[Callable[[int, int], None] | None]:
    """A bar on a terminal; None where there is none, because lines in a log are enough there."""
    if not sys.stderr.isatty():
        yield None
        return
    columns = (
        rich_progress.TextColumn("{task.description}"),
        rich_progress.BarColumn(),
        rich_progress.MofNCompleteColumn(),
        rich_progress.TextColumn("windows"),
        rich_progress.TimeRemainingColumn(),
    )
    with rich_progress.Progress(*columns, console=Console(stderr=True)) as shown:
        task = shown.add_task(name)
        yield lambda done, total: shown.update(task, completed=done, total=total)


class Progress:
    """Counts windows, from several threads, and says so in the log; times are in no result."""

    def __init__(
        self,
        name: str,
        *,
        total: int,
        before: int,
        pixels: int,
        clock: Callable[[], float] = time.monotonic,
        show: Callable[[int, int], None] | None = None,
    ) -> None:
        """Begin.

        Parameters
        ----------
        name
            The image.
        total
            Windows to evaluate.
        before
            Those of them that an earlier run had evaluated.
        pixels
            Of one window, counted without overlap.
        clock
            Gives seconds.
        show
            Takes windows done and in all, for a bar on a terminal.
        """
        self._name, self._total, self._before, self._pixels = name, total, before, pixels
        self._clock, self._show = clock, show
        self._done, self._began, self._said = before, clock(), clock()
        self._lock = Lock()

    def add(self, windows: int) -> None:
        """Count some windows more."""
        with self._lock:
            self._done += windows
            now = self._clock()
            if self._show:
                self._show(self._done, self._total)
            if now - self._said >= EVERY_S:
                self._said = now
                logger.info("%s: %s", self._name, self._line(now))

    def end(self) -> str:
        """The last line."""
        with self._lock:
            return self._line(self._clock())

    def _line(self, now: float) -> str:
        return line(
            done=self._done, before=self._before, total=self._total, seconds=now - self._began, pixels=self._pixels
        )
