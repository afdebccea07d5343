"""Random changes of a training patch, applied one by one in the order of the configuration.

Geometric changes move image and target together: a larger or smaller box is read (scale), turned by quarters and
flipped, which neither loses nor invents a pixel. Colour changes affect only the image. All random numbers of a patch
come from one stream.

References
----------
D. Tellez et al., "Whole-slide mitosis detection in H&E breast histology using PHH3 as a reference to train distilled
stain-invariant convolutional networks", IEEE TMI 37(9), 2018 (stain augmentation in concentrations).
"""

import math
from collections.abc import Callable, Sequence
from typing import Any, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.config.augmentation import (
    Blur,
    BrightnessContrast,
    Change,
    Flips,
    Gamma,
    HueSaturation,
    LowResolution,
    Noise,
    Scale,
    StainChange,
    Tint,
    Turns,
)
from pipeline.normalized.stain.basis import REFERENCE_BASIS

__all__ = ["Changes"]

Image = NDArray[np.uint8]
Random = np.random.Generator
GREY = np.arange(256, dtype=np.float64)
MIDDLE = 128
"""Middle grey, the value of a uniform area after difference enhancement."""
YIQ = np.array([[0.299, 0.587, 0.114], [0.5959, -0.2746, -0.3213], [0.2115, -0.5227, 0.3112]])
"""Luma and two axes of colour (NTSC) from red, green and blue."""
DENSITY = -np.log(np.maximum(GREY, 1) / 255).astype(np.float32)
"""Optical density of each grey value."""


class Changes:
    """Random changes of a patch, in a fixed order."""

    def __init__(self, changes: Sequence[Change]) -> None:
        self._scale = next((each for each in changes if isinstance(each, Scale)), None)
        self._changes = [each for each in changes if not isinstance(each, Scale)]

    @property
    def scales(self) -> bool:
        """Scaling: whether boxes of other sizes than the patch are read."""
        return self._scale is not None

    def scale(self, random: Random) -> float:
        """Side of the box to read, relative to the side of the patch; the first number drawn."""
        if self._scale is None or random.random() >= self._scale.probability:
            return 1.0
        return _log_uniform(random, self._scale.range)

    def change(self, image: Image, target: Image, random: Random) -> tuple[Image, Image]:
        """Image ``(3, side, side)`` and target ``(…, side, side)``, changed; new arrays of the same shapes."""
        for each in self._changes:
            if isinstance(each, Turns | Flips):
                image, target = _moved(image, target, each, random)
            elif random.random() < each.probability:
                image = COLOURS[type(each)](image, each, random)
        return np.ascontiguousarray(image), np.ascontiguousarray(target)


def _log_uniform(random: Random, ends: Sequence[float]) -> float:
    return math.exp(random.uniform(math.log(ends[0]), math.log(ends[1])))


def _moved(image: Image, target: Image, settings: Turns | Flips, random: Random) -> tuple[Image, Image]:
    if isinstance(settings, Turns):
        turns = int(random.integers(4)) if random.random() < settings.probability else 0
        return np.rot90(image, turns, axes=(-2, -1)), np.rot90(target, turns, axes=(-2, -1))
    axes = tuple(axis for axis in (-2, -1) if random.random() < settings.probability)
    return np.flip(image, axes), np.flip(target, axes)


def _bytes(values: NDArray[Any]) -> Image:
    rounded: Image = np.clip(np.rint(values), 0, 255).astype(np.uint8)
    return rounded


def _by_table(image: Image, table: NDArray[Any]) -> Image:
    planes = np.ascontiguousarray(image).reshape(-1, image.shape[-1])
    return cast("Image", cv2.LUT(planes, _bytes(table))).reshape(image.shape)


def _gamma(image: Image, settings: Gamma, random: Random) -> Image:
    return _by_table(image, 255 * (GREY / 255) ** _log_uniform(random, settings.range))


def _brightness_contrast(image: Image, settings: BrightnessContrast, random: Random) -> Image:
    gain = 1 + random.uniform(-settings.contrast, settings.contrast)
    shift = 255 * random.uniform(-settings.brightness, settings.brightness)
    return _by_table(image, (GREY - MIDDLE) * gain + MIDDLE + shift)


def _tint(image: Image, settings: Tint, random: Random) -> Image:
    shifts = 255 * random.uniform(-settings.most, settings.most, len(image))
    return np.stack([_by_table(plane, GREY + shift) for plane, shift in zip(image, shifts, strict=True)])


def _mixed(planes: NDArray[np.float32], matrix: NDArray[np.float64]) -> NDArray[np.float32]:
    flat = matrix.astype(np.float32) @ planes.reshape(len(planes), -1)
    return flat.reshape(planes.shape)


def _hue_saturation(image: Image, settings: HueSaturation, random: Random) -> Image:
    turn = math.radians(random.uniform(-settings.hue, settings.hue))
    factor = 1 + random.uniform(-settings.saturation, settings.saturation)
    cosine, sine = factor * math.cos(turn), factor * math.sin(turn)
    turned = np.array([[1, 0, 0], [0, cosine, -sine], [0, sine, cosine]])
    return _bytes(_mixed(image.astype(np.float32), np.linalg.inv(YIQ) @ turned @ YIQ))


def _stain(image: Image, settings: StainChange, random: Random) -> Image:
    # The third axis, which neither stain explains, stays unchanged.
    stains = np.asarray(REFERENCE_BASIS.matrix, np.float64)
    residual = np.cross(stains[0], stains[1])
    basis = np.vstack([stains, residual / np.linalg.norm(residual)])
    factors = np.append(1 + random.uniform(-settings.factor, settings.factor, 2), 1.0)
    shifts = random.uniform(-settings.shift, settings.shift, 2) * REFERENCE_BASIS.maxima
    planes = np.ascontiguousarray(image).reshape(-1, image.shape[-1])
    density = cv2.LUT(planes, DENSITY).reshape(image.shape)
    changed = _mixed(density, basis.T @ np.diag(factors) @ np.linalg.inv(basis.T))
    changed += (stains.T @ shifts).astype(np.float32)[:, None, None]
    return _bytes(255 * np.exp(-changed))


def _blur(image: Image, settings: Blur, random: Random) -> Image:
    sigma = random.uniform(*settings.sigma)
    return np.stack([cv2.GaussianBlur(np.ascontiguousarray(plane), (0, 0), sigma) for plane in image])


def _low_resolution(image: Image, settings: LowResolution, random: Random) -> Image:
    height, width = image.shape[-2:]
    factor = random.uniform(settings.least, 1)
    small = max(1, round(width * factor)), max(1, round(height * factor))
    planes = [cv2.resize(np.ascontiguousarray(plane), small, interpolation=cv2.INTER_AREA) for plane in image]
    return np.stack([cv2.resize(plane, (width, height), interpolation=cv2.INTER_LINEAR) for plane in planes])


def _noise(image: Image, settings: Noise, random: Random) -> Image:
    deviation = np.float32(255 * random.uniform(0, settings.most))
    return _bytes(image + deviation * random.standard_normal(image.shape, dtype=np.float32))


COLOURS: dict[type[Change], Callable[[Image, Any, Random], Image]] = {
    Gamma: _gamma,
    BrightnessContrast: _brightness_contrast,
    Tint: _tint,
    HueSaturation: _hue_saturation,
    StainChange: _stain,
    Blur: _blur,
    LowResolution: _low_resolution,
    Noise: _noise,
}
"""Change that affects only the image → its function of image, settings and random numbers."""
