"""Rate of fusion where the network costs nothing: ours from store to store, the others as they can."""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.probability import inputs
from benchmarks.probability.definition import eager
from benchmarks.probability.process import measured

__all__ = ["section"]

SIDE, CLASSES, RUNS = 8192, 6, 3
SMALL, EXACT = 1024, 2048
MPX = SIDE**2 / 1e6

PEERS = {
    "MONAI, 4 windows a batch": "monai 4",
    "MONAI, 16 windows a batch": "monai 16",
    "MONAI, 4 a batch, buffered": "monai 4 buffered",
    "bare loop, torch": "loop torch",
    "bare loop, NumPy": "loop numpy",
}


def _truth(folder: Path, fusion: str) -> str:
    """The definition in double precision on the whole image."""
    path = folder / f"{fusion}.npy"
    windows = inputs.plan(EXACT, EXACT, settings=inputs.config())
    np.save(path, eager(inputs.pixels(EXACT, EXACT), windows, fusion=fusion))
    return str(path)


def _times(folder: Path) -> dict[str, dict[str, Any]]:
    paths = {
        side: str(inputs.write_image(folder / f"{side}.zarr", inputs.pixels(side, side))) for side in (SMALL, SIDE)
    }
    common = {"classes": CLASSES, "runs": RUNS}
    stores = {"image": paths[SIDE], "small": paths[SMALL], "folder": str(folder)}
    ours = measured("ours.fusion", **stores, **common)
    peers = {name: measured("peers.fusion", method=method, side=SIDE, **common) for name, method in PEERS.items()}
    return {
        "ours": ours,
        **peers,
        "TIAToolbox's engine": measured(
            "tiatoolbox_engine.fusion", side=SIDE, folder=str(folder), classes=CLASSES, runs=1
        ),
        "ours, answer of noise": measured("ours.fusion", **stores, **common, varied=True),
    }


def _differences(folder: Path) -> dict[str, dict[str, Any]]:
    image = str(inputs.write_image(folder / "exact.zarr", inputs.pixels(EXACT, EXACT)))
    gaussian, mean = _truth(folder, "gaussian"), _truth(folder, "mean")
    ours = measured("ours.difference", image=image, folder=str(folder), truth=gaussian)
    return {
        "ours": ours,
        "ours, answer of noise": ours,
        **{name: measured("peers.difference", method=each, side=EXACT, truth=gaussian) for name, each in PEERS.items()},
        "TIAToolbox's engine": measured("tiatoolbox_engine.difference", side=EXACT, folder=str(folder), truth=mean),
    }


def _difference(found: dict[str, Any]) -> str:
    if "error" in found:
        return "–"
    more = [f"stored {found['stored']:.1e}"] if "stored" in found else []
    more += [f"at the border {found['everywhere']:.2f}"] if "everywhere" in found else []
    return ", ".join([f"{found['exact']:.1e}", *more])


def _row(name: str, found: dict[str, Any], ours: dict[str, Any], difference: dict[str, Any]) -> str:
    if "error" in found:
        return f"| {name} | not run: {found['error']} | | | | | |"
    rates = " | ".join(f"{MPX / found[key]:.1f}" for key in ("first", "again"))
    ratios = " | ".join(f"{found[key] / ours[key]:.2f}" for key in ("first", "again"))
    return f"| {name} | {rates} | {ratios} | {found['peak']:.0f} ({found['before']:.0f}) | {_difference(difference)} |"


def _verdict(times: dict[str, dict[str, Any]]) -> str:
    monai = [found for name, found in times.items() if name.startswith("MONAI") and "error" not in found]
    if not monai:
        return "MONAI did not run."
    ratios = {key: min(each[key] for each in monai) / times["ours"][key] for key in ("first", "again")}
    said = ", ".join(
        f"{name} {ratio:.2f} (aim ≥ 2, then 3{'' if ratio >= 2 else ': **short**'})"
        for name, ratio in zip(("first calls", "repeated calls"), ratios.values(), strict=True)
    )
    return f"Ours over the best of MONAI: {said}."


def section() -> str:
    """The table."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        differences, times = _differences(folder), _times(folder)
    rows = [_row(name, found, times["ours"], differences[name]) for name, found in times.items()]
    return "\n".join(
        [
            f"A null model with a constant answer, {SIDE}×{SIDE} pixels, {CLASSES} classes, windows of {inputs.WINDOW}, overlap {inputs.OVERLAP:.0%}, Gaussian, two cores. Each row in a process of its own, after an image of {SMALL}×{SMALL}: the first call, and the median of {RUNS} more (TIAToolbox: 1 more). Ours reads a Zarr store and its roi and writes a Zarr store with its pyramid, float16, two workers; MONAI and the loops start from a float32 array in memory and end with one, two torch threads, and MONAI is given its weights ready made. TIAToolbox's engine reads a tiled TIFF file and writes float32 to Zarr; it fuses by mean only, and is compared with the mean.",
            "",
            "Ratio: time over ours, first call with first call, repeated with repeated. Peak in brackets: before the first call. Largest difference: from the eager definition in double precision on 2048×2048 pixels, with a network whose answer depends on the pixel, its place in the window, and the window; of ours in float32 before it is rounded, and as stored. *Answer of noise*: the same pass with maps that do not compress.",
            "",
            "| what | first, Mpx/s | repeated, Mpx/s | ratio, first | ratio, repeated | peak, MB | largest difference |",
            "|---|---|---|---|---|---|---|",
            *rows,
            "",
            _verdict(times),
        ]
    )
