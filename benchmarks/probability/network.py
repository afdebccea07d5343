"""Cost of inference beyond the bare forward passes of its network, and what makes those faster on a processor."""

import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.probability import inputs, ours
from benchmarks.probability.process import measured
from pipeline.arrays.raster import Raster
from pipeline.config import ModelSettings
from pipeline.model.network import ScaledNetwork, build_network, probabilities
from pipeline.probability.predictor import NetworkPredictor, torch_threads, with_precision_of_this_machine
from pipeline.probability.window import read_windows
from pipeline.stores import open_array

__all__ = ["CLASSES", "HEIGHT", "WIDTH", "batches", "built", "compiled", "section", "variants", "whole"]

HEIGHT, WIDTH, CLASSES = 2848, 4288, 5
ROUNDS = 3
AIMS = {"float32": 1.05, "auto": 0.65}
"""Precision → most that a run may take over the bare float32 passes; ``auto`` on a processor with bfloat16 alone."""
RUNS = (("float32", 1), ("float32", 2), ("auto", 1), ("auto", 2))
"""Precision and workers of the runs."""


def built() -> ScaledNetwork:
    """U-Net with an EfficientNet-Lite0 as encoder, and random weights from a seed."""
    torch.manual_seed(0)
    return build_network(ModelSettings(), classes=CLASSES, task="multilabel").eval()


def batches(image: NDArray[np.uint8], **settings: Any) -> Iterator[NDArray[np.uint8]]:  # noqa: ANN401 any setting
    """The windows of an image in the batches of a run."""
    plan = inputs.plan(*image.shape[1:], settings=inputs.config(**settings))
    for block in plan.blocks:
        if windows := plan.windows(block):
            for _, pixels in read_windows(Raster.of(image), plan, windows):
                yield pixels


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _bare(network: ScaledNetwork, windows: list[torch.Tensor]) -> tuple[float, float]:
    """Seconds of the forward passes, and of the probabilities from them."""
    forward = sigmoid = 0.0
    with torch.inference_mode():
        for batch in windows:
            start = time.perf_counter()
            logits = network(batch)
            middle = time.perf_counter()
            probabilities(logits, "multilabel")
            forward, sigmoid = forward + middle - start, sigmoid + time.perf_counter() - middle
    return forward, sigmoid


def whole(*, image: str, store: str) -> dict[str, Any]:
    """Median seconds of runs from store to store and of the bare float32 passes, in turn, and the ratios to both."""
    network, use = built(), inputs.config()
    windows = [torch.from_numpy(each) for each in batches(np.asarray(open_array(Path(image), "0")[:]))]

    def run(precision: str, workers: int) -> float:
        settings = with_precision_of_this_machine(inputs.config(workers=workers, precision=precision))
        predictor = NetworkPredictor(network, "multilabel", torch.device("cpu"), settings.precision)
        seconds = _seconds(ours.predicted(Path(image), Path(store), predictor, classes=CLASSES, settings=settings))
        shutil.rmtree(store)
        return seconds

    with torch_threads(use.threads):
        _bare(network, windows[:1])
        rounds = [([run(*each) for each in RUNS], *_bare(network, windows)) for _ in range(ROUNDS)]
    found = [
        {
            "precision": precision,
            "workers": workers,
            "seconds": statistics.median(mine[at] for mine, _, _ in rounds),
            "forward": statistics.median(mine[at] / forward for mine, forward, _ in rounds),
            "both": statistics.median(mine[at] / (forward + sigmoid) for mine, forward, sigmoid in rounds),
        }
        for at, (precision, workers) in enumerate(RUNS)
    ]
    forward, sigmoid = (statistics.median(each[at] for each in rounds) for at in (1, 2))
    means = with_precision_of_this_machine(inputs.config()).precision
    return {"ours": found, "forward": forward, "sigmoid": sigmoid, "windows": sum(map(len, windows)), "auto": means}


def _four() -> torch.Tensor:
    return torch.from_numpy(next(batches(inputs.pixels(HEIGHT, WIDTH))))


def _medians(works: dict[str, Callable[[], object]]) -> dict[str, float]:
    for work in works.values():
        work()
    rounds = [{name: _seconds(work) for name, work in works.items()} for _ in range(ROUNDS)]
    return {name: statistics.median(each[name] for each in rounds) for name in works}


def variants() -> dict[str, float]:
    """Seconds of a quarter of a window, in turn, without the probabilities; so little, as bfloat16 can be very slow."""
    network, windows = built(), _four()[:1, :, : inputs.WINDOW // 2, : inputs.WINDOW // 2].contiguous()
    scaled = (windows.float() / 255 - network.mean) / network.std

    def bfloat16() -> None:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            network(windows)

    with torch_threads(2), torch.inference_mode():
        return _medians(
            {
                "float32": lambda: network(windows),
                "contiguous": lambda: network.body(scaled),
                "bfloat16": bfloat16,
            }
        )


def compiled() -> dict[str, float]:
    """Seconds of a batch as it is and compiled, and of the first compiled one, without caches of earlier runs."""
    import torch._inductor.config

    torch._inductor.config.force_disable_caches = True
    network, windows = built(), _four()
    fast = torch.compile(network)
    with torch_threads(2), torch.inference_mode():
        network(windows)
        first = _seconds(lambda: fast(windows))
        return {"first": first, **_medians({"eager": lambda: network(windows), "compiled": lambda: fast(windows)})}


def _said_of_variants(found: dict[str, Any]) -> str:
    if "error" in found:
        return f"- Variants: {found['error']}."
    base = found["float32"]
    return (
        f"- 256×256 pixels: float32 as the network lays it out (channels last) {base:.3f} s, float32 contiguous"
        f" {found['contiguous']:.3f} s ({found['contiguous'] / base:.2f}×), bfloat16 autocast {found['bfloat16']:.2f} s"
        f" ({found['bfloat16'] / base:.2f}×)."
    )


def _said_of_compiled(found: dict[str, Any]) -> str:
    if "error" in found:
        return f"- `torch.compile`: {found['error']}."
    gain = found["eager"] - found["compiled"]
    pays = f"pays after {4 * found['first'] / gain:.0f} windows" if gain > 0 else "never pays"
    return (
        f"- `torch.compile` (inductor): the first batch takes {found['first']:.0f} s, later ones {found['compiled']:.2f} s"
        f" against {found['eager']:.2f} s: it {pays}."
    )


def _aimed(mine: dict[str, Any], *, auto: str) -> str:
    """The aim of a run and whether it falls short; none for ``auto`` where that is float32."""
    if mine["precision"] == "auto" and auto == "float32":
        return ""
    aim = AIMS[mine["precision"]]
    return f" (aim ≤ {aim}{'' if mine['both'] <= aim else ': **short**'})"


def _said_of_whole(found: dict[str, Any]) -> list[str]:
    if "error" in found:
        return [f"The run failed: {found['error']}."]
    rows = [
        f"| ours, store to store, {mine['precision']}, workers: {mine['workers']} | {mine['seconds']:.2f}"
        f" | {mine['both']:.3f}{_aimed(mine, auto=found['auto'])} | {mine['forward']:.3f} |"
        for mine in found["ours"]
    ]
    return [
        f"U-Net with EfficientNet-Lite0, random weights, {WIDTH}×{HEIGHT}, {CLASSES} classes, {found['windows']} windows of 512, batches of 4, two torch threads, Zarr to Zarr; against the forward passes of the same windows in float32, from memory in the same batches, one after the other, in turn, median of {ROUNDS}. `auto` is {found['auto']} here. With two workers the cores have work while a block is read or written, and while an operator of the network cannot be divided.",
        "",
        "| what | seconds | over passes and probabilities | over passes alone |",
        "|---|---|---|---|",
        *rows,
        f"| forward passes in float32 and their probabilities | {found['forward'] + found['sigmoid']:.2f} | | |",
        f"| forward passes in float32 alone | {found['forward']:.2f} | | |",
    ]


def section() -> str:
    """The table and what was tried."""
    with tempfile.TemporaryDirectory() as folder:
        image = inputs.write_image(Path(folder) / "eye.zarr", inputs.pixels(HEIGHT, WIDTH))
        found = measured("network.whole", image=str(image), store=str(Path(folder) / "out.zarr"))
    tried = [_said_of_variants(measured("network.variants")), _said_of_compiled(measured("network.compiled"))]
    return "\n".join([*_said_of_whole(found), "", *tried])
