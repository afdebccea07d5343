"""Memory of inference while the image grows: one class at every size, each in a process of its own."""

import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.probability import inputs, ours
from benchmarks.probability.process import measured
from pipeline.runtime.peak import peak_bytes

__all__ = ["section", "slide"]

SIDES = (8192, 16384, 32768, 65536)


def slide(*, image: str, store: str) -> dict[str, float]:
    """Seconds of a null model of one class."""
    settings = inputs.config()
    before = peak_bytes() / 2**20
    model = ours.null_model(1, batch=settings.batch_size)
    start = time.perf_counter()
    ours.predicted(Path(image), Path(store), model, classes=1, settings=settings)()
    return {"seconds": time.perf_counter() - start, "before": before}


def _of(side: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        image = inputs.write_repeated(Path(folder) / "image.zarr", side=side)
        found = measured("memory.slide", image=str(image), store=str(Path(folder) / "out.zarr"))
        shutil.rmtree(image)
    return found


def _row(side: int, found: dict[str, Any]) -> str:
    if "error" in found:
        return f"| {side}×{side} | {found['error']} | | |"
    return f"| {side}×{side} | {found['peak']:.0f} | {found['before']:.0f} | {side**2 / found['seconds'] / 1e6:.0f} |"


def _verdict(found: dict[int, dict[str, Any]]) -> str:
    peaks = [each["peak"] for each in found.values() if "error" not in each]
    if len(peaks) < 2:
        return "**Not measured**: too few sizes ran to the end."
    spread = max(peaks) / min(peaks) - 1
    short = "" if spread <= 0.1 and len(peaks) == len(found) else ": **short**"
    missing = (
        f"; {len(found) - len(peaks)} of {len(found)} sizes did not run to the end" if len(peaks) < len(found) else ""
    )
    return f"Largest peak over smallest: {spread:.1%} more (aim ≤ 10 % at all sizes{short}){missing}."


def section() -> str:
    """The table."""
    found = {side: _of(side) for side in SIDES}
    return "\n".join(
        [
            "Null model, one class, windows of 512, overlap 25 %, Gaussian, two workers, Zarr in, Zarr out with pyramid. The image repeats one shard, one file under many names.",
            "",
            "| pixels | peak, MB | of which after imports | Mpx/s |",
            "|---|---|---|---|",
            *[_row(side, each) for side, each in found.items()],
            "",
            _verdict(found),
        ]
    )
