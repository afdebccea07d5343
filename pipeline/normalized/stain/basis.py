"""Stain basis and Lab statistics: the numbers of a slide needed to match its colours to those of another.

A basis holds the optical density (natural logarithm) that a unit of haematoxylin and a unit of eosin add to red, green
and blue. It also holds the amount of each in the slide, and the background light. All records are small, frozen and
checked on construction, so users need no checks.
"""

import math
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from pipeline.arrays.optical_density import NO_BACKGROUND, Background
from pipeline.errors import ConfigurationError

__all__ = [
    "REFERENCE_BASIS",
    "REFERENCE_STATISTICS",
    "STAINS",
    "LabStatistics",
    "StainBasis",
    "Vector",
    "angle",
    "gains",
    "haematoxylin_first",
    "unit_rows",
]

Vector: TypeAlias = tuple[float, float, float]
"""Red, green, blue; or L*, a*, b*."""

STAINS = ("haematoxylin", "eosin")

_NORM_TOLERANCE = 1e-6
_LEAST_ANGLE = 0.1


@dataclass(frozen=True, slots=True)
class StainBasis:
    """Stain basis of one slide: stain vectors, high concentrations, background."""

    matrix: tuple[Vector, Vector]
    """Optical density of haematoxylin and of eosin in red, green, blue: unit vectors without negative entries."""
    maxima: tuple[float, float]
    """Maximum concentrations of the two, as a high percentile over the tissue; at least 0."""
    background: Background = NO_BACKGROUND
    """Light through bare glass, above 0 and at most 255."""

    def __post_init__(self) -> None:
        rows = np.asarray(self.matrix, np.float64)
        sound = rows.shape == (2, 3) and bool(np.isfinite(rows).all()) and bool((rows >= 0).all())
        sound = sound and bool((abs(np.linalg.norm(rows, axis=1) - 1) < _NORM_TOLERANCE).all())
        if not sound or angle(rows[0], rows[1]) < _LEAST_ANGLE:
            raise _not_a_basis("matrix", self.matrix, "two unit vectors, without negative entries, not parallel")
        if len(self.maxima) != 2 or not all(math.isfinite(most) and most >= 0 for most in self.maxima):
            raise _not_a_basis("maxima", self.maxima, "two concentrations of at least 0")
        if len(self.background) != 3 or not all(0 < level <= 255 for level in self.background):
            raise _not_a_basis("background", self.background, "three grey levels above 0, at most 255")

    @classmethod
    def of(
        cls, matrix: NDArray[np.float64], maxima: NDArray[np.float64], background: Background = NO_BACKGROUND
    ) -> "StainBasis":
        """Stain basis from arrays ``(2, 3)`` and ``(2,)``."""
        rows = [(float(red), float(green), float(blue)) for red, green, blue in matrix]
        return cls((rows[0], rows[1]), (float(maxima[0]), float(maxima[1])), background)


@dataclass(frozen=True, slots=True)
class LabStatistics:
    """Mean and spread of the tissue's colours in CIE L*a*b*."""

    mean: Vector
    """Of L*, a*, b*."""
    deviation: Vector
    """Standard deviation of L*, a*, b*, at least 0."""

    def __post_init__(self) -> None:
        for name, values in (("mean", self.mean), ("deviation", self.deviation)):
            if len(values) != 3 or not all(math.isfinite(value) for value in values):
                raise _not_a_basis(name, values, "three finite numbers")
        if min(self.deviation) < 0:
            raise _not_a_basis("deviation", self.deviation, "standard deviations of at least 0")


def _not_a_basis(field: str, found: object, expected: str) -> ConfigurationError:
    return ConfigurationError(
        "The numbers describe no stain.",
        where=f"normalized.stain.basis: {field}",
        found=found,
        expected=expected,
        remedy="Estimate the slide again, or use the shipped reference.",
    )


def angle(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Angle in degrees between two vectors ``(3,)``, 0…180; exact for small angles too."""
    return math.degrees(math.atan2(float(np.linalg.norm(np.cross(one, other))), float(one @ other)))


def unit_rows(matrix: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """Unit vectors of the rows ``(2, 3)``, negative entries set to 0; None where a row has no direction."""
    positive = np.maximum(matrix, 0)
    norms = np.linalg.norm(positive, axis=1)
    if not np.isfinite(norms).all() or not (norms > 0).all():
        return None
    return np.asarray(positive / norms[:, None])


def haematoxylin_first(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """Stain vectors ``(2, 3)``, haematoxylin first: in the order with the smaller sum of angles to the reference."""
    reference = np.asarray(REFERENCE_BASIS.matrix)

    def total(rows: NDArray[np.float64]) -> float:
        return angle(rows[0], reference[0]) + angle(rows[1], reference[1])

    return np.ascontiguousarray(matrix if total(matrix) <= total(matrix[::-1]) else matrix[::-1])


def gains(source: tuple[float, ...], target: tuple[float, ...], *, most: float) -> NDArray[np.float64]:
    """Gain of each amount: the factor from the source's amount to the target's, at most ``most``."""
    wanted, present = np.asarray(target, np.float64), np.asarray(source, np.float64)
    # Below this the quotient exceeds the limit anyway, or there is nothing to multiply.
    return np.minimum(wanted / np.maximum(present, 1e-9), most)


def _unit(red: float, green: float, blue: float) -> Vector:
    norm = math.sqrt(red * red + green * green + blue * blue)
    return red / norm, green / norm, blue / norm


REFERENCE_BASIS = StainBasis((_unit(0.62, 0.71, 0.34), _unit(0.16, 0.87, 0.46)), (1.8, 1.0))
"""Reference basis: a well-stained H&E slide on white, with blue-violet nuclei and pink stroma. The numbers lie in the
middle of published ones and of those found by the methods here."""

REFERENCE_STATISTICS = LabStatistics((65.0, 27.0, -16.5), (14.5, 9.5, 8.5))
"""Colours of tissue normalised to `REFERENCE_BASIS`."""
