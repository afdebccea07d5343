"""Measurement in a process of its own: its answer, and the most memory that it held.

``python -m benchmarks.probability.process MODULE.FUNCTION ARGUMENTS`` calls a function of this package with keywords
from a JSON object and prints its answer, a JSON object too, with ``peak`` (MB) added.
"""

import importlib
import json
import statistics
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pipeline.runtime.allocator import keep_freed
from pipeline.runtime.peak import peak_bytes
from pipeline.runtime.threads import let_waiting_threads_sleep

__all__ = ["calls", "measured"]

PROJECT = Path(__file__).parents[2]
LIMIT_S = 600
"""Seconds after which a measurement is given up, so that one which never ends does not hide the others."""


def measured(what: str, **arguments: object) -> dict[str, Any]:
    """Call ``module.function`` of this package in a fresh process.

    Returns
    -------
    dict
        Its answer and ``peak``; ``error``, the last line that it printed, where it failed or took longer than
        ``LIMIT_S``.
    """
    command = [sys.executable, "-m", "benchmarks.probability.process", what, json.dumps(arguments, default=str)]
    try:
        answer = subprocess.run(command, check=False, capture_output=True, text=True, cwd=PROJECT, timeout=LIMIT_S)
    except subprocess.TimeoutExpired:
        return {"error": f"no end after {LIMIT_S} s"}
    if answer.returncode:
        return {"error": (answer.stderr.strip() or f"ended with {answer.returncode}").splitlines()[-1]}
    found: dict[str, Any] = json.loads(answer.stdout.splitlines()[-1])
    return found


def calls(work: Callable[[], object], *, after: Callable[[], object] = lambda: None, runs: int) -> dict[str, float]:
    """Seconds of the first call, and the median of those that follow; ``after`` clears up outside of the time.

    Parameters
    ----------
    work
        What is timed.
    after
        Called behind each.
    runs
        Calls after the first; with none of them, there is no ``again``.
    """
    before, times = peak_bytes() / 2**20, []
    for _ in range(runs + 1):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
        after()
    again = {"again": statistics.median(times[1:])} if runs else {}
    return {"first": times[0], **again, "before": before}


def main(what: str, arguments: str) -> None:
    """Print what was measured."""
    keep_freed()
    let_waiting_threads_sleep()  # as every job does
    warnings.simplefilter("ignore")
    module, _, function = what.partition(".")
    answer = getattr(importlib.import_module(f"benchmarks.probability.{module}"), function)(**json.loads(arguments))
    print(json.dumps({**answer, "peak": peak_bytes() / 2**20}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
