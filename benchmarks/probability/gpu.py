"""Rate of inference on a GPU from store to store, as a share of that of the bare forward passes."""

import shutil
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.probability import inputs, network, ours
from benchmarks.probability.process import measured
from pipeline.probability.predictor import NetworkPredictor
from pipeline.stores import open_array

__all__ = ["rates", "section"]

SIDE, BATCH, ROUNDS, AIM = 16384, 16, 3, 0.8


def _bare(predictor: NetworkPredictor, windows: list[torch.Tensor], *, count: int) -> float:
    """Seconds of so many batches that are on the device already."""
    from pipeline.model.network import probabilities

    kind, place = getattr(torch, predictor.precision), predictor.device.type
    _wait(place)
    start = time.perf_counter()
    with torch.inference_mode(), torch.autocast(place, dtype=kind):
        for number in range(count):
            probabilities(predictor.network(windows[number % len(windows)]), "multilabel")
    _wait(place)
    return time.perf_counter() - start


def _wait(place: str) -> None:
    if place == "cuda":
        torch.cuda.synchronize()


def rates(*, image: str, small: str, store: str, precision: str, place: str = "cuda:0") -> dict[str, Any]:
    """Windows a second from store to store and of the bare passes, in turn, in one precision."""
    settings, device = inputs.config(batch_size=BATCH, precision=precision), torch.device(place)
    predictor = NetworkPredictor(network.built().to(device), "multilabel", device, precision)
    array = open_array(Path(image), "0")
    some = network.batches(np.asarray(array[:, :2048, :2048]), batch_size=BATCH)
    windows = [torch.from_numpy(each).to(device) for each in some if len(each) == BATCH]
    grid = inputs.plan(*array.shape[-2:], settings=settings).grid
    total = grid[0] * grid[1]
    times = []
    for path in (small, *[image] * ROUNDS):
        run = ours.predicted(Path(path), Path(store), predictor, classes=network.CLASSES, settings=settings)
        start = time.perf_counter()
        run()
        all_s = time.perf_counter() - start
        shutil.rmtree(store)
        times.append((total / all_s, BATCH * (total // BATCH) / _bare(predictor, windows, count=total // BATCH)))
    first, second = (statistics.median(each) for each in zip(*times[1:], strict=True))
    return {"ours": first, "bare": second, "ratio": statistics.median(one / two for one, two in times[1:])}


def section() -> str:
    """The table, or why there is none."""
    if not torch.cuda.is_available():
        return "Not measured: torch sees no GPU here."
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        paths = {
            "image": str(inputs.write_repeated(folder / "image.zarr", side=SIDE)),
            "small": str(inputs.write_repeated(folder / "small.zarr", side=2048)),
            "store": str(folder / "out.zarr"),
        }
        found = {name: measured("gpu.rates", precision=name, **paths) for name in ("float16", "bfloat16")}
    rows = [
        f"| {name} | {each['error']} | | |"
        if "error" in each
        else f"| {name} | {each['ours']:.0f} | {each['bare']:.0f} | {each['ratio']:.2f}{'' if each['ratio'] >= AIM else ': **short**'} |"
        for name, each in found.items()
    ]
    return "\n".join(
        [
            f"{torch.cuda.get_device_name(0)}: the network of above, {SIDE}×{SIDE}, batches of {BATCH}, two workers, Zarr to Zarr with pyramid; against forward passes and probabilities of batches that are on the device, in turn, median of {ROUNDS}. Aim ≥ {AIM}.",
            "",
            "| autocast | ours, windows/s | bare, windows/s | ratio |",
            "|---|---|---|---|",
            *rows,
        ]
    )
