"""Connected components of the masks as GeoJSON features, with the map's probabilities inside each."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from pipeline.arrays.components import ComponentTable, component_table, relabel
from pipeline.arrays.holes import hole_sums
from pipeline.config import Smoothing
from pipeline.config.manifest import DatasetRecord
from pipeline.segmentation.geojson import feature
from pipeline.segmentation.polygons import trace_components
from pipeline.segmentation.smoothing import smoothed_map
from pipeline.segmentation.threshold_file import check_grid
from pipeline.stores import open_array, raster_of, read_box
from pipeline.stores.image_store import image_notes
from pipeline.stores.probability_store import ProbabilityMap, open_probability

__all__ = ["Maps", "region_features"]


@dataclass(frozen=True, slots=True, eq=False)
class Maps:
    """Probability maps of one image, with their grid."""

    array: ProbabilityMap
    image_id: str
    mapping: dict[str, float]

    @classmethod
    def open(cls, path: Path, *, normalized: Path, classes: int, smoothing: Smoothing) -> "Maps":
        """Maps of a store of stage probability, ready for thresholds, checked against their image."""
        notes = image_notes(path)
        array, image = open_probability(path), open_array(normalized, "0")
        check_grid(path, array, expected=(classes, *image.shape[1:]))
        return cls(smoothed_map(array, normalized=normalized, smoothing=smoothing), notes["image_id"], notes["mapping"])

    @property
    def size(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.array.shape[1:]

    @property
    def scale_y(self) -> float:
        """Rows of the original image per row."""
        return 1 / self.mapping["factor_y"]

    @property
    def scale_x(self) -> float:
        """Columns of the original image per column."""
        return 1 / self.mapping["factor_x"]

    def pixel_um(self, record: DatasetRecord) -> float:
        """Side of a pixel of the original image, micrometres; NaN where unknown."""
        return self.mapping.get("pixel_size_um") or record.pixel_size_um or math.nan

    @property
    def origin(self) -> tuple[int, int]:
        """Origin of polygon coordinates: row and column of the original image."""
        return int(self.mapping.get("origin_y", 0)), int(self.mapping.get("origin_x", 0))


def _probabilities(
    maps: Maps, masks: zarr.Array[Any], tables: list[ComponentTable]
) -> list[tuple[NDArray[np.float64], NDArray[np.float16]]]:
    """Mean and largest probability of each region of each class. Sums of float16 are exact in float64."""
    sums = [np.zeros(len(table)) for table in tables]
    largest = [np.zeros(len(table), dtype=np.float16) for table in tables]
    for index, box in enumerate(tables[0].boxes):
        values, inside = maps.array.read(box), read_box(masks, box)
        for number, table in enumerate(tables):
            labels = relabel(table, index, inside[number])[inside[number] != 0]
            found = values[number][inside[number] != 0]
            sums[number] += np.bincount(labels, weights=found, minlength=len(table))
            np.maximum.at(largest[number], labels, found)
    return [(total / table.area, high) for total, table, high in zip(sums, tables, largest, strict=True)]


def region_features(
    maps: Maps, masks: zarr.Array[Any], *, record: DatasetRecord, rows: int
) -> Iterator[dict[str, Any]]:
    """GeoJSON features of the 8-connected regions, class by class in raster order, in pixels of the original image.

    Coordinates of outlines start at the image's polygon origin, those of boxes at its corner.

    Parameters
    ----------
    maps
        Probabilities of the image.
    masks
        ``(class, y, x)``, 0 or 1.
    record
        Names and colours of the classes.
    rows
        Rows of a strip; they do not change the result.
    """
    planes = [raster_of(masks, at) for at in range(len(record.codes))]
    tables = [component_table(plane, rows=rows) for plane in planes]
    measured, pixel_um = _probabilities(maps, masks, tables), maps.pixel_um(record)
    for each, plane, table, (mean, highest) in zip(record.classes, planes, tables, measured, strict=True):
        holes = hole_sums(plane, rows=rows)
        for number, polygons in enumerate(trace_components(plane, table)):
            sure = {"mean_probability": float(mean[number]), "max_probability": float(highest[number])}
            inside = {"holes": int(holes[0][number]), "hole_area_px": int(holes[1][number])}
            properties = {**_measurements(maps, table, number, inside, pixel_um=pixel_um), **sure}
            yield feature(
                polygons,
                class_code=each.code,
                name=each.name,
                colour=each.rgb,
                properties=properties,
                scale_y=maps.scale_y,
                scale_x=maps.scale_x,
                origin=maps.origin,
            )


def _measurements(
    maps: Maps, table: ComponentTable, number: int, holes: dict[str, int], *, pixel_um: float
) -> dict[str, float | str]:
    box, area, scale = table.box(number), int(table.area[number]), maps.scale_y * maps.scale_x
    # The centre of a pixel lies half a pixel from its edges, where box coordinates start.
    rows = {
        name: value * maps.scale_y for name, value in (("y", table.cy[number] + 0.5), ("y0", box.y0), ("y1", box.y1))
    }
    columns = {
        name: value * maps.scale_x for name, value in (("x", table.cx[number] + 0.5), ("x0", box.x0), ("x1", box.x1))
    }
    areas = {"area_px": area, "area_source_px": area * scale, "area_um2": area * scale * pixel_um**2}
    areas |= {**holes, "hole_area_um2": holes["hole_area_px"] * scale * pixel_um**2}
    return {"image_id": maps.image_id, "component": number, **areas, **rows, **columns}
