"""Power cuts at random moments: what each file was given after its last flush is lost; the next run ends with the same content.

The calls of a stage are traced, the run is killed, and on its files the bytes are dropped, zeroed, or the file is gone where
it was never flushed. What Snakemake notes of its own is lost alike.
"""

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from benchmarks.reliability.attempts import Attempt, trial_folder
from benchmarks.reliability.content import differences, left_over
from benchmarks.reliability.kills import START_S, unlocked
from benchmarks.reliability.scene import Scene, Started, snakemake, target_of
from benchmarks.reliability.system_calls import TRACER, lose, unflushed
from pipeline.seeds import stream
from pipeline.words import WORDS

__all__ = ["HOW", "can_trace", "cut_attempt"]

HOW = ("dropped", "zeroed", "gone")
AT_THE_END = 4
"""One cut in so many comes just after the last job."""


def cut_attempt(scene: Scene, number: int, *, seed: int) -> Iterator[Attempt]:
    """One power cut; its number gives stage and loss in turn, seed and number the moment."""
    stage, how = WORDS[number % len(WORDS)], HOW[number // len(WORDS) % len(HOW)]
    random = stream(seed, "power cuts", number)
    moment = random.uniform(START_S, 1.3 * scene.cpu_seconds(stage))
    if number % AT_THE_END == AT_THE_END - 1:
        moment = float("inf")
    with trial_folder(scene.before(stage), scene.folder / "trial_cut") as folder:
        lost = _cut(folder, stage, moment, how)
        run = snakemake(folder, "-j2", *unlocked(folder, target_of(stage)))
        problems = [] if run.wait() == 0 else [f"the next run failed: {run.said()[-1500:]}"]
        expected = scene.after(stage) / "results"
        problems += differences(folder / "results", expected) + left_over(folder / "results")
        if problems:
            problems.append(f"lost at {moment:.1f} s: {lost}")
        where = f"{stage}, {how}"
        yield Attempt("power cut", where, number, seed, "files lost", len(lost), "; ".join(problems)[:3000])


def _cut(folder: Path, stage: str, moment: float, how: str) -> list[str]:
    trace = folder.with_name(f"{folder.name}.trace")
    run = snakemake(folder, "-j2", *target_of(stage), prefix=(*TRACER, str(trace)))
    run.wait_for(moment)
    _kill_traced(run)
    lost = unflushed(trace, folder)
    for path, file in lost.items():
        lose(path, file, how)
    return [path.relative_to(folder).as_posix() for path in lost]


def _kill_traced(run: Started) -> None:
    """SIGKILL to all that is traced; the tracer ends with it, once its notes are on the disk."""
    while traced := set(run.processes) - {run.process.pid}:
        for number in traced:
            with suppress(ProcessLookupError):
                os.kill(number, signal.SIGKILL)
        if run.process.poll() is not None:
            break
    run.process.wait()


def can_trace() -> bool:
    """Whether system calls can be traced here."""
    try:
        return subprocess.run([*TRACER, os.devnull, "true"], check=False, capture_output=True).returncode == 0
    except FileNotFoundError:
        return False
