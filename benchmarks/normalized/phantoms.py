"""Phantoms of H&E images with known stains: the same pieces of tissue, as six laboratories would stain and scan them."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.raw.phantom.histology import CENTRES, NOISE, Laboratory, compose, concentrations
from pipeline.seeds import stream

SIZE, SEED = 800, 3
JPEG_QUALITY = 80


def _unit(red: float, green: float, blue: float) -> tuple[float, float, float]:
    norm = (red * red + green * green + blue * blue) ** 0.5
    return red / norm, green / norm, blue / norm


LABORATORIES = {
    **CENTRES,
    # Ruifrok and Johnston 2001, as in scikit-image; QuPath's default; a bluer haematoxylin with a redder eosin.
    "Ruifrok": Laboratory((_unit(0.65, 0.70, 0.29), _unit(0.07, 0.99, 0.11)), (1.0, 1.0), (245.0, 245.0, 245.0)),
    "QuPath": Laboratory((_unit(0.651, 0.701, 0.290), _unit(0.216, 0.801, 0.558)), (1.0, 1.0), (239.0, 238.0, 242.0)),
    "blue": Laboratory((_unit(0.74, 0.61, 0.27), _unit(0.10, 0.90, 0.40)), (1.0, 1.0), (252.0, 250.0, 245.0)),
}
"""The three centres of the phantoms, and three more."""

STRENGTHS = (0.5, 1.0, 2.0)


@dataclass(frozen=True, slots=True, eq=False)
class Known:
    """An image and the truth about it."""

    image: NDArray[np.uint8]
    amounts: NDArray[np.float32]
    """``(2, y, x)``: what the image was composed of."""
    laboratory: str
    strength: float
    jpeg: bool

    @property
    def basis(self) -> NDArray[np.float64]:
        """Unit vectors ``(2, 3)`` of haematoxylin and eosin."""
        return np.asarray(LABORATORIES[self.laboratory].basis)

    @property
    def tissue(self) -> NDArray[np.bool_]:
        """Where there is stain: above a tenth of the 99th percentile."""
        total = self.amounts.sum(axis=0)
        return np.asarray(total > 0.1 * np.percentile(total, 99))


@cache
def _amounts(number: int) -> NDArray[np.float32]:
    return concentrations(number, size=SIZE, seed=SEED)


def known(number: int, laboratory: str, *, strength: float, jpeg: bool = False) -> Known:
    """A piece of tissue as that laboratory shows it, with the noise of a camera."""
    amounts = _amounts(number) * np.float32(strength)
    noise = stream(SEED, "benchmark", "noise", number, laboratory).standard_normal((SIZE, SIZE, 3), dtype=np.float32)
    grey = compose(amounts, LABORATORIES[laboratory]) + np.float32(NOISE) * noise
    image = np.clip(np.rint(grey), 0, 255).astype(np.uint8)
    if jpeg:
        coded = cv2.imencode(".jpg", image[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])[1]
        image = np.ascontiguousarray(np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR), np.uint8)[:, :, ::-1])
    return Known(image, amounts, laboratory, strength, jpeg)


def for_quality() -> Iterator[Known]:
    """24 images: six laboratories, three strengths each, and each once more through JPEG."""
    for at, laboratory in enumerate(LABORATORIES):
        for step, strength in enumerate(STRENGTHS):
            yield known(4 * at + step, laboratory, strength=strength)
        yield known(4 * at + 3, laboratory, strength=STRENGTHS[at % 3], jpeg=True)


def for_spread(number: int) -> list[Known]:
    """The same piece of tissue from six laboratories, stained weakly, normally and strongly."""
    return [known(number, name, strength=STRENGTHS[at % 3]) for at, name in enumerate(LABORATORIES)]
