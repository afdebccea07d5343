"""Timing of a pair: in turn, A B A B …, after a warm-up of each; the ratio is taken pair by pair."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["Pair", "paired"]


@dataclass(frozen=True, slots=True)
class Pair:
    """Medians of a paired measurement, in seconds; the ratio is the median of the ratios."""

    ours: float
    peer: float
    ratio: float
    """Peer's time over ours: above 1, ours is faster."""


def _seconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def paired(ours: Callable[[], object], peer: Callable[[], object], *, runs: int = 5) -> Pair:
    """Time two calls in turn."""
    ours()
    peer()
    times = [(_seconds(ours), _seconds(peer)) for _ in range(runs)]
    ratio = statistics.median(second / first for first, second in times)
    return Pair(statistics.median(t for t, _ in times), statistics.median(t for _, t in times), ratio)
