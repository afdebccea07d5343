"""Threshold fitting: one threshold per class from the validation images alone, written once and read everywhere."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import zarr
from numpy.typing import NDArray

from pipeline.arrays.metrics import HISTOGRAM_BINS, probability_histogram
from pipeline.config import SegmentationConfig
from pipeline.errors import StoreError
from pipeline.geometry import Box, aligned_boxes
from pipeline.model.held_out import held_out
from pipeline.segmentation.clean_map import clean_map
from pipeline.segmentation.minimum_areas import percentile_areas
from pipeline.segmentation.smoothing import smoothed_map
from pipeline.segmentation.threshold import ThresholdFit, fit_thresholds
from pipeline.stores import open_array, raster_of, read_box, read_table
from pipeline.stores.documents import read_json, write_json
from pipeline.stores.image_store import ignored_array
from pipeline.stores.job import Job
from pipeline.stores.probability_store import ProbabilityMap, open_probability
from pipeline.stores.provenance import Provenance

__all__ = ["check_grid", "read_thresholds", "save_thresholds", "write_thresholds"]


TILE = 3 * 2048
"""Side of the tiles in which maps are cleaned for the fit, in pixels."""


@dataclass(frozen=True, slots=True)
class Cleaning:
    """Cleaning of the masks of one class."""

    area: int
    """Pixels of the smallest region that is kept."""
    fill_holes: bool
    largest_hole: int | None


def _cleaning(code: str, config: SegmentationConfig) -> Cleaning:
    return Cleaning(config.area_of(code), config.fill_holes, config.largest_hole)


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


def _cleaned(probability: ProbabilityMap, box: Box, *, number: int, cleaning: Cleaning) -> NDArray[np.float16]:
    """Cleaned class of a tile; regions that continue in another tile stay unchanged."""
    values = probability.plane(box, number=number)
    if cleaning.area <= 1 and not cleaning.fill_holes:
        return values
    height, width = probability.shape[1:]
    inner = (box.y0 > 0, box.x0 > 0, box.y1 < height, box.x1 < width)
    return clean_map(
        values,
        minimum_area=cleaning.area,
        fill_holes=cleaning.fill_holes,
        largest_hole=cleaning.largest_hole,
        inner=inner,
    )


def _histogram(
    probability: ProbabilityMap,
    truth: zarr.Array[Any],
    ignored: zarr.Array[Any] | None,
    *,
    cleanings: Sequence[Cleaning | None],
) -> NDArray[np.int64]:
    """Histograms ``(class, 2, bins)`` over pixels that are not ignored; zeros for classes that nobody looked for."""
    total = np.zeros((len(cleanings), 2, HISTOGRAM_BINS), dtype=np.int64)
    for box in aligned_boxes(probability.shape[1], probability.shape[2], TILE):
        within = None if ignored is None else read_box(ignored, box) == 0
        for number, cleaning in enumerate(cleanings):
            if cleaning is not None:
                values = _cleaned(probability, box, number=number, cleaning=cleaning)
                total[number] += probability_histogram(values, raster_of(truth, number).read(box) != 0, within)
    return total


def _validation_histograms(
    table: pd.DataFrame,
    *,
    probability: Sequence[tuple[str, Path]],
    normalized: Mapping[str, Path],
    codes: tuple[str, ...],
    config: SegmentationConfig,
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
        annotated = [_cleaning(code, config) if row[f"pixels_{code}"] >= 0 else None for code in codes]
        for path in paths if any(annotated) else ():
            maps, truth = open_probability(path), open_array(normalized[image], "truth")
            check_grid(path, maps, expected=truth.shape)
            maps = smoothed_map(maps, normalized=normalized[image], smoothing=config.smoothing)
            total += _histogram(maps, truth, ignored_array(normalized[image]), cleanings=annotated)
    return dict(zip(codes, total, strict=True))


def write_thresholds(
    images: Path,
    *,
    probability: Sequence[tuple[str, Path]],
    normalized: Mapping[str, Path],
    config: SegmentationConfig,
    job: Job,
    output: Path,
    copy: Path | None = None,
    folds: Sequence[int] = (-1,),
    candidates: Mapping[str, Path] | None = None,
) -> None:
    """Threshold file ``thresholds.json``: for each class the threshold, its Dice, and a reason if it was not fitted.

    Parameters
    ----------
    images
        ``raw/images.parquet``; only validation images are read.
    probability
        Image id and store of each map. With members of several folds, each image has the maps of the members that were
        not trained on it. Images that do not validate are ignored.
    normalized
        Image id → store.
    config
        Whether thresholds are fitted, and the default.
    job
        Facts of the data set, record of origin.
    output
        The file.
    copy
        A second place, such as the folder of the model; nothing is written if that folder is missing.
    folds
        Fold of the model, or of each member of an ensemble; −1 for the split ``validation``.
    candidates
        Image → candidate table of training images, where minimum areas are a percentile of theirs.

    Raises
    ------
    StoreError
        A validation image lacks a store, or its size differs from its truth.

    Notes
    -----
    The Dice is that of the masks that will be written: small regions removed, holes filled. Maps with a side of more
    than ``TILE`` pixels are cleaned tile by tile here, and regions that cross a tile border stay unchanged.

    All pixels count except ignored ones, also outside the roi, as in the metrics of the report: otherwise a threshold
    that admits background would not be penalised. An image in which nobody looked for a class does not count for it.
    """
    areas: dict[str, int] = {}
    if config.minimum_areas == "percentile":
        areas = percentile_areas(
            candidates or {},
            codes=job.record.codes,
            percentile=config.minimum_area_percentile,
            otherwise=config.minimum_area,
        )
        config = config.model_copy(update={"minimum_areas": areas})
    if config.fit_thresholds:
        table = read_table(images)
        held = {image for fold in set(folds) for image in held_out(table, fold=fold)}
        histograms = _validation_histograms(
            table[table["image_id"].isin(held)],
            probability=probability,
            normalized=normalized,
            codes=job.record.codes,
            config=config,
        )
        fits = fit_thresholds(histograms, default=config.threshold)
    else:
        given = ThresholdFit.given(config.threshold, reason="Fitting is switched off.")
        fits = dict.fromkeys(job.record.codes, given)
    # The copy first, whole on the disk: once the output exists, nothing makes the copy anew.
    for path in (copy, output) if copy is not None and copy.parent.is_dir() else (output,):
        save_thresholds(fits, output=path, provenance=job.provenance, areas=areas)


def save_thresholds(
    fits: Mapping[str, ThresholdFit],
    *,
    output: Path,
    provenance: Provenance,
    areas: Mapping[str, int] | None = None,
) -> None:
    """Threshold file ``thresholds.json``, written.

    Parameters
    ----------
    fits
        Class code → threshold and where it comes from.
    output
        The file.
    provenance
        Record of origin.
    areas
        Class code → minimum area, where it was found in the truth.
    """
    found = {code: {"minimum_area": area} for code, area in (areas or {}).items()}
    classes = {code: fit.as_dict() | found.get(code, {}) for code, fit in fits.items()}
    content = {"classes": classes, "provenance": provenance.as_attributes()}
    write_json(content, output)


def read_thresholds(path: Path, *, codes: tuple[str, ...]) -> dict[str, float]:
    """Threshold of each class, read from its file.

    Raises
    ------
    StoreError
        The file is missing, damaged, or lacks a class.
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
