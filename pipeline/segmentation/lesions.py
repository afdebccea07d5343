"""Lesion table of a data set: one row per region, over the outlines of all images."""

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline.errors import StoreError
from pipeline.stores import write_table
from pipeline.stores.atomic import file_in_progress
from pipeline.stores.documents import read_json
from pipeline.stores.provenance import Provenance

__all__ = ["COLUMNS", "write_lesions"]

COLUMNS: dict[str, tuple[str, str]] = {
    "image_id": ("string", "Image."),
    "class_code": ("string", "Class."),
    "component": ("int32", "Number within image and class, in raster order of the first pixel."),
    "area_px": ("int64", "Pixels of the normalised image."),
    "area_source_px": ("float64", "The same area in pixels of the original image."),
    "area_um2": ("float64", "The same area in square micrometres; NaN where no pixel size is known."),
    "holes": ("int32", "Holes: 4-connected background that the region encloses. They are no part of its area."),
    "hole_area_px": ("int64", "Their pixels, of the normalised image."),
    "hole_area_um2": ("float64", "The same area in square micrometres; NaN where no pixel size is known."),
    "mean_probability": ("float32", "Mean probability of its class over the region, filled holes included."),
    "max_probability": ("float32", "Largest probability of its class in the region."),
    "y": ("float64", "Centre: mean row of its pixels, pixels of the original image from its top edge, like the box."),
    "x": ("float64", "The same, columns from the left edge."),
    "y0": ("float64", "Top edge, pixels of the original image."),
    "x0": ("float64", "Left edge, pixels of the original image."),
    "y1": ("float64", "Bottom edge, pixels of the original image."),
    "x1": ("float64", "Right edge, pixels of the original image."),
}
"""Name → type and meaning of each column. The report's table, which has the truth, says whether a region is matched."""
_UNKNOWN = dict.fromkeys(("area_um2", "hole_area_um2"), math.nan)
"""Columns that outlines lack where the pixel size is unknown, because JSON has no NaN."""


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    try:
        for each in read_json(path)["features"]:
            values = {**_UNKNOWN, **each["properties"]["measurements"], **each["properties"]["metadata"]}
            yield {column: values[column] for column in COLUMNS}
    except (FileNotFoundError, ValueError, KeyError, TypeError) as error:
        raise StoreError(
            "The outlines cannot be read.",
            where=path,
            found=f"{type(error).__name__}: {error}",
            expected="GeoJSON of stage segmentation",
            remedy="Delete the file and run the stage again.",
        ) from error


def write_lesions(geojson: Mapping[str, Path], *, output: Path, provenance: Provenance) -> None:
    """Lesion table ``lesions.parquet``: one row per region of all images, with the columns of ``COLUMNS``.

    Parameters
    ----------
    geojson
        Image id → outlines of the image.
    output
        The table, sorted by image; within an image by class in manifest order, then by ``component``.
    provenance
        Record of origin.

    Raises
    ------
    StoreError
        A file is missing or not of this stage.
    """
    rows = [row for image in sorted(geojson) for row in _rows(geojson[image])]
    frame = pd.DataFrame(rows, columns=list(COLUMNS)).astype({name: kind for name, (kind, _) in COLUMNS.items()})
    columns = {name: meaning for name, (_, meaning) in COLUMNS.items()}
    with file_in_progress(output) as partial:
        write_table(frame, partial, provenance=provenance.as_attributes(), extra={"columns": columns})
