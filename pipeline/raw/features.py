"""GeoJSON features: the class of each and the rings of its areas, as written by QuPath 0.2 to 0.6.

Geometries without area (points, lines, null, empty or flat ones) are counted and skipped, inside collections too.
Invalid coordinates (null, text or infinite numbers, wrong nesting) are an error that names the feature.
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["REVIEWED_NEGATIVE", "Feature", "Ring", "checked_ring", "features", "is_flat"]

Ring: TypeAlias = NDArray[np.float64]
"""Vertices ``(n, 2)`` as x, y in pixels; the centre of the first pixel is (0.5, 0.5)."""
NO_AREA = ("Point", "MultiPoint", "LineString", "MultiLineString")
FARTHEST = 2.0**31
"""Coordinates beyond this lie in no image, and crossings of such long edges would overflow."""
REVIEWED_NEGATIVE = ("reviewed", "negative")
"""Class parts, and document member with its value, that state that somebody looked and found nothing."""
EXACT_DIGITS = 15
"""Digits of an integer that always fits a float64; longer ones are read as floats, very long ones as infinity."""


@dataclass(frozen=True, slots=True, eq=False)
class Feature:
    """Feature of a file: its class by name, and its areas."""

    names: tuple[str, ...]
    """Parts of its classification, the base class first, such as Tumor and Positive; empty without a class."""
    title: str
    """Free name from a user; tools other than QuPath write the class there."""
    is_core: bool
    """Whether it is a core of a tissue microarray: a frame, never a lesion."""
    areas: tuple[tuple[Ring, ...], ...]
    """Polygons, each an outline and its holes."""
    passed: Mapping[str, int] = field(default_factory=dict)
    """Kind of geometry without area in it → count."""


def is_negative(document: object) -> bool:
    """Test for the mark of a document that somebody looked and found nothing."""
    key, value = REVIEWED_NEGATIVE
    return isinstance(document, Mapping) and document.get(key) == value


def _whole(text: str) -> int | float:
    return int(text) if len(text) <= EXACT_DIGITS else float(text)


def _names(properties: Mapping[str, Any]) -> tuple[str, ...]:
    found = properties.get("classification")
    if isinstance(found, Mapping):
        # QuPath writes a class of several parts as an array since 0.4, before as one text with colons.
        found = found.get("names") or found.get("name")
    found = found or properties.get("class") or ()
    parts = list(found) if isinstance(found, list | tuple) else str(found).split(":")
    if not all(isinstance(part, str | int | float) for part in parts):
        raise ValueError(f"a classification {json.dumps(found)[:80]}")
    return tuple(text for text in (str(part).strip() for part in parts) if text)


def _ring(points: object) -> Ring:
    if not isinstance(points, list) or not all(isinstance(point, list) and len(point) > 1 for point in points):
        raise ValueError("a ring that is no list of points")
    numbers = np.asarray([point[:2] for point in points] or np.zeros((0, 2)))
    if (
        numbers.ndim != 2
        or numbers.dtype.kind not in "iuf"
        or any(type(n) is bool for point in points for n in point[:2])
    ):
        raise ValueError("coordinates that are no numbers")
    return checked_ring(numbers)


def checked_ring(numbers: ArrayLike) -> Ring:
    """Ring of vertices ``(n, 2)`` as x, y.

    Raises
    ------
    ValueError
        A coordinate is invalid.
    """
    ring = np.asarray(numbers, np.float64).reshape(-1, 2)
    if not (np.abs(ring) <= FARTHEST).all():
        raise ValueError("coordinates that are not finite, or far beyond any picture")
    return ring


def is_flat(ring: Ring) -> bool:
    """Test for a flat ring, with all vertices on one line."""
    if len(ring) < 3:
        return True
    along = ring - ring[0]
    far = along[np.abs(along).sum(axis=1).argmax()]
    return not (along[:, 0] * far[1] != along[:, 1] * far[0]).any()


def _polygon(rings: object) -> tuple[Ring, ...]:
    if not isinstance(rings, list):
        raise ValueError("a polygon that is no list of rings")
    return tuple(_ring(each) for each in rings)


def _areas(geometry: object, passed: Counter[str]) -> Iterator[tuple[Ring, ...]]:
    if geometry is None:
        passed["null"] += 1
        return
    if not isinstance(geometry, Mapping):
        raise ValueError("a geometry that is no object")
    kind = geometry.get("type")
    if kind in NO_AREA:
        passed[kind] += 1
    elif kind in ("Polygon", "MultiPolygon", "GeometryCollection"):
        yield from _parts(kind, geometry["geometries" if kind == "GeometryCollection" else "coordinates"], passed)
    else:
        raise ValueError(f"a geometry of type {json.dumps(kind)[:80]}")


def _parts(kind: str, parts: object, passed: Counter[str]) -> Iterator[tuple[Ring, ...]]:
    if not isinstance(parts, list):
        raise ValueError(f"a {kind} without a list of its parts")
    if not parts:
        passed["empty"] += 1
    elif kind == "GeometryCollection":
        for each in parts:
            yield from _areas(each, passed)
    else:
        for polygon in map(_polygon, [parts] if kind == "Polygon" else parts):
            if polygon and not is_flat(polygon[0]):
                yield polygon
            else:
                passed["flat" if polygon and len(polygon[0]) else "empty"] += 1


def _feature(found: object) -> Feature:
    if not isinstance(found, Mapping) or "geometry" not in found:
        raise ValueError("no geometry")
    properties = found.get("properties")
    if properties is None:
        properties = {}
    if not isinstance(properties, Mapping):
        raise ValueError("properties that are no object")
    passed: Counter[str] = Counter()
    areas = tuple(_areas(found["geometry"], passed))
    title, kind = properties.get("name"), str(properties.get("objectType", "")).lower()
    return Feature(
        _names(properties), "" if title is None else str(title).strip(), kind in ("tmacore", "tma_core"), areas, passed
    )


def features(content: bytes) -> Iterator[Feature]:
    """Features of a GeoJSON document: a FeatureCollection, one feature, or a list of features as QuPath 0.2 wrote it.

    A collection with the member ``"reviewed": "negative"`` gives a feature of this class without areas first.

    Raises
    ------
    ValueError
        No JSON, no such document, or an invalid feature; the text begins with its number, from 1.
    """
    document = json.loads(content, parse_int=_whole)
    if is_negative(document):
        yield Feature(REVIEWED_NEGATIVE, "", is_core=False, areas=())
    if isinstance(document, Mapping) and document.get("type") == "FeatureCollection":
        document = document.get("features")
        if not isinstance(document, list):
            raise ValueError("a FeatureCollection without a list of features")
    for number, each in enumerate(document if isinstance(document, list) else [document], start=1):
        try:
            yield _feature(each)
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            problem = f"no {error.args[0]}" if isinstance(error, KeyError) else str(error)
            raise ValueError(f"feature {number}: {problem}") from error
