"""Errors of the estimated stains on phantoms: angles of the vectors, and differences of the concentrations."""

import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.normalized import ours
from benchmarks.normalized.peers import EXTRACTORS, Extractor, Image, Vectors
from benchmarks.normalized.phantoms import JPEG_QUALITY, LABORATORIES, SIZE, STRENGTHS, Known, for_quality
from pipeline.normalized.stain.basis import angle
from pipeline.normalized.stain.concentrations import concentrations

__all__ = ["section"]


@dataclass(frozen=True, slots=True)
class Score:
    """How a method did on one image; NaN where it gave nothing."""

    angles: tuple[float, float]
    """Degrees between the vectors found and the true ones: haematoxylin, eosin."""
    errors: tuple[float, float]
    """Median error of the concentrations over tissue, in parts of their true 99th percentile."""
    failures: tuple[str, ...]
    """What is wrong; nothing where the result can be used."""
    known: Known


def _ours(method: str) -> Extractor:
    config = ours.settings(method)
    sparsity = 0.0 if method == "macenko" else config.stain.sparsity

    def extract(image: Image) -> tuple[Vectors, Vectors]:
        found = ours.estimated(image, config)
        if found.basis is None or found.used != method:
            raise ValueError("; ".join(found.flags))
        amounts = concentrations(image, basis=found.basis, sparsity=sparsity)
        return np.asarray(found.matrix), amounts.astype(np.float64)

    return extract


def methods() -> dict[str, Callable[[], Extractor]]:
    """Ours and the peers', by name."""
    return {"ours, Vahadane": lambda: _ours("vahadane"), "ours, Macenko": lambda: _ours("macenko"), **EXTRACTORS}


def _swapped(matrix: Vectors, truth: Vectors) -> bool:
    def total(rows: Vectors) -> float:
        return angle(rows[0], truth[0]) + angle(rows[1], truth[1])

    return total(matrix[::-1]) < total(matrix)


def _score(extract: Extractor, known: Known) -> Score:
    nothing = float("nan"), float("nan")
    try:
        matrix, amounts = extract(known.image)
    except Exception as problem:  # noqa: BLE001 - whatever a peer raises is its failure
        return Score(nothing, nothing, (f"raised {type(problem).__name__}",), known)
    if not np.isfinite(matrix).all():
        return Score(nothing, nothing, ("not a number",), known)
    failures = ["negative entries"] if matrix.min() < -1e-6 else []
    if _swapped(matrix, known.basis):
        matrix, amounts = matrix[::-1], amounts[::-1]
        failures.append("swapped")
    tissue = known.tissue
    errors = []
    for found, true in zip(amounts, known.amounts, strict=True):
        most = np.percentile(true[tissue], 99)
        errors.append(float(np.median(np.abs(found[tissue] - true[tissue])) / most))
    angles = angle(matrix[0], known.basis[0]), angle(matrix[1], known.basis[1])
    return Score(angles, (errors[0], errors[1]), tuple(failures), known)


def _failures(scores: Sequence[Score]) -> str:
    kinds = Counter(kind for score in scores for kind in score.failures)
    images = sum(bool(score.failures) for score in scores)
    return f"{images} of {len(scores)}" + "".join(f"; {count} {kind}" for kind, count in sorted(kinds.items()))


def _row(name: str, scores: Sequence[Score]) -> str:
    angles, errors = (np.array([getattr(score, field) for score in scores]) for field in ("angles", "errors"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a method without one result
        cells = [f"{np.nanmean(angles[:, at]):.1f} / {np.nanmax(angles[:, at]):.1f}" for at in (0, 1)]
        cells += [f"{np.nanmean(errors[:, at]):.3f} / {np.nanmax(errors[:, at]):.3f}" for at in (0, 1)]
    return f"| {name} | {' | '.join(cells)} | {_failures(scores)} |"


def _groups(scores: Sequence[Score]) -> list[str]:
    chosen = [[s for s in scores if s.known.strength == strength and not s.known.jpeg] for strength in STRENGTHS]
    chosen.append([s for s in scores if s.known.jpeg])
    return [f"{np.nanmean([s.angles for s in group]):.1f}" if group else "–" for group in chosen]


def section() -> str:
    """The Markdown section."""
    images = list(for_quality())
    table = [
        "| method | H, degrees | E, degrees | H, concentration | E, concentration | failures |",
        "|---|---|---|---|---|---|",
    ]
    by = [f"| method | {' | '.join(f'strength {each:g}' for each in STRENGTHS)} | JPEG |", "|---|---|---|---|---|"]
    for name, make in methods().items():
        try:
            extract = make()
        except ImportError:
            table.append(f"| {name} | absent | | | | |")
            continue
        scores = [_score(extract, known) for known in images]
        table.append(_row(name, scores))
        by.append(f"| {name} | {' | '.join(_groups(scores))} |")
        print(table[-1], by[-1], sep="\n")
    head = (
        f"{len(images)} phantoms of {SIZE}×{SIZE} from {len(LABORATORIES)} laboratories, stained at {STRENGTHS[0]:g}, "
        f"{STRENGTHS[1]:g} and {STRENGTHS[2]:g} of the usual strength, with camera noise, a quarter through JPEG of quality "
        f"{JPEG_QUALITY}. Mean / worst over images. Angles are those to the true vectors. Errors of concentrations: median "
        "over tissue of the absolute error, in parts of the true 99th percentile, with unit vectors, each method with its "
        "own way of unmixing. Swapped vectors count as failures and are compared in the right order; of ours, an estimate "
        "that fell back to the reference counts as a failure too. TIAToolbox's method is its scikit-learn call with its "
        "parameters on all tissue pixels, with StainTools' tissue mask and least squares."
    )
    return "\n".join([head, "", *table, "", "Mean angle error of both vectors, in degrees:", "", *by])
