"""Stain estimation and normalisation by the configured method: `estimate` once over a slide, `normalise` every block.

`estimate` never fails and never gives an invalid vector. It reports faults of a slide as flags and continues with the
configured fallback. `normalise` is pure and works pixel by pixel, so blocks give the same result as the whole.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from pipeline.arrays.optical_density import NO_BACKGROUND, Background, optical_density
from pipeline.config import Stain
from pipeline.errors import ConfigurationError
from pipeline.normalized.stain.basis import REFERENCE_BASIS, LabStatistics, StainBasis, angle, unit_rows
from pipeline.normalized.stain.checks import (
    check_brown,
    check_contrast,
    check_ink,
    check_order,
    check_strength,
    check_tissue,
    check_vector,
)
from pipeline.normalized.stain.colour_table import ColourTable, percentile
from pipeline.normalized.stain.concentrations import concentrations
from pipeline.normalized.stain.macenko import macenko_basis
from pipeline.normalized.stain.record import REFERENCE, Estimate, Used
from pipeline.normalized.stain.reinhard import lab_statistics, transfer_lab
from pipeline.normalized.stain.transfer import check_block, transfer
from pipeline.normalized.stain.vahadane import vahadane_basis

__all__ = [
    "block_concentrations",
    "estimate",
    "median_target",
    "normalise",
]

Vectors: TypeAlias = NDArray[np.float64]


def estimate(table: ColourTable, sample: NDArray[np.uint8], *, background: Background, settings: Stain) -> Estimate:
    """Stain estimate of a slide, after its quality checks.

    Parameters
    ----------
    table
        Colours of all its tissue pixels; may be empty.
    sample
        ``(n, 3)``, tissue pixels in random order, from which Vahadane's dictionary is learned.
    background
        Light through bare glass.
    settings
        Method, parameters, thresholds and fallback.

    Returns
    -------
    Estimate
        The estimate to use, and flags: too little tissue, a weak stain, vectors nearly parallel or far from their
        reference, colours unlike H&E. Red ink is only flagged; the stains are still used. If the fallback ``macenko``
        fails too, the reference vectors are used. With ``keep``, and always with Reinhard's method, an image that fails
        the checks is left unchanged.
    """
    if settings.method == "none":
        return Estimate("none", "none", background, tissue_pixels=table.pixels)
    slide = _Slide(table, sample, background, settings)
    return slide.by_moments() if settings.method == "reinhard" else slide.by_vectors()


def normalise(block: NDArray[np.uint8], *, estimate: Estimate, target: Estimate, settings: Stain) -> NDArray[np.uint8]:
    """Stain-normalised block, with its colours matched to the target.

    Parameters
    ----------
    block
        ``(y, x, 3)``.
    estimate
        Of the slide that the block belongs to.
    target
        The target. Its background does not matter: glass becomes white.
    settings
        The settings that both were made with.

    Returns
    -------
    NDArray
        ``(3, y, x)``, independent of how the slide is cut.

    Raises
    ------
    ConfigurationError
        The target lacks the numbers that the method needs.
    GeometryError
        A block of another shape or type.
    """
    if estimate.used == "none":
        check_block(block, where="normalized.stain.method.normalise")
        return np.ascontiguousarray(np.moveaxis(block, 2, 0))
    basis, statistics, most = target.basis, target.statistics, settings.most_gain
    if estimate.used == "reinhard" and estimate.statistics and statistics:
        own, light = estimate.statistics, estimate.background
        return transfer_lab(block, source=own, target=statistics, most_gain=most, background=light)
    if estimate.used != "reinhard" and estimate.basis and basis:
        return transfer(block, source=estimate.basis, target=basis, sparsity=_sparsity(settings), most_gain=most)
    raise ConfigurationError(
        "The target does not serve the method.",
        where="normalized.stain.method.normalise",
        found=f"a target by {target.method}",
        expected=f"the numbers that {estimate.used} needs",
        remedy="Choose a target that was estimated by the same method, or the reference.",
    )


def block_concentrations(block: NDArray[np.uint8], *, estimate: Estimate, settings: Stain) -> NDArray[np.float16]:
    """Stain concentrations (haematoxylin, eosin) of a block, before any scaling.

    Parameters
    ----------
    block
        ``(y, x, 3)``.
    estimate
        Of the slide that the block belongs to.
    settings
        The settings that it was made with.

    Returns
    -------
    NDArray
        ``(2, y, x)``, at least 0.

    Raises
    ------
    ConfigurationError
        An estimate without stain vectors.
    """
    if estimate.basis is None:
        raise ConfigurationError(
            "There are no stains to take apart.",
            where="normalized.stain.method.block_concentrations",
            found=f"an estimate by {estimate.used}",
            expected="one with stain vectors",
            remedy="Use the method vahadane or macenko.",
        )
    return concentrations(block, basis=estimate.basis, sparsity=_sparsity(settings)).astype(np.float16)


def median_target(estimates: Iterable[Estimate]) -> Estimate:
    """Median stain target: the median of each number over the estimates without flags.

    Returns
    -------
    Estimate
        The vectors, rescaled to unit length; `REFERENCE` if every estimate has flags.
    """
    trusted = [each for each in estimates if not each.flags and each.used != "none"]
    if not trusted:
        return REFERENCE
    bases = [each.basis for each in trusted if each.basis]
    moments = [each.statistics for each in trusted if each.statistics]
    basis, moment = (_median_basis(bases) if bases else None), (_median_moments(moments) if moments else None)
    return Estimate(
        method="median",
        used=trusted[0].used,
        background=NO_BACKGROUND,
        matrix=basis.matrix if basis else None,
        maxima=basis.maxima if basis else None,
        mean=moment.mean if moment else None,
        deviation=moment.deviation if moment else None,
        tissue_pixels=sum(each.tissue_pixels for each in trusted),
        sample_pixels=sum(each.sample_pixels for each in trusted),
    )


@dataclass(frozen=True, slots=True)
class _Slide:
    """Colours and sample of a slide whose stains are to be estimated."""

    table: ColourTable
    sample: NDArray[np.uint8]
    background: Background
    settings: Stain

    def by_vectors(self) -> Estimate:
        table, settings = self.table, self.settings
        dense = int(table.counts[self._dense(table.colours)].sum())
        flags = check_tissue(table.pixels, dense=dense, settings=settings)
        candidates = () if flags else self._candidates(dense)
        foreign = [] if flags else check_order(table, background=self.background)
        flags += foreign
        for used, matrix, pixels in candidates:
            problems = check_vector(matrix, settings=settings)
            if matrix is not None and not problems and not foreign:
                amounts = self._amounts(matrix)
                maxima = self._maxima(amounts)
                problems = check_strength(maxima, settings=settings)
                if not problems:
                    flags += check_ink(amounts, table, background=self.background)
                    return self._with_basis(used, matrix, maxima, pixels=pixels, flags=flags)
            flags += [f"{used}: {problem}" for problem in problems]
        if settings.fallback == "keep":
            return Estimate(settings.method, "none", self.background, tissue_pixels=table.pixels, flags=tuple(flags))
        matrix = np.asarray(REFERENCE_BASIS.matrix)
        maxima = self._maxima(self._amounts(matrix))
        flags += [f"reference: {problem}" for problem in check_strength(maxima, settings=settings)]
        return self._with_basis("reference", matrix, maxima, pixels=0, flags=flags)

    def by_moments(self) -> Estimate:
        table, settings = self.table, self.settings
        flags = check_tissue(table.pixels, dense=table.pixels, settings=settings)
        flags = flags or check_order(table, background=self.background)
        matrix = None if flags else self._macenko()
        flags += [] if matrix is None else check_brown(matrix)
        moments = None if flags else lab_statistics(table, background=self.background)
        flags += check_contrast(moments) if moments else []
        if moments is None or flags:
            return Estimate(settings.method, "none", self.background, tissue_pixels=table.pixels, flags=tuple(flags))
        return Estimate(
            settings.method,
            "reinhard",
            self.background,
            mean=moments.mean,
            deviation=moments.deviation,
            tissue_pixels=table.pixels,
            sample_pixels=table.pixels,
            flags=tuple(self._ink(matrix)),
        )

    def _ink(self, matrix: Vectors | None) -> list[str]:
        if matrix is None or angle(matrix[0], matrix[1]) < self.settings.least_angle:
            return []
        return check_ink(self._amounts(matrix), self.table, background=self.background)

    def _macenko(self) -> Vectors | None:
        least, extreme = self.settings.least_density, self.settings.extreme_angle
        return macenko_basis(self.table, background=self.background, least_density=least, extreme_angle=extreme)

    def _candidates(self, dense: int) -> Iterator[tuple[Used, Vectors | None, int]]:
        settings, background = self.settings, self.background
        if settings.method == "vahadane":
            colours = self.sample[self._dense(self.sample)]
            learned = vahadane_basis(
                colours, background=background, sparsity=settings.dictionary_sparsity, iterations=settings.iterations
            )
            yield "vahadane", learned, colours.shape[0]
        if "macenko" in (settings.method, settings.fallback):
            yield "macenko", self._macenko(), dense

    def _dense(self, colours: NDArray[np.uint8]) -> NDArray[np.bool_]:
        density = optical_density(colours, i0=self.background)
        return np.asarray((density * density).sum(axis=1) > self.settings.least_density**2)

    def _amounts(self, matrix: Vectors) -> NDArray[np.float32]:
        basis = StainBasis.of(matrix, np.zeros(2), self.background)
        return concentrations(self.table.colours, basis=basis, sparsity=_sparsity(self.settings))

    def _maxima(self, amounts: NDArray[np.float32]) -> Vectors:
        if self.table.pixels == 0:
            return np.asarray(REFERENCE_BASIS.maxima)
        counts, q = self.table.counts, self.settings.percentile
        return np.array([percentile(amount.astype(np.float64), counts, q) for amount in amounts])

    def _with_basis(self, used: Used, matrix: Vectors, maxima: Vectors, *, pixels: int, flags: list[str]) -> Estimate:
        basis, tissue = StainBasis.of(matrix, maxima, self.background), self.table.pixels
        return Estimate(
            self.settings.method,
            used,
            self.background,
            basis.matrix,
            basis.maxima,
            tissue_pixels=tissue,
            sample_pixels=pixels,
            flags=tuple(flags),
        )


def _sparsity(settings: Stain) -> float:
    # Macenko's concentrations are plain least squares; without negative ones here.
    return 0.0 if settings.method == "macenko" else settings.sparsity


def _median_basis(bases: list[StainBasis]) -> StainBasis:
    rows = unit_rows(np.median([each.matrix for each in bases], axis=0))
    assert rows is not None, "medians of unit vectors without negative entries have a direction"
    return StainBasis.of(rows, np.median([each.maxima for each in bases], axis=0))


def _median_moments(moments: list[LabStatistics]) -> LabStatistics:
    mean, deviation = (np.median([getattr(each, name) for each in moments], axis=0) for name in ("mean", "deviation"))
    return LabStatistics(tuple(mean.tolist()), tuple(deviation.tolist()))
