"""Time and memory of drawing the patches of many images, each measurement in a process of its own.

``python -m benchmarks.index.size ours|loop FOLDER N [STEP]`` prints one JSON object.
"""

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from benchmarks.index import data
from pipeline.config import BalancedSampling, GuidedSampling, Sampling
from pipeline.index.candidates import read_candidates
from pipeline.index.image import open_image
from pipeline.index.sampling.balanced_pools import candidate_boxes, candidate_pools, stride
from pipeline.index.sampling.hard_negatives import HardBoxes
from pipeline.index.table import Inputs, write_index
from pipeline.runtime.allocator import keep_freed
from pipeline.runtime.peak import peak_bytes
from pipeline.runtime.threads import each
from pipeline.stores import table_metadata
from pipeline.stores.job import Job

__all__ = ["measured"]

WORKERS, IMAGES = 2, 1000
INTRODUCTION = """\
Images of 4288×2848 pixels with five classes of discs, a quarter of them free of lesions; patches of 512; two threads. To
score a position is to count its lesion, truth and roi pixels exactly, to measure its structure, and to put it in the order
of the draw, minimum distance included; opening, reading and decoding the stores is part of the time. That costs the same
however many positions are scored, and bounds the rate where they are few: it grows with their density. The loop holds the image in memory, slices, sums
with NumPy and takes `np.gradient`, one thread, four images. Peak memory is VmHWM of a process of its own, imports included."""


def measured(what: str, folder: Path, count: int, *, step: int = 0) -> dict[str, Any]:
    """Run in a fresh process."""
    command = [sys.executable, "-m", "benchmarks.index.size", what, str(folder), str(count), str(step)]
    answer = subprocess.run(command, check=True, capture_output=True, text=True, cwd=Path(__file__).parents[2])
    found: dict[str, Any] = json.loads(answer.stdout.splitlines()[-1])
    return found


def balanced(step: int) -> BalancedSampling:
    """The sampling that is measured."""
    return BalancedSampling(strategy="balanced", total=20_000, step=step or None, most_per_image=40)


def _written(folder: Path, count: int, sampling: Sampling, name: str) -> dict[str, Any]:
    images = [data.paths(folder, number) for number in range(count)]
    output = folder / f"{name}.parquet"
    start = time.perf_counter()
    write_index(
        Inputs(
            folder / "images.parquet",
            candidates={key: table for key, _, table in images},
            normalized={key: store for key, store, _ in images},
        ),
        dataset="size",
        sampling=sampling,
        job=Job(data.RECORD, data.ORIGIN, WORKERS),
        output=output,
    )
    summary = table_metadata(output)["summary"]
    return {
        "seconds": time.perf_counter() - start,
        "rows": summary["rows"],
        "notes": summary["notes"],
        "peak": peak_bytes() / 2**20,
    }


def _positions(folder: Path, number: int, step: int) -> tuple[Path, Any, np.ndarray]:
    _, store, table = data.paths(folder, number)
    found, sampling = read_candidates(table, codes=data.CODES), balanced(step)
    codes = data.RECORD.lesion_codes
    return store, found, candidate_boxes(found, codes=codes, seed=0, patch=sampling.patch, step=stride(sampling))


def _scored(folder: Path, count: int, step: int) -> dict[str, Any]:
    """Draw order of every position of every image: counted, scored, kept apart; what `write_index` does first."""
    sampling, nothing = balanced(step), HardBoxes(np.zeros((0, 4), np.int64), np.zeros(0))
    gives = {"positives": True, "hard": False, "negatives": True}

    def work(number: int) -> int:
        _, store, table = data.paths(folder, number)
        found = read_candidates(table, codes=data.CODES)
        candidate_pools(
            open_image(store),
            found,
            sampling=sampling,
            seed=0,
            modality="fundus",
            codes=data.RECORD.lesion_codes,
            gives=gives,
            listed=nothing,
            most=40,
        )
        side, patch = stride(sampling), sampling.patch
        return -(-(found.height - patch + 1) // side) * -(-(found.width - patch + 1) // side)

    each(work, range(2), workers=WORKERS)  # compiles
    start = time.perf_counter()
    positions = sum(each(work, range(count), workers=WORKERS))
    return {"seconds": time.perf_counter() - start, "positions": positions, "peak": peak_bytes() / 2**20}


def _loop(folder: Path, count: int, step: int) -> dict[str, Any]:
    """The same positions by a plain loop: image in memory, slices, sums, and the structure of each box."""
    start, positions = time.perf_counter(), 0
    for number in range(count):
        store, _, boxes = _positions(folder, number, step)
        image = open_image(store)
        truth, roi = np.asarray(image.truth[:]), np.asarray(image.roi[:])
        light = np.tensordot([0.299, 0.587, 0.114], np.asarray(image.coarse[:]), axes=1)
        for y0, x0, y1, x1 in boxes:
            patch = truth[:, y0:y1, x0:x1]
            _lesion, _any, _roi = patch[:-1].any(axis=0).sum(), patch.any(), roi[y0:y1, x0:x1].sum()
            small = light[y0 // 4 : y1 // 4, x0 // 4 : x1 // 4]
            _structure = np.hypot(*np.gradient(small)).mean()
        positions += len(boxes)
    return {"seconds": time.perf_counter() - start, "positions": positions, "peak": peak_bytes() / 2**20}


def section(folder: Path) -> str:
    """Scoring at four densities beside the loop."""
    loop = measured("loop", folder, 4)
    rate = loop["positions"] / loop["seconds"]
    lines = [
        "| what | images | positions | seconds | positions/s | plain loop, positions/s | ratio | peak MB |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for step, count in ((0, 100), (16, 100), (8, 50), (4, 25)):
        found = measured("score", folder, count, step=step)
        mine = found["positions"] / found["seconds"]
        side = step or 32
        lines.append(
            f"| scored, one position in {side}×{side} | {count} | {found['positions']} | {found['seconds']:.1f} | {mine:.3g} |"
            f" {rate:.3g} | {mine / rate:.0f} | {found['peak']:.0f} |"
        )
    return "\n".join([INTRODUCTION, "", *lines])


def whole(name: str, folder: Path) -> str:
    """One sampling of all images, from the stores to the file."""
    found = measured(name, folder, IMAGES)
    head = (
        f"{IMAGES} images of 4288×2848 ({data.DISTINCT} with truth of their own, and copies of them),"
        f" 20 000 training patches and the grid of {IMAGES // 10} validation images."
    )
    line = f"| {found['rows']} | {found['seconds']:.0f} | {found['peak']:.0f} |"
    return "\n".join([head, "", "| rows | seconds | peak MB, aim ≤ 1000 |", "|---|---|---|", line])


def main(what: str, folder: Path, count: int, step: int) -> None:
    """Print what was measured."""
    keep_freed()  # as every job does
    cv2.setNumThreads(1)
    guided = GuidedSampling(strategy="guided", total=20_000, beta=1.0, background_share=0.1)
    calls = {
        "balanced": lambda: _written(folder, count, balanced(step), "balanced"),
        "guided": lambda: _written(folder, count, guided, "guided"),
        "score": lambda: _scored(folder, count, step),
        "loop": lambda: _loop(folder, count, step),
    }
    print(json.dumps(calls[what]()))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
