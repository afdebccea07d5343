"""Quality checks of estimated stains: each lists what speaks against trusting them, in words for the report."""

import numpy as np
from numpy.typing import NDArray

from pipeline.config import Stain
from pipeline.normalized.stain.basis import REFERENCE_BASIS, STAINS, LabStatistics, angle

__all__ = ["check_contrast", "check_strength", "check_tissue", "check_vector"]

_LEAST_CONTRAST = 1.0


def check_tissue(pixels: int, *, dense: int, settings: Stain) -> list[str]:
    """Quality check of the tissue: too little of it, or so pale that too few of its pixels show a colour."""
    if pixels < settings.least_tissue:
        return [f"too little tissue: {pixels} pixels, {settings.least_tissue} are needed"]
    if dense < settings.least_tissue:
        need = f"{settings.least_tissue} are needed"
        return [f"too little stained tissue: {dense} pixels of optical density {settings.least_density:g}, {need}"]
    return []


def check_vector(matrix: NDArray[np.float64] | None, *, settings: Stain) -> list[str]:
    """Quality check of the stain vectors ``(2, 3)``: none at all, nearly parallel, or far from their reference."""
    if matrix is None:
        return ["no two stains were found"]
    reference, found = np.asarray(REFERENCE_BASIS.matrix), []
    between = angle(matrix[0], matrix[1])
    if between < settings.least_angle:
        found.append(f"the vectors are nearly parallel: {between:.1f}° apart, {settings.least_angle:g}° are needed")
    for at, stain in enumerate(STAINS):
        away = angle(matrix[at], reference[at])
        if away > settings.most_deviation:
            allowed = f"{settings.most_deviation:g}° are allowed"
            found.append(f"{stain} is far from its reference vector: {away:.1f}°, {allowed}")
    return found


def check_strength(maxima: NDArray[np.float64], *, settings: Stain) -> list[str]:
    """Quality check of the stain strength: stains whose high concentrations ``(2,)`` are low."""
    weak = [at for at in range(2) if maxima[at] < settings.least_strength]
    single = "single stain: " if len(weak) == 1 else ""
    need = f"{settings.least_strength:g} is needed"
    return [f"{single}{STAINS[at]} is weak: {maxima[at]:.3f}, {need}" for at in weak]


def check_contrast(moments: LabStatistics) -> list[str]:
    """Quality check of the contrast: tissue of one colour, whose spread cannot be brought to another."""
    lightness = moments.deviation[0]
    need = f"{_LEAST_CONTRAST:g} is needed"
    return [f"no contrast: L* varies by {lightness:.2f}, {need}"] if lightness < _LEAST_CONTRAST else []
