"""Full disks: a stage on a file system of 20 sizes between nothing and just enough, then once more with room.

The file system is a tmpfs, so the system itself says that it is full. On every other one not only the results lie on it but
also what Snakemake notes of its own.
"""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.reliability.attempts import Attempt
from benchmarks.reliability.content import differences, left_over
from benchmarks.reliability.kills import unlocked
from benchmarks.reliability.scene import Scene, snakemake, target_of
from pipeline.words import WORDS

__all__ = ["SIZES", "can_mount", "disk_attempt"]

SIZES = 20
PAGE = 4096
PLENTY = 1 << 30
SAID = "There is no space left on the disk."
SYSTEM = "No space left on device"


def can_mount(folder: Path) -> bool:
    """Whether this user may mount a tmpfs."""
    try:
        with _tmpfs(folder / "tried", PLENTY):
            return True
    except subprocess.CalledProcessError:
        return False


def disk_attempt(scene: Scene, number: int, *, seed: int) -> Iterator[Attempt]:
    """One stage on one size; its number gives stage, size, and what lies on the small disk. Nothing is drawn."""
    stage, step = WORDS[number % len(WORDS)], number // len(WORDS) % SIZES
    whole = bool(step % 2)
    folder = scene.folder / "trial_disk"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    small = folder if whole else folder / "results"
    with _tmpfs(small, PLENTY):
        _copy(scene.before(stage), folder)
        # A file of no bytes and a folder take pages too, so what is there is asked of the file system.
        least, most = _used(small), _used_after(scene, stage, whole=whole)
        _resize(small, least + max(PAGE, round((most - least) * step / SIZES)))
        outcome, problems = _filled(folder, stage)
        _resize(small, PLENTY)
        if outcome != "enough":
            run = snakemake(folder, "-j2", *unlocked(folder, target_of(stage)))
            problems += [] if run.wait() == 0 else [f"with room it failed: {run.said()[-1500:]}"]
        problems += differences(folder / "results", scene.after(stage) / "results") + left_over(folder / "results")
    what = "full disk, results and Snakemake's notes" if whole else "full disk, results"
    yield Attempt(what, stage, number, seed, outcome, fault="; ".join(problems)[:3000])


def _filled(folder: Path, stage: str) -> tuple[str, list[str]]:
    """Outcome of a run on the small disk, and what it left unsaid."""
    run = snakemake(folder, "-j2", *target_of(stage))
    if run.wait() == 0:
        return "enough", []
    said = run.said()
    if SAID in said and "results" in said.partition(SAID)[2]:
        return "said in plain words", []
    if SYSTEM in said:
        return "said by Snakemake", []
    return "not said", [f"nothing said of a full disk: {said[-1500:]}"]


@contextmanager
def _tmpfs(folder: Path, size: int) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)], check=True, capture_output=True
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
    found = os.statvfs(folder)
    return (found.f_blocks - found.f_bfree) * found.f_frsize


def _used_after(scene: Scene, stage: str, *, whole: bool) -> int:
    folder = scene.folder / "measured"
    with _tmpfs(folder, PLENTY):
        source = scene.after(stage)
        _copy(source if whole else source / "results", folder)
        return _used(folder)
