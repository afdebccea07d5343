"""Table of errors by place: one model with one fusion, its measured images, on the normalised grid."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline import stores
from pipeline.config.manifest import DatasetRecord
from pipeline.geometry import Box
from pipeline.report.measures.coarse_places import (
    CoarsePlaces,
    blank,
    coarse_level,
    every_nth,
    rim_of,
    unevenly_stained,
    vessels,
)
from pipeline.report.measures.error_places import Truth, tally_places
from pipeline.report.measures.evaluated import evaluated_images
from pipeline.report.measures.steps import borders_of_map
from pipeline.report.paths import Result
from pipeline.report.store_notes import store_notes
from pipeline.stores.atomic import file_in_progress
from pipeline.stores.image_store import ignored_array
from pipeline.stores.job import Job

__all__ = ["ERROR_COLUMNS", "coarse_places_of", "write_errors"]

ERROR_COLUMNS = {
    "model": "category",
    "fusion": "category",
    "split": "category",
    "image_id": "category",
    "group_id": "category",
    "class_code": "category",
    "place": "category",
    "negatives": "int64",
    "fp": "int64",
    "truth": "int64",
    "fn": "int64",
}
"""One row per image, class and place: names of ``error_places.PLACES`` and ``DISTANCES``. Counts are pixels of the
normalised grid that are not ignored: without truth of the class, of these predicted; with it, of these missed."""


def coarse_places_of(normalized: Path, *, modality: str) -> CoarsePlaces:
    """Places of an image that are found in a small level of its pyramid: those of its modality."""
    attributes: dict[str, Any] = dict(stores.open_group(normalized).attrs)
    names = [each["path"] for each in attributes["ome"]["multiscales"][0]["datasets"]]
    arrays = [stores.open_array(normalized, name) for name in names]
    level = coarse_level(tuple((int(each.shape[-2]), int(each.shape[-1])) for each in arrays))
    height, width = (int(each) for each in arrays[level].shape[-2:])
    picture, factor = stores.read_box(arrays[level], Box.of_shape(height, width)), 2**level
    roi = every_nth(stores.raster_of(stores.open_array(normalized, "roi")), factor)
    masks = {"roi_rim": rim_of(roi)}
    if modality == "fundus":
        masks |= {"vessels": vessels(picture, roi)}
    else:
        masks |= {"blank": blank(picture), "uneven": unevenly_stained(picture, roi)}
    return CoarsePlaces(factor, masks)


def _rows(
    image: str, result: Result, *, normalized: Path, annotated: tuple[str, ...], record: DatasetRecord
) -> Iterator[dict[str, Any]]:
    notes, masks = store_notes(result.probability[image]), stores.open_array(result.segmentation[image], "masks")
    ignored = ignored_array(normalized)
    planes = {"truth": stores.open_array(normalized, "truth"), "masks": masks}
    planes |= {} if ignored is None else {"ignore": ignored}
    height, width = masks.shape[-2:]
    lines = borders_of_map(
        (int(height), int(width)),
        window=int(notes["window"]),
        stride=int(notes["stride"]),
        overlapping=result.fusion != "none",
    )
    found = tally_places(
        {name: stores.raster_of(each) for name, each in planes.items()},
        of=Truth(record.codes, annotated, tuple(each.code for each in record.classes if each.kind == "anatomy")),
        coarse=coarse_places_of(normalized, modality=record.modality),
        lines=lines,
    )
    for (code, place), tally in found.items():
        counts = {"negatives": tally.negatives, "fp": tally.fp, "truth": tally.truth, "fn": tally.fn}
        yield {"image_id": image, "class_code": code, "place": place, **counts}


def write_errors(
    images: Path,
    result: Result,
    *,
    normalized: Mapping[str, Path],
    folds: Sequence[int] = (-1,),
    out_of_fold: Collection[int] = (),
    job: Job,
    output: Path,
) -> None:
    """Table of errors by place ``report/{model}.{fusion}.errors.parquet``, see ``ERROR_COLUMNS``.

    Parameters
    ----------
    images
        ``raw/images.parquet``.
    result
        The model and fusion, and its stores; images that lack one are left out.
    normalized
        Image id → store.
    folds
        Fold of the model, or of each member of the ensemble: says which images validate.
    out_of_fold
        Folds whose images validate an ensemble of several; their stores are those of members that had not seen them.
    job
        Facts of the data set, record of origin.
    output
        The table.
    """
    table = stores.read_table(images)
    rows: list[dict[str, Any]] = []
    for each in evaluated_images(table, codes=job.record.codes, folds=folds, out_of_fold=out_of_fold):
        image = each.image_id
        if not all(image in paths for paths in (result.probability, result.segmentation, normalized)):
            continue
        named = {"split": each.split, "group_id": each.group_id}
        found = _rows(image, result, normalized=normalized[image], annotated=each.annotated, record=job.record)
        rows += [named | row for row in found]
    frame = pd.DataFrame(rows).assign(model=result.model, fusion=result.fusion)
    frame = frame.reindex(columns=list(ERROR_COLUMNS)).astype(ERROR_COLUMNS)
    with file_in_progress(output) as partial:
        stores.write_table(frame, partial, provenance=job.provenance.as_attributes())
