"""Run series of attempts, in slices where wanted, and write ``benchmarks/reliability.md`` from the notes of all.

``python -m benchmarks.reliability`` runs all of them; ``kills --first 25 --count 25`` a slice; ``kills --first 7 --count 1``
repeats one attempt; ``summary`` writes the tables.
"""

import argparse
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from benchmarks.reliability.attempts import Attempt, attempts_noted, made
from benchmarks.reliability.bit_flips import flip_attempts
from benchmarks.reliability.full_disk import SIZES, can_mount, disk_attempt
from benchmarks.reliability.kills import kill_attempt
from benchmarks.reliability.power_cuts import can_trace, cut_attempt
from benchmarks.reliability.scene import Scene, make_scene
from benchmarks.reliability.summary import write_summary
from pipeline.words import WORDS

SLICE = 50
COUNTS = {"flips": 1000 // SLICE, "kills": 50, "cuts": 6 * len(WORDS), "disks": SIZES * len(WORDS)}
"""Attempts of a series in the full form; of flips, slices of ``SLICE`` bits; of kills, chains of several."""


def _flips(scene: Scene, number: int, *, seed: int) -> Iterator[Attempt]:
    return flip_attempts(scene, range(number * SLICE, (number + 1) * SLICE), seed=seed)


SERIES: dict[str, Callable[..., Iterable[Attempt]]] = {
    "flips": _flips,
    "kills": kill_attempt,
    "cuts": cut_attempt,
    "disks": disk_attempt,
}


def _possible(name: str, folder: Path) -> bool:
    if name == "cuts" and not can_trace():
        print("No power cuts: strace is not installed, or may not trace.", flush=True)
        return False
    if name == "disks" and not can_mount(folder):
        print("No full disks: this user may not mount a tmpfs.", flush=True)
        return False
    return True


def run_series(scene: Scene, name: str, numbers: Iterable[int], *, seed: int) -> list[Attempt]:
    """Attempts of one series; none where the system does not allow them."""
    if not _possible(name, scene.folder):
        return []
    return made(scene, numbers, lambda number: SERIES[name](scene, number, seed=seed))


def main() -> int:
    """Run what is asked for; exit code 1 where anything was lost."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.reliability", description=__doc__)
    parser.add_argument("series", nargs="*", choices=[*SERIES, "summary", []], help="all without it")
    parser.add_argument("--first", type=int, default=0, help="number of the first attempt")
    parser.add_argument("--count", type=int, help="attempts of each series")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, default=Path(".soak"), help="where the run is made and kept")
    arguments = parser.parse_args()
    scene = make_scene(arguments.folder.absolute())
    found: list[Attempt] = []
    for name in arguments.series or [*SERIES, "summary"]:
        if name == "summary":
            write_summary(attempts_noted(scene))
        else:
            first = arguments.first
            numbers = range(first, first + (arguments.count or COUNTS[name]))
            found += run_series(scene, name, numbers, seed=arguments.seed)
    lost = [each for each in found if each.fault]
    print(f"{len(found)} outcomes, {len(lost)} of them lost something.")
    return bool(lost)


if __name__ == "__main__":
    sys.exit(main())
