"""Time and memory of a whole file in a process of its own, for `speed` and `slide`.

``python -m benchmarks.normalized.process WHAT FILE OUT RUNS`` prints one JSON object. WHAT is ``ours`` (both doors of
the stage), ``staintools`` (decode, transform, PNG) or ``digest`` (the estimate of an array in a file).
"""

import hashlib
import json
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import tifffile

from benchmarks.normalized import ours
from benchmarks.normalized.peers import TRANSFORMERS
from benchmarks.normalized.spread import target_image
from pipeline.config.manifest import DatasetRecord
from pipeline.normalized.stain.image import normalise_histology, write_estimate
from pipeline.normalized.stain.target import write_target
from pipeline.raw.datasets.entry import ImageEntry
from pipeline.runtime.peak import peak_bytes
from pipeline.stores.job import Job
from pipeline.stores.provenance import Provenance

__all__ = ["measured"]

RECORD = DatasetRecord.model_validate(
    {
        "title": "benchmark",
        "adaptor": "folder",
        "modality": "histology",
        "task": "binary",
        "classes": [{"code": "A", "name": "A"}],
        "folder": {"images": "{image}.tif"},
    }
)


def measured(what: str, file: Path, out: Path, *, runs: int) -> dict[str, float | str]:
    """Run in a fresh process.

    Returns
    -------
    dict
        ``seconds`` (median), ``estimate`` (of which the stains), ``peak`` and ``imports`` (MB), or ``digest``; ``error``
        where a peer is absent.
    """
    command = [sys.executable, "-m", "benchmarks.normalized.process", what, str(file), str(out), str(runs)]
    answer = subprocess.run(command, check=True, capture_output=True, text=True, cwd=Path(__file__).parents[2])
    found: dict[str, float | str] = json.loads(answer.stdout.splitlines()[-1])
    return found


def _doors(file: Path, out: Path) -> tuple[float, float]:
    """Seconds of the first door and of all."""
    config, origin = ours.settings(), Provenance("normalized", {}, "benchmark")
    job = Job(RECORD, origin, ours.WORKERS)
    entry = ImageEntry("a", file, annotated=False)
    stain, target, store = out / "a.stain.json", out / "target.json", out / "a.zarr"
    start = time.perf_counter()
    write_estimate(entry, config=config, job=job, output=stain)
    middle = time.perf_counter()
    write_target(config, target="reference", file=None, estimates=[], output=target, provenance=origin)
    normalise_histology(
        entry,
        config=config,
        stain=stain,
        target=target,
        job=job,
        output=store,
    )
    end = time.perf_counter()
    shutil.rmtree(store)
    return middle - start, end - start


def _ours(file: Path, out: Path, runs: int) -> dict[str, float | str]:
    small = out / "small.tif"
    tifffile.imwrite(small, target_image()[:512, :512], tile=(256, 256), compression="jpeg", photometric="rgb")
    _doors(small, out)
    imports = peak_bytes() / 2**20
    times = [_doors(file, out) for _ in range(runs)]
    estimate, seconds = (statistics.median(each) for each in zip(*times, strict=True))
    return {"seconds": seconds, "estimate": estimate, "peak": peak_bytes() / 2**20, "imports": imports}


def _staintools(file: Path, out: Path, runs: int) -> dict[str, float | str]:
    try:
        transform = TRANSFORMERS["StainTools Vahadane"](target_image())
    except ImportError:
        return {"error": "absent"}
    imports, times = peak_bytes() / 2**20, []
    for _ in range(runs):
        start = time.perf_counter()
        image = (
            tifffile.imread(file) if file.suffix == ".tif" else cv2.cvtColor(cv2.imread(str(file)), cv2.COLOR_BGR2RGB)
        )
        cv2.imwrite(str(out / "peer.png"), cv2.cvtColor(transform(image), cv2.COLOR_RGB2BGR))
        times.append(time.perf_counter() - start)
    return {"seconds": statistics.median(times), "peak": peak_bytes() / 2**20, "imports": imports}


def _digest(file: Path, workers: int) -> dict[str, float | str]:
    found = ours.estimated(np.load(file), ours.settings(), workers=workers)
    return {"digest": hashlib.sha256(json.dumps(found.to_json()).encode()).hexdigest()}


def main(what: str, file: Path, out: Path, runs: int) -> None:
    """Print what was measured."""
    if what == "digest":
        print(json.dumps(_digest(file, workers=runs)))
    else:
        print(json.dumps((_ours if what == "ours" else _staintools)(file, out, runs)))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4]))
