"""Power cuts at random moments: what each file was given after its last flush is lost; the next run ends with the same content.

The calls of a job are traced, the job is killed, and of its files the bytes are dropped, zeroed, or the file is gone where it
was never flushed. The same with a whole workflow: there what Snakemake notes of its own is lost alike.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from benchmarks.reliability.attempts import Attempt, trial_folder
from benchmarks.reliability.content import differences, left_over
from benchmarks.reliability.kills import START_S
from benchmarks.reliability.lives import jobs_of, lives
from benchmarks.reliability.scene import Scene, Started, snakemake, start, target_of
from benchmarks.reliability.system_calls import TRACER, lose, unflushed
from pipeline.seeds import stream
from pipeline.words import WORDS

__all__ = ["HOW", "can_trace", "cut_attempts", "workflow_cut_attempt"]

HOW = ("dropped", "zeroed", "gone")
AT_THE_END = 3
"""One cut in so many comes just after the work is done."""
IMPORTS_S = 1.0
"""Processor time before which no job writes."""


def can_trace() -> bool:
    """Whether system calls can be traced here."""
    try:
        return subprocess.run([*TRACER, os.devnull, "true"], check=False, capture_output=True).returncode == 0
    except FileNotFoundError:
        return False


def cut_attempts(scene: Scene, numbers: Sequence[int], *, seed: int) -> Iterator[Attempt]:
    """One cut of a job for each number, which gives job and loss in turn, and with the seed the moment."""
    jobs = jobs_of(scene)
    with lives() as server:
        for number in numbers:
            job, how = jobs[number % len(jobs)], HOW[number // len(jobs) % len(HOW)]
            expected = scene.after(job.stage)
            with trial_folder(expected, scene.folder / "trial_cut") as folder:
                job.clear(folder)
                trace = folder.with_name(f"{folder.name}.trace")
                run = start(folder, [*TRACER, str(trace), sys.executable, str(job.script)])
                moment = _moment(number, seed, IMPORTS_S, IMPORTS_S + 3 + server.undisturbed(scene, job))
                lost = _cut(run, folder, trace, moment, how)
                job.clear(folder) if moment < float("inf") else None
                code, _, said = server.live(job, folder) if moment < float("inf") else (0, 0, "")
                problems = [f"the next run failed: {said[-1500:]}"] if code else []
                problems += _compared(folder, expected, lost, moment)
            yield Attempt(
                f"power cut, {how}", job.rule, number, seed, "files lost", len(lost), "; ".join(problems)[:3000]
            )


def workflow_cut_attempt(scene: Scene, number: int, *, seed: int) -> Iterator[Attempt]:
    """One power cut of a workflow; its number gives stage and loss in turn, and with the seed the moment."""
    stage, how = WORDS[number % len(WORDS)], HOW[number // len(WORDS) % len(HOW)]
    expected = scene.after(stage)
    with trial_folder(scene.before(stage), scene.folder / "trial_cut_run") as folder:
        trace = folder.with_name(f"{folder.name}.trace")
        run = snakemake(folder, "-j2", *target_of(stage), prefix=(*TRACER, str(trace)))
        moment = _moment(number, seed, START_S, 1.2 * scene.cpu_seconds(stage))
        lost = _cut(run, folder, trace, moment, how)
        run = snakemake(folder, "-j2", *target_of(stage))
        problems = [f"the next run failed: {run.said()[-1500:]}"] if run.wait() else []
        problems += _compared(folder, expected, lost, moment)
    kind = f"power cut with Snakemake, {how}"
    yield Attempt(kind, stage, number, seed, "files lost", len(lost), "; ".join(problems)[:3000])


def _moment(number: int, seed: int, first: float, last: float) -> float:
    if number % AT_THE_END == AT_THE_END - 1:
        return float("inf")
    return float(stream(seed, "power cuts", number).uniform(first, last))


def _cut(run: Started, folder: Path, trace: Path, moment: float, how: str) -> list[str]:
    """Files that lost anything when the power of a traced call went off."""
    run.wait_for(moment)
    _kill_traced(run)
    lost = unflushed(trace, folder)
    for path, file in lost.items():
        lose(path, file, how)
    return [path.relative_to(folder).as_posix() for path in lost]


def _kill_traced(run: Started) -> None:
    """SIGKILL to all that is traced; the tracer ends with it, once its notes are on the disk."""
    while run.process.poll() is None and (traced := set(run.processes) - {run.process.pid}):
        for number in traced:
            with suppress(ProcessLookupError):
                os.kill(number, signal.SIGKILL)
    run.process.wait()


def _compared(folder: Path, expected: Path, lost: list[str], moment: float) -> list[str]:
    problems = differences(folder / "results", expected / "results") + left_over(folder / "results")
    return [*problems, f"lost at {moment:.1f} s: {lost}"] if problems else []
