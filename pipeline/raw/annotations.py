"""Polygon annotations: GeoJSON, as QuPath writes it, rasterised box by box.

A pixel belongs to a polygon where its centre lies inside by the even-odd rule over the outline and its holes. Crossings
are computed in coordinates of the whole image, so the pixels are the same however it is cut. The polygons of one class
are united.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, TypeAlias

import numpy as np
from numba import njit
from numpy.typing import NDArray

from pipeline.config.manifest import ClassRecord
from pipeline.geometry import Box
from pipeline.raw.formats.source import unusable

__all__ = ["Polygons", "read_annotations"]

Ring: TypeAlias = NDArray[np.float64]
"""Vertices ``(n, 2)`` as x, y in pixels; the centre of the first pixel is (0.5, 0.5)."""
EXPECTED = "a FeatureCollection of Polygon and MultiPolygon features in pixels of the finest level"


@dataclass(frozen=True, slots=True, eq=False)
class Polygons:
    """Polygons of one class, as their edges."""

    edges: NDArray[np.float64]
    """``(n, 4)``: x and y of the upper end, x and y of the lower end; edges along a row are left out."""
    starts: NDArray[np.int64]
    """First edge of each polygon, and the number of edges."""

    @classmethod
    def of_rings(cls, polygons: Sequence[Sequence[Ring]]) -> Self:
        """Polygons given as an outline and holes each; rings need not be closed."""
        edges = [np.concatenate([np.zeros((0, 4)), *(_edges(ring) for ring in rings)]) for rings in polygons]
        starts = np.cumsum([0, *(len(each) for each in edges)], dtype=np.int64)
        return cls(np.ascontiguousarray(np.concatenate([np.zeros((0, 4)), *edges])), starts)

    def read(self, box: Box) -> NDArray[np.bool_]:
        """Mask ``(h, w)`` of the pixels of a box that lie inside."""
        found = np.zeros((box.height, box.width), np.bool_)
        _fill(self.edges, self.starts, box.y0, box.x0, found)
        return found


def _edges(ring: Ring) -> NDArray[np.float64]:
    first, second = ring, np.roll(ring, -1, axis=0)
    down = (first[:, 1] <= second[:, 1])[:, None]
    # Always from the upper end, so that two polygons that share an edge agree on every crossing.
    edges = np.where(down, np.hstack([first, second]), np.hstack([second, first]))
    return edges[edges[:, 1] < edges[:, 3]]


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _fill(edges: NDArray[np.float64], starts: NDArray[np.int64], top: int, left: int, found: NDArray[np.bool_]) -> None:
    """Set the pixels inside any polygon: crossings are noted per row, then counted from the left."""
    height, width = found.shape
    flips = np.zeros((height, width + 1), np.bool_)
    for polygon in range(starts.size - 1):
        first, last, left_most, right_most = height, 0, width, 0
        for e in range(starts[polygon], starts[polygon + 1]):
            x0, y0, x1, y1 = edges[e, 0], edges[e, 1], edges[e, 2], edges[e, 3]
            # Rows whose centre c has y0 <= c < y1.
            begin = int(min(max(np.ceil(y0 - 0.5) - top, 0.0), float(height)))
            end = int(min(max(np.ceil(y1 - 0.5) - top, 0.0), float(height)))
            for row in range(begin, end):
                crossing = x0 + (row + top + 0.5 - y0) * (x1 - x0) / (y1 - y0)
                # The first pixel whose centre is not left of the crossing.
                column = int(min(max(np.ceil(crossing - 0.5) - left, 0.0), float(width)))
                flips[row, column] = not flips[row, column]
                left_most, right_most = min(left_most, column), max(right_most, column)
            if begin < end:
                first, last = min(first, begin), max(last, end)
        for row in range(first, last):
            inside = False
            for column in range(left_most, right_most + 1):
                if flips[row, column]:
                    inside = not inside
                    flips[row, column] = False
                if inside and column < width:
                    found[row, column] = True


def _polygons(geometry: Mapping[str, Any]) -> Iterator[list[Ring]]:
    kind, coordinates = geometry["type"], geometry["coordinates"]
    if kind not in ("Polygon", "MultiPolygon"):
        raise ValueError(f"a geometry of type {kind}")
    for polygon in [coordinates] if kind == "Polygon" else coordinates:
        rings = [np.asarray([point[:2] for point in ring], np.float64).reshape(-1, 2) for ring in polygon]
        if not all(np.isfinite(ring).all() for ring in rings):
            raise ValueError("coordinates that are no numbers")
        yield rings


def _class_name(feature: Mapping[str, Any]) -> str:
    properties = feature.get("properties") or {}
    classification = properties.get("classification")
    named = classification.get("name") if isinstance(classification, Mapping) else classification
    return str(named or properties.get("class") or properties.get("name") or "").strip()


def _features(content: Mapping[str, Any] | list[Any]) -> list[Any]:
    if isinstance(content, list):
        return content
    return list(content["features"]) if content["type"] == "FeatureCollection" else [content]


def read_annotations(path: Path, *, classes: Sequence[ClassRecord]) -> dict[str, Polygons]:
    """Polygons of a GeoJSON file.

    Parameters
    ----------
    path
        The file. A feature names its class by ``properties.classification.name``, ``properties.class`` or
        ``properties.name``. Upper and lower case do not count.
    classes
        The classes of the data set, known by code and name. Where there is just one, a feature needs no class.

    Returns
    -------
    dict
        Class code → polygons, for every class.

    Raises
    ------
    ImageRejected
        The file is no such GeoJSON, or names classes that the data set does not have.
    """
    codes = {text.strip().lower(): each.code for each in classes for text in (each.name, each.code)}
    codes |= {"": classes[0].code} if len(classes) == 1 else {}
    found: dict[str, list[list[Ring]]] = {each.code: [] for each in classes}
    unknown: set[str] = set()
    try:
        for feature in _features(json.loads(path.read_bytes())):
            name = _class_name(feature)
            if name.lower() in codes:
                found[codes[name.lower()]] += _polygons(feature["geometry"])
            else:
                unknown.add(name or "no class")
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise unusable(path, f"{type(error).__name__}: {error}", expected=EXPECTED) from error
    if unknown:
        raise unusable(path, f"features of {', '.join(sorted(unknown))}", expected=f"classes {', '.join(codes)}")
    return {code: Polygons.of_rings(polygons) for code, polygons in found.items()}
