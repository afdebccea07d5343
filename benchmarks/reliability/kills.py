"""SIGKILL at random moments, several in a row, then the call once more: the content is that of an undisturbed run."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import yaml

from benchmarks.reliability.attempts import Attempt, trial_folder
from benchmarks.reliability.content import differences, left_over
from benchmarks.reliability.scene import (
    CONFIG,
    DATASET,
    OVERRIDES,
    Scene,
    Started,
    predict,
    snakemake,
    start,
    target_of,
)
from pipeline.seeds import stream
from pipeline.words import WORDS

__all__ = ["KINDS", "kill_attempt"]

ROW = 3
"""Kills in a row."""
START_S = 2.5
"""Seconds of processor time before which Snakemake starts no job."""
KINDS = ("workflow", "job", "scheduler alone", "prediction", "Dask worker")
GO_ON = "its jobs go on"
"""What a call is told while jobs of a killed one work."""
JOB = ".snakemake/scripts"
"""What the command of a job holds."""


def kill_attempt(scene: Scene, number: int, *, seed: int) -> Iterator[Attempt]:
    """One chain of kills; its number gives kind and stage in turn, seed and number the moments."""
    kind, turn = KINDS[number % len(KINDS)], number // len(KINDS)
    random = stream(seed, "kills", number)
    stage = {"prediction": "predict", "Dask worker": "probability"}.get(kind, WORDS[turn % len(WORDS)])
    source = scene.finished if stage == "predict" else scene.before(stage)
    with trial_folder(source, scene.folder / "trial_kill") as folder:
        kills, problems = _LIVES[kind](scene, folder, stage, random)
        expected = scene.finished if stage == "predict" else scene.after(stage)
        problems = problems or _compared(folder, expected)
        yield Attempt(f"kill: {kind}", stage, number, seed, "kills", kills, "; ".join(problems)[:2000])


def _compared(folder: Path, expected: Path) -> list[str]:
    return differences(folder / "results", expected / "results") + left_over(folder / "results")


def _ended(run: Started) -> list[str]:
    return [] if run.wait() == 0 else [f"the last call failed: {run.said()[-1500:]}"]


def _chain(begin: Callable[[], Started], kill: Callable[[Started], bool], moments: np.ndarray) -> tuple[int, list[str]]:
    """Lives that end by a kill, then one that is left alone."""
    kills = 0
    for moment in moments:
        run = begin()
        if not run.wait_for(moment):
            break  # it was done before
        kills += kill(run)
    return kills, _ended(begin())


def _moments(random: np.random.Generator, scene: Scene, stage: str, *, start: float = START_S) -> np.ndarray:
    ends = np.linspace(
        scene.cpu_seconds(stage), scene.cpu_seconds(stage) / 2, ROW
    )  # what is finished is not done again
    return random.uniform(start, np.maximum(ends, start + 1))


def _kill_workflow(run: Started) -> bool:
    run.kill()
    return True


def _workflow(scene: Scene, folder: Path, stage: str, random: np.random.Generator) -> tuple[int, list[str]]:
    begin = lambda: snakemake(folder, "-j2", *target_of(stage))  # noqa: E731
    return _chain(begin, _kill_workflow, _moments(random, scene, stage))


def _job(scene: Scene, folder: Path, stage: str, random: np.random.Generator) -> tuple[int, list[str]]:
    def kill(run: Started) -> bool:
        while not (jobs := _jobs(run)) and run.process.poll() is None:
            time.sleep(0.05)
        if jobs:
            os.kill(int(random.choice(jobs)), signal.SIGKILL)
        run.wait()
        return bool(jobs)

    begin = lambda: snakemake(folder, "-j2", *target_of(stage))  # noqa: E731
    return _chain(begin, kill, _moments(random, scene, stage))


def _jobs(run: Started) -> list[int]:
    """Processes of jobs in the session of a call."""
    found = []
    for number in run.processes:
        try:
            command = Path(f"/proc/{number}/cmdline").read_bytes().decode(errors="replace")
        except OSError:
            continue
        if JOB in command:
            found.append(number)
    return sorted(found)


def _scheduler_alone(scene: Scene, folder: Path, stage: str, random: np.random.Generator) -> tuple[int, list[str]]:
    """Kills of Snakemake's main process alone: its jobs go on, and a call meanwhile is refused or waits for nobody."""
    begin = lambda: snakemake(folder, "-j2", *target_of(stage))  # noqa: E731
    problems = []

    def kill(run: Started) -> bool:
        run.process.kill()
        run.process.wait()
        meanwhile = begin()
        if meanwhile.wait() and GO_ON not in meanwhile.said():
            problems.append(f"a call beside jobs that go on failed: {meanwhile.said()[-1500:]}")
        while run.processes:
            time.sleep(0.1)
        return True

    kills, failed = _chain(begin, kill, _moments(random, scene, stage))
    return kills, problems + failed


def _prediction(scene: Scene, folder: Path, _: str, random: np.random.Generator) -> tuple[int, list[str]]:
    subprocess.run(["rm", "-rf", str(folder / "results" / "predictions")], check=True)
    moments = _moments(random, scene, "predict", start=1.0)
    return _chain(lambda: predict(folder, scene.picture), _kill_workflow, moments)


def _dask_worker(scene: Scene, folder: Path, stage: str, random: np.random.Generator) -> tuple[int, list[str]]:
    """One of two workers of a scheduler dies, and another takes its place; nothing else is killed."""
    address = f"tcp://127.0.0.1:{20000 + os.getpid() % 20000}"
    scheduler = start(folder, [sys.executable, "-m", "dask", "scheduler", "--host", address, "--no-dashboard"])
    command = [sys.executable, "-m", "dask", "worker", address, "--nthreads", "1", "--no-nanny", "--no-dashboard"]
    workers = [start(folder, command) for _ in range(2)]
    dask = {"probability": {**OVERRIDES["probability"], "dask": {"scheduler": address}}}
    config = {**CONFIG, "overrides": {DATASET: {**OVERRIDES, **dask}}}
    (folder / "soak.config.yaml").write_text(yaml.safe_dump(config))
    try:
        run = snakemake(folder, "-j2", *target_of(stage))
        kills = 0
        for moment in _moments(random, scene, stage) / ROW:
            time.sleep(moment)
            if run.process.poll() is None:
                workers.pop(0).kill()
                workers.append(start(folder, command))
                kills += 1
        return kills, _ended(run)
    finally:
        for each in (*workers, scheduler):
            each.kill()


_LIVES = {
    "workflow": _workflow,
    "job": _job,
    "scheduler alone": _scheduler_alone,
    "prediction": _prediction,
    "Dask worker": _dask_worker,
}
