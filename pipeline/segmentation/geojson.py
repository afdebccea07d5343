"""GeoJSON of polygons, as QuPath opens it."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, SupportsFloat

import numpy as np

from pipeline.segmentation.polygons import Polygon

__all__ = ["feature", "feature_collection"]


def feature(
    polygons: Sequence[Polygon],
    *,
    class_code: str,
    name: str,
    colour: tuple[int, int, int],
    properties: Mapping[str, SupportsFloat | str],
    scale_y: float = 1.0,
    scale_x: float = 1.0,
    origin: tuple[int, int] = (0, 0),
) -> dict[str, Any]:
    """GeoJSON feature of one region, which QuPath shows as an annotation.

    Parameters
    ----------
    polygons
        At least one polygon of one region; several become a MultiPolygon.
    class_code, name, colour
        Those of the class; QuPath lists the name and colour (red, green, blue, 0…255).
    properties
        Finite numbers become measurements, text becomes metadata; numbers that are not finite are left out, because
        JSON has none.
    scale_y, scale_x
        Pixels of the original image per pixel of the mask. Scaled coordinates are rounded to 1/1000 pixel.
    origin
        Row and column of the original image from which coordinates count.

    References
    ----------
    .. [1] RFC 7946, The GeoJSON Format. https://www.rfc-editor.org/rfc/rfc7946
    .. [2] QuPath reads ``objectType``, ``classification``, ``measurements`` (a map of numbers) and ``metadata`` (a map
       of text) from the properties, and coordinates as pixels of the full-resolution image from its top-left corner,
       for a slide that of OpenSlide's bounds.
       https://qupath.readthedocs.io/en/stable/docs/advanced/exporting_annotations.html
    """
    scaled = [_coordinates(polygon, scale_y=scale_y, scale_x=scale_x, origin=origin) for polygon in polygons]
    texts = {key: value for key, value in properties.items() if isinstance(value, str)}
    numbers = {key: _plain(value) for key, value in properties.items() if not isinstance(value, str)}
    one = len(scaled) == 1
    return {
        "type": "Feature",
        "geometry": {"type": "Polygon" if one else "MultiPolygon", "coordinates": scaled[0] if one else scaled},
        "properties": {
            "objectType": "annotation",
            "classification": {"name": name, "color": list(colour)},
            "measurements": {key: value for key, value in numbers.items() if math.isfinite(value)},
            "metadata": {"class_code": class_code, **texts},
        },
    }


def _plain(value: SupportsFloat) -> int | float:
    # NumPy's numbers too: JSON takes only Python's.
    number = float(value)
    return int(number) if number.is_integer() else number


def _coordinates(
    polygon: Polygon, *, scale_y: float, scale_x: float, origin: tuple[int, int]
) -> list[list[list[float]]]:
    rings, corner = (polygon.exterior, *polygon.holes), origin[::-1]
    if scale_y == scale_x == 1:
        return [(ring - corner).tolist() for ring in rings]
    return [np.round(ring * [scale_x, scale_y] - corner, 3).tolist() for ring in rings]


def feature_collection(features: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """GeoJSON document of an image: all its features."""
    return {"type": "FeatureCollection", "features": list(features)}
