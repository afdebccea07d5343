"""Full disks: each job on a file system of 20 sizes between nothing and just enough, then once more with room.

The file system is a tmpfs, so the system itself says that it is full. A whole workflow is tried too, with what Snakemake notes
of its own on the small disk.
"""

import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks.reliability.attempts import Attempt
from benchmarks.reliability.content import differences, left_over
from benchmarks.reliability.lives import Job, Lives, jobs_of, lives
from benchmarks.reliability.scene import Scene, snakemake, target_of
from pipeline.words import WORDS

__all__ = ["SIZES", "can_mount", "disk_attempts", "workflow_disk_attempt"]

SIZES = 20
PAGE = 4096
PLENTY = 1 << 30
SAID = "There is no space left on the disk."
SYSTEM = "No space left on device"


def can_mount(folder: Path) -> bool:
    """Whether this user may mount a tmpfs."""
    try:
        with _tmpfs(folder / "tried"):
            return True
    except (subprocess.CalledProcessError, FileNotFoundError):
        return False


def disk_attempts(scene: Scene, numbers: Sequence[int], *, seed: int) -> Iterator[Attempt]:
    """One job on one size for each number, which gives both in turn. Nothing is drawn."""
    jobs = jobs_of(scene)
    with lives() as server:
        for number in numbers:
            step = number // len(jobs) % SIZES
            yield _attempt(scene, server, jobs[number % len(jobs)], step=step, number=number, seed=seed)


def _attempt(scene: Scene, server: Lives, job: Job, *, step: int, number: int, seed: int) -> Attempt:
    folder, expected = scene.folder / "trial_disk", scene.after(job.stage)
    with _tmpfs(folder / "results"):
        _copy(expected, folder)
        most = _used(folder / "results")
        job.clear(folder)
        least = _used(folder / "results")
        _resize(folder / "results", least + max(PAGE, round((most - least) * step / SIZES)))
        code, _, said = server.live(job, folder)
        outcome, problems = _outcome(code, said, snakemake=False)
        _resize(folder / "results", PLENTY)
        if code:
            job.clear(folder)
            code, _, said = server.live(job, folder)
            problems += [f"with room it failed: {said[-1500:]}"] if code else []
        problems += differences(folder / "results", expected / "results") + left_over(folder / "results")
    return Attempt("full disk", job.rule, number, seed, outcome, fault="; ".join(problems)[:3000])


def workflow_disk_attempt(scene: Scene, number: int, *, seed: int) -> Iterator[Attempt]:
    """One stage with Snakemake on one size; its number gives both in turn. Nothing is drawn."""
    stage, step = WORDS[number % len(WORDS)], number // len(WORDS) % SIZES
    folder, expected = scene.folder / "trial_disk_run", scene.after(stage)
    with _tmpfs(folder):
        _copy(expected, folder)
        most = _used(folder)
        subprocess.run(f"rm -rf {folder}/* {folder}/.snakemake", shell=True, check=True)
        _copy(scene.before(stage), folder)
        least = _used(folder)
        _resize(folder, least + max(PAGE, round((most - least) * step / SIZES)))
        run = snakemake(folder, "-j2", *target_of(stage))
        outcome, problems = _outcome(run.wait(), run.said(), snakemake=True)
        _resize(folder, PLENTY)
        run = snakemake(folder, "-j2", *target_of(stage))
        problems += [f"with room it failed: {run.said()[-1500:]}"] if run.wait() else []
        problems += differences(folder / "results", expected / "results") + left_over(folder / "results")
    yield Attempt("full disk, with Snakemake", stage, number, seed, outcome, fault="; ".join(problems)[:3000])


def _outcome(code: int, said: str, *, snakemake: bool) -> tuple[str, list[str]]:
    """Outcome of a run on the small disk, and what it left unsaid."""
    if code == 0:
        return "enough", []
    if SAID in said and "results" in said.partition(SAID)[2]:
        return "said in plain words", []
    if snakemake and SYSTEM in said:  # it has notes of its own, which nothing of ours writes
        return "said by Snakemake alone", []
    return "not said", [f"exit code {code}, nothing said of a full disk: {said[-1500:]}"]


@contextmanager
def _tmpfs(folder: Path) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={PLENTY}", "tmpfs", str(folder)], check=True, capture_output=True
    )
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def _resize(folder: Path, size: int) -> None:
    subprocess.run(["mount", "-o", f"remount,size={size}", str(folder)], check=True)


def _copy(source: Path, folder: Path) -> None:
    subprocess.run(["cp", "-a", f"{source}/.", str(folder)], check=True)


def _used(folder: Path) -> int:
    # A file of no bytes and a folder take pages too, so what is there is asked of the file system.
    found = os.statvfs(folder)
    return (found.f_blocks - found.f_bfree) * found.f_frsize
