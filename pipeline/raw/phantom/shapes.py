"""Record of a phantom, and the shapes that it is painted with: blobs, streaks and smooth noise.

A shape is an opacity map (a stamp). Picture and mask both come from the same stamp, so a mask is exact by construction:
a pixel belongs to it where the painted opacity is at least ``MASK_OPACITY``.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["MASK_OPACITY", "Floats", "Phantom", "Stamp", "blob", "smooth_noise", "soft_step", "streak"]

Floats = NDArray[np.float32]

MASK_OPACITY = 0.5
"""A pixel belongs to a mask where its painted opacity reaches this value."""


@dataclass(frozen=True, slots=True)
class Phantom:
    """Synthetic image with its truth."""

    image: NDArray[np.uint8]
    """``(y, x, 3)`` RGB."""
    masks: dict[str, NDArray[np.bool_]]
    """Class code -> ``(y, x)``; all false for a class that this image does not hold. Masks may overlap."""
    group: str
    """The patient; some images share one."""
    centre: str
    """Where the image was taken: it decides camera or stains."""
    facts: dict[str, object]
    """What is known beyond the masks, ready for JSON."""


@dataclass(frozen=True, slots=True)
class Stamp:
    """Opacity map and its place in an image, already cut at the image border."""

    opacity: Floats
    """``(y, x)`` from 0 to 1."""
    y0: int
    """First row in the image."""
    x0: int
    """First column in the image."""

    @property
    def slices(self) -> tuple[slice, slice]:
        """Index of the place into an image ``(y, x)``."""
        height, width = self.opacity.shape
        return slice(self.y0, self.y0 + height), slice(self.x0, self.x0 + width)


def soft_step(signed: Floats, softness: float) -> Floats:
    """Opacity of a signed distance (positive inside): 0.5 on the border, linear over ``softness`` pixels."""
    return np.asarray(np.clip(signed / np.float32(softness) + np.float32(0.5), 0, 1), dtype=np.float32)


def smooth_noise(rng: np.random.Generator, shape: tuple[int, int], wavelength: float) -> Floats:
    """Random field ``shape`` of mean about 0 and deviation about 0.7, without detail below ``wavelength`` pixels."""
    step = max(float(wavelength), 1.0)
    rows, columns = (int(np.ceil(length / step)) + 2 for length in shape)
    grid = rng.standard_normal((rows, columns), dtype=np.float32)
    # resize, not warpAffine: the latter rounds coordinates to 1/32 grid cell, which shows as stairs.
    full = cv2.resize(grid, (round(columns * step), round(rows * step)), interpolation=cv2.INTER_CUBIC)
    start = int(step / 2)
    return np.ascontiguousarray(full[start : start + shape[0], start : start + shape[1]], dtype=np.float32)


def _axes(
    centre: tuple[float, float], reach: float, angle: float, shape: tuple[int, int]
) -> tuple[int, int, Floats, Floats]:
    """Origin of the box around a centre, cut at the image border, and its coordinates along and across an angle."""
    y, x = centre
    span = int(np.ceil(reach)) + 1
    y0, x0 = max(int(y) - span, 0), max(int(x) - span, 0)
    y1, x1 = max(min(int(y) + span + 1, shape[0]), y0), max(min(int(x) + span + 1, shape[1]), x0)
    rows = np.arange(y0, y1, dtype=np.float32)[:, None] - np.float32(y)
    columns = np.arange(x0, x1, dtype=np.float32)[None, :] - np.float32(x)
    cosine, sine = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    return y0, x0, columns * cosine + rows * sine, rows * cosine - columns * sine


def blob(
    rng: np.random.Generator,
    *,
    centre: tuple[float, float],
    radius: float,
    shape: tuple[int, int],
    aspect: float = 1.0,
    angle: float = 0.0,
    roughness: float = 0.1,
    softness: float = 1.5,
) -> Stamp:
    """Stamp of an irregular ellipse with a soft border.

    Parameters
    ----------
    rng
        Draws the lobes of the border.
    centre
        ``(y, x)`` in pixels.
    radius
        Geometric mean of the two half axes, in pixels.
    shape
        ``(y, x)`` of the image.
    aspect
        Long half axis by short one.
    angle
        Direction of the long axis, in radians from the x axis towards y.
    roughness
        Deviation of the border in radii.
    softness
        Width of the border in pixels.
    """
    lobes = np.arange(2, 7)
    weights = rng.normal(0, roughness, lobes.size) / (lobes - 1)
    phases = rng.uniform(0, 2 * np.pi, lobes.size)
    reach = radius * np.sqrt(aspect) * (1 + np.abs(weights).sum()) + softness
    y0, x0, along, across = _axes(centre, reach, angle, shape)
    along, across = along / np.float32(np.sqrt(aspect)), across * np.float32(np.sqrt(aspect))
    theta = np.arctan2(across, along)
    edge = np.full_like(theta, radius)
    for lobe, weight, phase in zip(lobes, weights, phases, strict=True):
        edge += np.float32(radius * weight) * np.cos(np.float32(lobe) * theta + np.float32(phase))
    return Stamp(soft_step(edge - np.hypot(along, across), softness), y0, x0)


def streak(
    rng: np.random.Generator,
    *,
    centre: tuple[float, float],
    length: float,
    width: float,
    shape: tuple[int, int],
    angle: float,
    softness: float = 1.5,
) -> Stamp:
    """Stamp of a flame: an ellipse of half axes ``length`` and ``width`` frayed into strands along ``angle``."""
    y0, x0, along, across = _axes(centre, 1.4 * length + softness, angle, shape)
    strands = rng.uniform(0.45, 1.35, 12)
    offset = np.clip((across / np.float32(width) + 1) * 5.5, 0, 11)
    local = np.interp(offset, np.arange(12), strands).astype(np.float32) * np.float32(length)
    norm = np.hypot(along / local, across / np.float32(width))
    return Stamp(soft_step((1 - norm) * np.float32(width), softness), y0, x0)
