"""Quality checks of estimated stains: each lists reasons not to trust them, in words for the report.

Limits for images other than H&E were set on real H&E images (whole, cropped, faded, compressed, under warm and cool
light) and on fundus photographs, H-DAB, images with red and blue swapped, and pen strokes. `docs/quality_flags.md` has
the values.
"""

import numpy as np
from numpy.typing import NDArray

from pipeline.arrays.optical_density import Background, optical_density
from pipeline.config import Stain
from pipeline.normalized.stain.basis import REFERENCE_BASIS, STAINS, LabStatistics, angle
from pipeline.normalized.stain.colour_table import ColourTable, percentile
from pipeline.normalized.stain.record import NO_H_AND_E, RED_INK

__all__ = [
    "check_brown",
    "check_contrast",
    "check_ink",
    "check_order",
    "check_strength",
    "check_tissue",
    "check_vector",
]

_LEAST_CONTRAST = 1.0
_MOST_BLUE = 1.0
_LEAST_TURN = -0.05
# Red ink: ratio of the eosin maximum to the 90th percentile of the tissue, and of the density of blue to that of red.
_MOST_TAIL = 2.0
_SHARE_OF_HAEMATOXYLIN = 0.25
_INK_BLUE = 1.2


def check_tissue(pixels: int, *, dense: int, settings: Stain) -> list[str]:
    """Quality check of the tissue: too little of it, or so pale that too few pixels show a colour."""
    if pixels < settings.least_tissue:
        return [f"too little tissue: {pixels} pixels, {settings.least_tissue} are needed"]
    if dense < settings.least_tissue:
        need = f"{settings.least_tissue} are needed"
        return [f"too little stained tissue: {dense} pixels of optical density {settings.least_density:g}, {need}"]
    return []


def check_vector(matrix: NDArray[np.float64] | None, *, settings: Stain) -> list[str]:
    """Quality check of the stain vectors ``(2, 3)``: none, nearly parallel, far from their reference, or brown."""
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
    return found + check_brown(matrix)


def check_brown(matrix: NDArray[np.float64]) -> list[str]:
    """Quality check of the stain vectors ``(2, 3)``: one absorbs blue like DAB or the retina, unlike H&E."""
    ratios = [float(row[2]) / max(float(row[1]), 1e-9) for row in matrix]
    allowed = f"{_MOST_BLUE:g} is allowed"
    return [
        f"{NO_H_AND_E}: {stain} absorbs {ratio:.2f} times as much blue as green, {allowed}; DAB or a photograph?"
        for stain, ratio in zip(STAINS, ratios, strict=True)
        if ratio > _MOST_BLUE
    ]


def check_order(table: ColourTable, *, background: Background) -> list[str]:
    """Quality check of the channels: dense tissue is nuclei, and haematoxylin absorbs more red than blue.

    From the middle of the tissue by optical density (20 % to 60 %) to its dense part (90 % to 98 %) the direction turns
    from blue towards red. If it turns the other way, red and blue are swapped, or the stain is another one.
    """
    density = optical_density(table.colours, i0=background).astype(np.float64)
    length = np.einsum("ij,ij->i", density, density)
    low, high, dense, top = (percentile(length, table.counts, q) for q in (20, 60, 90, 98))
    between, above = ((length >= low) & (length <= high)), ((length >= dense) & (length <= top))
    middle, densest = (_direction(density[each], table.counts[each]) for each in (between, above))
    turn = float((densest - middle) @ (1, 0, -1))
    problem = f"{NO_H_AND_E}: dense tissue absorbs blue rather than red: {turn:.2f}, {_LEAST_TURN:g} is needed"
    return [f"{problem}; red and blue swapped?"] if turn < _LEAST_TURN else []


def check_ink(amounts: NDArray[np.float32], table: ColourTable, *, background: Background) -> list[str]:
    """Quality check of the eosin maximum: red ink in the tissue, which raises it.

    Parameters
    ----------
    amounts
        ``(2, n)``, concentrations of the colours of the table.
    table
        Colours of the tissue.
    background
        Light through bare glass.

    Returns
    -------
    list
        A flag under two conditions: the 99th percentile of eosin exceeds twice the 90th, or twice a quarter of the 99th
        percentile of haematoxylin if that is more; and colours above its 98th percentile absorb a fifth more blue than
        red. Blood is as red but does not stand out as far.
    """
    eosin, counts = amounts[1].astype(np.float64), table.counts
    most, usual = (percentile(eosin, counts, q) for q in (99, 90))
    if most <= _MOST_TAIL * usual:
        return []
    usual = max(usual, _SHARE_OF_HAEMATOXYLIN * percentile(amounts[0].astype(np.float64), counts, 99), 1e-9)
    highest = eosin >= percentile(eosin, counts, 98)
    density = optical_density(table.colours[highest], i0=background).astype(np.float64)
    red, _, blue = _direction(density, counts[highest])
    if most <= _MOST_TAIL * usual or blue <= _INK_BLUE * red:
        return []
    tail = f"its maximum is {most / usual:.1f} times that of most tissue, {_MOST_TAIL:g} is allowed"
    return [f"{RED_INK} or the like counts as eosin: {tail}"]


def _direction(density: NDArray[np.float64], counts: NDArray[np.int64]) -> NDArray[np.float64]:
    total = counts @ density
    return np.asarray(total / max(float(np.linalg.norm(total)), np.finfo(np.float64).tiny))


def check_strength(maxima: NDArray[np.float64], *, settings: Stain) -> list[str]:
    """Quality check of the stain strength: stains whose high concentrations ``(2,)`` are low."""
    weak = [at for at in range(2) if maxima[at] < settings.least_strength]
    single = "single stain: " if len(weak) == 1 else ""
    need = f"{settings.least_strength:g} is needed"
    return [f"{single}{STAINS[at]} is weak: {maxima[at]:.3f}, {need}" for at in weak]


def check_contrast(moments: LabStatistics) -> list[str]:
    """Quality check of the contrast: tissue of one colour, whose spread cannot be matched to another."""
    lightness = moments.deviation[0]
    need = f"{_LEAST_CONTRAST:g} is needed"
    return [f"no contrast: L* varies by {lightness:.2f}, {need}"] if lightness < _LEAST_CONTRAST else []
