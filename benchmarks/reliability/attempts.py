"""Attempts and their outcomes, noted one a line, so that they can be made in slices and each can be repeated by its number."""

import json
import shutil
import subprocess
import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.reliability.scene import Scene

__all__ = ["Attempt", "attempts_noted", "made", "trial_folder"]

NOTES = "attempts.jsonl"


@dataclass(frozen=True, slots=True)
class Attempt:
    """Attempt to lose data."""

    kind: str
    """What was tried, such as ``kill of a job``."""
    where: str
    """Stage or kind of file."""
    number: int
    """Number in its series; with the seed it gives everything that was drawn."""
    seed: int
    outcome: str
    """How it ended, such as ``equal``."""
    count: int = 1
    """Kills, cuts or flips."""
    fault: str = ""
    """What was lost, or said wrongly; empty where nothing was."""


@contextmanager
def trial_folder(source: Path, folder: Path) -> Iterator[Path]:
    """Copy of a working folder for one attempt; it stays where the attempt failed."""
    shutil.rmtree(folder, ignore_errors=True)
    subprocess.run(["cp", "-a", str(source), str(folder)], check=True)
    yield folder


def made(scene: Scene, series: Iterable[tuple[int, Iterable[Attempt]]]) -> list[Attempt]:
    """Outcomes of attempts, each with its first number, printed and noted beside the run as they come."""
    found: list[Attempt] = []
    for number, attempts in series:
        for each in _until_a_fault(number, attempts):
            found.append(each)
            with (scene.folder / NOTES).open("a") as stream:
                stream.write(json.dumps(asdict(each)) + "\n")
            words = f"LOST {each.fault}" if each.fault else f"{each.count} {each.outcome}"
            if each.fault or not each.kind.startswith("flip"):
                print(f"{each.kind}, {each.where}, number {each.number}, seed {each.seed}: {words}", flush=True)
    return found


def _until_a_fault(number: int, attempts: Iterable[Attempt]) -> Iterator[Attempt]:
    try:
        yield from attempts
    except Exception:  # noqa: BLE001 a fault of one attempt must not end the others
        yield Attempt("attempt", "harness", number, -1, "failed", fault=traceback.format_exc())


def attempts_noted(scene: Scene) -> list[Attempt]:
    """All attempts that were noted; of one made twice the last."""
    path = scene.folder / NOTES
    lines = path.read_text().splitlines() if path.is_file() else []
    found = [Attempt(**json.loads(line)) for line in lines]
    return list({(each.kind, each.where, each.number, each.seed): each for each in found}.values())
