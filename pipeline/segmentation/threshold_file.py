"""Threshold fitting: one threshold per class from the validation images alone, written once and read by all."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import zarr
from numpy.typing import NDArray

from pipeline.arrays.metrics import HISTOGRAM_BINS, probability_histogram
from pipeline.config import SegmentationConfig
from pipeline.errors import StoreError
from pipeline.geometry import strips
from pipeline.model.held_out import held_out
from pipeline.segmentation.threshold import ThresholdFit, fit_thresholds
from pipeline.stores import open_array, read_box, read_table
from pipeline.stores.documents import read_json, write_json
from pipeline.stores.image_store import ignored_array
from pipeline.stores.job import Job
from pipeline.stores.probability_store import ProbabilityMap, open_probability
from pipeline.stores.provenance import Provenance

__all__ = ["check_grid", "read_thresholds", "save_thresholds", "write_thresholds"]


def check_grid(path: Path, maps: ProbabilityMap, *, expected: tuple[int, ...]) -> None:
    """Check of a map ``(class, y, x)``: it is of the size of its image."""
    if maps.shape != expected:
        raise StoreError(
            "The probability map does not fit its image.",
            where=path,
            found=maps.shape,
            expected=expected,
            remedy="Delete the store and run stage probability again.",
        )


def _histogram(
    probability: ProbabilityMap,
    truth: zarr.Array[Any],
    ignored: zarr.Array[Any] | None,
    *,
    rows: int,
    annotated: NDArray[np.bool_],
) -> NDArray[np.int64]:
    """Histograms ``(class, 2, bins)`` over pixels that are not ignored; zeros for classes that nobody looked for."""
    total = np.zeros((len(annotated), 2, HISTOGRAM_BINS), dtype=np.int64)
    for box in strips(probability.shape[1], probability.shape[2], rows):
        values, inside = probability.read(box), read_box(truth, box) != 0
        within = None if ignored is None else read_box(ignored, box) == 0
        for number in np.flatnonzero(annotated):
            total[number] += probability_histogram(values[number], inside[number], within)
    return total


def _validation_histograms(
    table: pd.DataFrame,
    *,
    probability: Sequence[tuple[str, Path]],
    normalized: Mapping[str, Path],
    codes: tuple[str, ...],
    rows: int,
) -> dict[str, NDArray[np.int64]]:
    total = np.zeros((len(codes), 2, HISTOGRAM_BINS), dtype=np.int64)
    for row in table.sort_values("image_id").to_dict("records"):
        image = str(row["image_id"])
        paths = [path for name, path in probability if name == image]
        if not paths or image not in normalized:
            raise StoreError(
                "A validation image has no map.",
                where=image,
                found="no probability or no normalised image",
                expected="both, for every image that validates",
                remedy="Run stage probability again.",
            )
        annotated = np.array([row[f"pixels_{code}"] >= 0 for code in codes])
        for path in paths if annotated.any() else ():
            maps, truth = open_probability(path), open_array(normalized[image], "truth")
            check_grid(path, maps, expected=truth.shape)
            total += _histogram(maps, truth, ignored_array(normalized[image]), rows=rows, annotated=annotated)
    return dict(zip(codes, total, strict=True))


def write_thresholds(
    images: Path,
    *,
    probability: Sequence[tuple[str, Path]],
    normalized: Mapping[str, Path],
    config: SegmentationConfig,
    job: Job,
    output: Path,
    folds: Sequence[int] = (-1,),
) -> None:
    """Threshold file ``thresholds.json``: for each class the threshold, its Dice, and why it was not fitted if so.

    Parameters
    ----------
    images
        ``raw/images.parquet``; only images that validate are read.
    probability
        Image id and store of each map. With members of several folds, each image has the maps of those members that
        did not learn from it. Images that do not validate are ignored.
    normalized
        Image id → store.
    config
        Whether thresholds are fitted, and the default.
    job
        Facts of the data set, record of origin.
    output
        The file.
    folds
        Fold of the model, or of each member of an ensemble; −1 for the split ``validation``.

    Raises
    ------
    StoreError
        For a validation image without its stores, or of another size than its truth.

    Notes
    -----
    All pixels count, those outside the roi too, as they do in the metrics of the report: a threshold that lets the
    background in would otherwise go unpunished. Ignored pixels do not. An image in which nobody looked for a class says nothing about it.
    """
    if config.fit_thresholds:
        table = read_table(images)
        held = {image for fold in set(folds) for image in held_out(table, fold=fold)}
        histograms = _validation_histograms(
            table[table["image_id"].isin(held)],
            probability=probability,
            normalized=normalized,
            codes=job.record.codes,
            rows=config.storage.shard,
        )
        fits = fit_thresholds(histograms, default=config.threshold)
    else:
        given = ThresholdFit.given(config.threshold, reason="Fitting is switched off.")
        fits = dict.fromkeys(job.record.codes, given)
    save_thresholds(fits, output=output, provenance=job.provenance)


def save_thresholds(fits: Mapping[str, ThresholdFit], *, output: Path, provenance: Provenance) -> None:
    """Threshold file ``thresholds.json``, written.

    Parameters
    ----------
    fits
        Class code → threshold and where it comes from.
    output
        The file.
    provenance
        Record of origin.
    """
    content = {"classes": {code: fit.as_dict() for code, fit in fits.items()}, "provenance": provenance.as_attributes()}
    write_json(content, output)


def read_thresholds(path: Path, *, codes: tuple[str, ...]) -> dict[str, float]:
    """Threshold of each class, read from its file.

    Raises
    ------
    StoreError
        Where the file is missing, damaged, or lacks a class.
    """
    try:
        classes = read_json(path)["classes"]
        return {code: float(classes[code]["threshold"]) for code in codes}
    except (FileNotFoundError, ValueError, KeyError, TypeError) as error:
        raise StoreError(
            "The thresholds cannot be read.",
            where=path,
            found=f"{type(error).__name__}: {error}",
            expected=f"a threshold for each of {', '.join(codes)}",
            remedy="Run stage segmentation again.",
        ) from error
