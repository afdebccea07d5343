"""Spread of the colours of centres before and after normalisation, and kept structure, on real images and phantoms."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from skimage.color import rgb2lab
from skimage.metrics import structural_similarity

from benchmarks.normalized import ours
from benchmarks.normalized.peers import TRANSFORMERS, Image, Transformer
from benchmarks.normalized.phantoms import LABORATORIES, STRENGTHS, for_spread, known
from pipeline.geometry import Box
from pipeline.normalized.stain.tissue import tissue_mask
from pipeline.raw.formats.reader import open_picture

__all__ = ["data_folder", "section", "target_image"]

SPECIMENS = 4


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """An image and where its tissue is."""

    image: Image
    tissue: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Look:
    """What an image looks like over its tissue."""

    lab: NDArray[np.float64]
    """Medians of L*, a*, b*."""
    intensity: float
    """Median of the mean of red, green and blue, in parts of its 95th percentile."""
    kept: float
    """SSIM of the lightness to that of the original."""


def data_folder() -> Path:
    """The folder of real images, which may be absent."""
    return Path(os.environ.get("LESIONMAP_DATA", Path(__file__).parents[3] / "shared" / "data"))  # noqa: TID251


def target_image() -> Image:
    """The look to reach: TIAToolbox's usual target, or a phantom of centre A where it is absent."""
    path = data_folder() / "he" / "tiatoolbox_target.png"
    return _read(path) if path.is_file() else known(100, "A", strength=1.0).image


def _read(path: Path) -> Image:
    with open_picture(path) as source:
        height, width = source.levels[0]
        return np.ascontiguousarray(np.asarray(source.read(Box.of_shape(height, width)), np.uint8))


def _real() -> list[Case]:
    folder = data_folder()
    images = [_read(path) for path in (*sorted(folder.glob("he/*.png")), *sorted(folder.glob("wsi/*.svs")))]
    # Tissue as the stage finds it is found on thumbnails; these images are small enough as they are.
    return [Case(image, tissue_mask(image)) for image in images]


def _lightness(image: Image) -> NDArray[np.float32]:
    return np.asarray(cv2.cvtColor(image.astype(np.float32) / np.float32(255), cv2.COLOR_RGB2LAB)[:, :, 0])


def _look(case: Case, after: Image) -> Look:
    colours = after[case.tissue]
    mean = colours.mean(axis=1)
    lab = np.median(np.asarray(rgb2lab(colours[None]))[0], axis=0)
    kept = structural_similarity(_lightness(case.image), _lightness(after), data_range=100)
    return Look(lab, float(np.median(mean) / np.percentile(mean, 95)), float(kept))


def _ours(method: str, target: Image) -> Transformer:
    config = ours.settings(method)
    aim = ours.estimated(target, config)

    def transform(image: Image) -> Image:
        mapped = ours.mapped(image, ours.estimated(image, config), aim, config)
        return np.ascontiguousarray(np.moveaxis(mapped, 0, 2))

    return transform


def methods() -> dict[str, Callable[[Image], Transformer]]:
    """Makers of what brings an image to the look of a target, by name."""
    own = {f"ours, {name.capitalize()}": (lambda target, name=name: _ours(name, target)) for name in ours.METHODS}
    return {"none": lambda _: lambda image: image, **own, **TRANSFORMERS}


def _row(name: str, groups: Sequence[Sequence[Look]]) -> str:
    # The spread within each group, then the mean over groups.
    lab = np.mean([np.std([look.lab for look in group], axis=0) for group in groups], axis=0)
    total = np.mean([np.sqrt(np.var([look.lab for look in group], axis=0).sum()) for group in groups])
    intensity = np.mean([np.std([look.intensity for look in group]) for group in groups])
    kept = [look.kept for group in groups for look in group]
    cells = [f"{value:.2f}" for value in lab] + [f"**{total:.2f}**", f"{intensity:.4f}"]
    cells += [f"{np.mean(kept):.3f} / {min(kept):.3f}"]
    return f"| {name} | {' | '.join(cells)} |"


def _table(groups: Sequence[Sequence[Case]], target: Image) -> list[str]:
    rows = ["| method | L* | a* | b* | together | NMI | SSIM, mean / worst |", "|---|---|---|---|---|---|---|"]
    for name, make in methods().items():
        try:
            transform = make(target)
            looks = [[_look(case, transform(case.image)) for case in group] for group in groups]
            rows.append(_row(name, looks))
        except ImportError:
            rows.append(f"| {name} | absent | | | | | |")
        except Exception as problem:  # noqa: BLE001 - whatever a peer raises is its failure
            rows.append(f"| {name} | raised {type(problem).__name__} | | | | | |")
        print(rows[-1])
    return rows


def section() -> str:
    """The Markdown section."""
    target, real = target_image(), _real()
    phantoms = [[Case(each.image, each.tissue) for each in for_spread(number)] for number in range(SPECIMENS)]
    head = (
        "Standard deviation over images of the median tissue colour in L*, a*, b*, and all three together (root of the sum "
        "of variances); NMI: standard deviation of the median of mean RGB over tissue in parts of its 95th percentile; "
        "SSIM of the lightness to that before. All methods go to the same target image (tiatoolbox_target.png, a phantom "
        "of centre A where it is absent); tissue is that of the original. A colour spread near 0 alone is no merit: "
        "Reinhard's method forces the means of any images onto each other."
    )
    parts = [head, ""]
    if real:
        parts += [
            f"{len(real)} real H&E images of different tissue, one of them the target:",
            "",
            *_table([real], target),
            "",
        ]
    else:
        parts += ["Real H&E images: absent.", ""]
    strengths = ", ".join(f"{each:g}" for each in STRENGTHS)
    parts.append(
        f"{SPECIMENS} pieces of tissue, each as {len(LABORATORIES)} laboratories show it at strengths {strengths}; spread "
        "within a piece, so what remains is the method's:"
    )
    return "\n".join([*parts, "", *_table(phantoms, target)])
