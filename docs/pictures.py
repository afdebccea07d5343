"""Pictures of the documentation, drawn from the phantoms by the library itself whenever the site is built."""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

import pipeline
from pipeline.config.colours import rgb
from pipeline.index.sampling.frequency import class_quotas
from pipeline.probability.fusion.weights import gaussian_weights
from pipeline.raw.phantom.fundus import fundus_phantom
from pipeline.raw.phantom.histology import histology_phantom

__all__ = ["draw_all"]

mpl.rcParams.update({"svg.hashsalt": "lesionmap", "font.size": 9})
SIDE = 420
COLOURS = {"MA": "red", "HE": "green", "EX": "blue", "SE": "yellow", "OD": "magenta"}


def _normalised(image: NDArray[np.uint8], settings: Mapping[str, Any], folder: Path) -> NDArray[np.uint8]:
    """Picture normalised by the library, ``(h, w, 3)``."""
    file = folder / "picture.png"
    Image.fromarray(image).save(file)
    out = Path(tempfile.mkdtemp(dir=folder))
    store = pipeline.open_normalized(pipeline.normalise_new_image(file, settings=dict(settings), out=out))
    return np.moveaxis(store.image.read(store.image.box), 0, -1)


def _row(pictures: Mapping[str, NDArray[Any]], output: Path) -> None:
    figure = Figure(figsize=(2.6 * len(pictures), 2.9), layout="constrained")
    for axis, (title, picture) in zip(
        figure.subplots(1, len(pictures), squeeze=False)[0], pictures.items(), strict=True
    ):
        axis.imshow(picture)
        axis.set_title(title)
        axis.set_axis_off()
    figure.savefig(output, dpi=110)


def draw_fundus(output: Path, *, folder: Path) -> None:
    """Steps of the fundus chain, and the truth."""
    phantom = fundus_phantom(1, size=SIDE, seed=3)
    off: dict[str, Any] = {"apply": False}
    equalised = _normalised(phantom.image, {"chain": "fundus", "gaussian": off, "difference": off}, folder)
    blurred = _normalised(phantom.image, {"chain": "fundus", "difference": off}, folder)
    enhanced = _normalised(phantom.image, {"chain": "fundus"}, folder)
    truth = phantom.image // 2
    for code, mask in phantom.masks.items():
        truth[mask > 0] = rgb(COLOURS[code])
    steps = {
        "photograph": phantom.image,
        "CLAHE": equalised,
        "Gaussian": blurred,
        "difference": enhanced,
        "truth": truth,
    }
    _row(steps, output)


def draw_stains(output: Path, *, folder: Path) -> None:
    """Two laboratories before and after stain normalisation."""
    settings = {"chain": "histology", "stain": {"method": "vahadane", "target": "reference", "least_tissue": 500}}
    found = {}
    for number, name in ((0, "one laboratory"), (1, "another")):
        image = histology_phantom(number, size=SIDE, seed=0).image
        found[name] = image
        found[f"{name}, normalised"] = _normalised(image, settings, folder)
    _row(found, output)


def draw_fusion(output: Path) -> None:
    """Weights of windows that overlap by half, along a row: mean and Gaussian."""
    window, stride, length = 64, 32, 256
    gaussian = gaussian_weights(window)[window // 2]
    figure = Figure(figsize=(8, 2.4), layout="constrained")
    for axis, (title, weights) in zip(
        figure.subplots(1, 2, sharey=True), {"mean": np.ones(window), "gaussian": gaussian}.items(), strict=True
    ):
        starts = range(0, length - window + 1, stride)
        total = np.zeros(length)
        for start in starts:
            total[start : start + window] += weights
        for start in starts:
            axis.plot(np.arange(start, start + window), weights / total[start : start + window], linewidth=1)
        axis.set(title=title, xlabel="column", ylim=(0, 1.05))
    figure.axes[0].set_ylabel("share of a window")
    figure.savefig(output, dpi=110)


def draw_quotas(output: Path) -> None:
    """Patches of each class for several values of β."""
    frequency, betas = {"MA": 900, "HE": 300, "EX": 600, "SE": 20}, (0.0, 0.5, 1.0, 1.5)
    figure = Figure(figsize=(8, 2.4), layout="constrained")
    for axis, beta in zip(figure.subplots(1, len(betas), sharey=True), betas, strict=True):
        quotas = class_quotas(frequency, total=1000, beta=beta)
        axis.bar(list(quotas), list(quotas.values()), color=[COLOURS[code] for code in quotas])
        axis.set_title(f"β = {beta:g}")
    figure.axes[0].set_ylabel("patches of 1000")
    figure.savefig(output, dpi=110)


def draw_all(output: Path) -> None:
    """All pictures, written to a folder."""
    output.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        draw_fundus(output / "fundus_chain.png", folder=Path(folder))
        draw_stains(output / "stains.png", folder=Path(folder))
    draw_fusion(output / "fusion.png")
    draw_quotas(output / "quotas.png")
