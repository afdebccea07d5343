"""Run series of attempts, in slices where wanted, and write ``benchmarks/reliability.md`` from the notes of all.

``python -m benchmarks.reliability`` runs all of them; ``kills --first 25 --count 25`` a slice; ``kills --first 7 --count 1``
repeats one attempt; ``summary`` writes the tables.
"""

import argparse
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from benchmarks.reliability.attempts import Attempt, attempts_noted, made
from benchmarks.reliability.bit_flips import flip_attempts
from benchmarks.reliability.full_disk import SIZES, can_mount, disk_attempts, workflow_disk_attempt
from benchmarks.reliability.job_kills import job_kill_attempts
from benchmarks.reliability.kills import kill_attempt
from benchmarks.reliability.power_cuts import can_trace, cut_attempts, workflow_cut_attempt
from benchmarks.reliability.reproduce import reproduce
from benchmarks.reliability.scene import Scene, make_scene
from benchmarks.reliability.summary import write_summary
from pipeline.words import WORDS

SLICE = 20
"""Numbers that share one process, or one copy of the results."""
WHOLE_RUNS: dict[str, Callable[..., Iterable[Attempt]]] = {
    "kills": kill_attempt,
    "cut-runs": workflow_cut_attempt,
    "disk-runs": workflow_disk_attempt,
}
SLICED: dict[str, Callable[..., Iterable[Attempt]]] = {
    "flips": flip_attempts,
    "job-kills": job_kill_attempts,
    "cuts": cut_attempts,
    "disks": disk_attempts,
}
FULL = {
    "flips": 1000,
    "job-kills": 100,
    "cuts": 120,
    "disks": 20 * SIZES,
    "kills": 40,
    "cut-runs": 3 * len(WORDS),
    "disk-runs": 4 * len(WORDS),
}
"""Numbers of a series in the full form; in chains of kills each stands for several."""


def _possible(name: str, folder: Path) -> bool:
    if name in ("cuts", "cut-runs") and not can_trace():
        print("No power cuts: strace is not installed, or may not trace.", flush=True)
        return False
    if name in ("disks", "disk-runs") and not can_mount(folder):
        print("No full disks: this user may not mount a tmpfs.", flush=True)
        return False
    return True


def run_series(scene: Scene, name: str, numbers: Sequence[int], *, seed: int) -> list[Attempt]:
    """Attempts of one series; none where the system does not allow them."""
    if not _possible(name, scene.folder):
        return []
    if name in WHOLE_RUNS:
        return made(scene, ((number, WHOLE_RUNS[name](scene, number, seed=seed)) for number in numbers))
    slices = (numbers[at : at + SLICE] for at in range(0, len(numbers), SLICE))
    return made(scene, ((part[0], SLICED[name](scene, part, seed=seed)) for part in slices))


def main() -> int:
    """Run what is asked for; exit code 1 where anything was lost."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.reliability", description=__doc__)
    parser.add_argument("series", nargs="*", choices=[*FULL, "reproduce", "summary", []], help="all without it")
    parser.add_argument("--first", type=int, default=0, help="number of the first attempt")
    parser.add_argument("--count", type=int, help="attempts of each series")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, default=Path(".soak"), help="where the run is made and kept")
    parser.add_argument("--small", action="store_true", help="reproduce: the small run instead of both samples")
    arguments = parser.parse_args()
    scene = make_scene(arguments.folder.absolute())
    found: list[Attempt] = []
    for name in arguments.series or [*FULL, "summary"]:
        if name == "reproduce":
            found += made(scene, [(0, reproduce(scene.folder, small=arguments.small))])
        elif name == "summary":
            write_summary(attempts_noted(scene))
        else:
            first = arguments.first
            numbers = range(first, first + (arguments.count or FULL[name]))
            found += run_series(scene, name, numbers, seed=arguments.seed)
    lost = [each for each in found if each.fault]
    print(f"{len(found)} outcomes, {len(lost)} of them lost something.")
    return bool(lost)


if __name__ == "__main__":
    sys.exit(main())
