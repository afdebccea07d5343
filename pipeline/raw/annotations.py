"""Polygon annotations: GeoJSON, as QuPath writes it, or the XML of ASAP, rasterised box by box.

A pixel belongs to a polygon if its centre lies inside the outline and outside the holes, each by the even-odd rule: a
hole that reaches beyond its outline adds nothing. Crossings are computed in coordinates of the whole image, so the
pixels do not depend on how it is cut. The polygons of one class are united.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from json import JSONDecodeError
from pathlib import Path
from typing import Any, Self

import numpy as np
from numba import njit
from numpy.typing import NDArray

from pipeline.config.manifest import ClassRecord
from pipeline.geometry import Box
from pipeline.raw.asap_features import asap_features, is_xml
from pipeline.raw.features import REVIEWED_NEGATIVE, Feature, Ring, features
from pipeline.raw.formats.source import unusable

__all__ = ["Annotations", "Polygons", "read_annotations"]

MOSTLY = 0.5
EXCLUDED = "-"
"""Key of polygons that are removed from every class; no class can have it."""
OUTLINE, HOLE = 1, 2
"""Bits for a pixel inside an outline or a hole."""
EXPORT_AGAIN = "Export the annotations again, as GeoJSON (QuPath: File, Export objects as GeoJSON)."
EXPECTED = "GeoJSON (a FeatureCollection) or XML of ASAP, whose areas are polygons in pixels of the finest level"


@dataclass(frozen=True, slots=True, eq=False)
class Polygons:
    """Polygons of one class, as their edges."""

    edges: NDArray[np.float64]
    """``(n, 4)``: x and y of the upper end, x and y of the lower end; edges along a row are left out."""
    parts: NDArray[np.uint8]
    """``(n,)``: OUTLINE or HOLE, the kind of each edge's ring."""
    starts: NDArray[np.int64]
    """First edge of each polygon, and the number of edges."""

    @classmethod
    def of_rings(cls, polygons: Sequence[Sequence[Ring]]) -> Self:
        """Polygons, each given as an outline and holes; rings need not be closed."""
        edges = [[_edges(ring) for ring in rings] for rings in polygons]
        parts = [
            np.full(len(ring), HOLE if at else OUTLINE, np.uint8) for rings in edges for at, ring in enumerate(rings)
        ]
        starts = np.cumsum([0, *(sum(map(len, rings)) for rings in edges)], dtype=np.int64)
        joined = np.concatenate([np.zeros((0, 4)), *(ring for rings in edges for ring in rings)])
        return cls(np.ascontiguousarray(joined), np.concatenate([np.zeros(0, np.uint8), *parts]), starts)

    def read(self, box: Box) -> NDArray[np.bool_]:
        """Mask ``(h, w)`` of the inside pixels of a box."""
        found = np.zeros((box.height, box.width), np.bool_)
        _fill(self.edges, self.parts, self.starts, box.y0, box.x0, found)
        return found


def _edges(ring: Ring) -> NDArray[np.float64]:
    first, second = ring, np.roll(ring, -1, axis=0)
    down = (first[:, 1] <= second[:, 1])[:, None]
    # Always from the upper end, so that polygons that share an edge agree on every crossing.
    edges = np.where(down, np.hstack([first, second]), np.hstack([second, first]))
    return edges[edges[:, 1] < edges[:, 3]]


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _fill(
    edges: NDArray[np.float64],
    parts: NDArray[np.uint8],
    starts: NDArray[np.int64],
    top: int,
    left: int,
    found: NDArray[np.bool_],
) -> None:
    """Set the pixels inside any polygon: crossings are noted per row, then counted from the left."""
    height, width = found.shape
    flips = np.zeros((height, width + 1), np.uint8)
    for polygon in range(starts.size - 1):
        first, last, left_most, right_most = height, 0, width, 0
        for e in range(starts[polygon], starts[polygon + 1]):
            x0, y0, x1, y1 = edges[e, 0], edges[e, 1], edges[e, 2], edges[e, 3]
            # Rows whose centre c has y0 <= c < y1.
            begin = int(min(max(np.ceil(y0 - 0.5) - top, 0.0), float(height)))
            end = int(min(max(np.ceil(y1 - 0.5) - top, 0.0), float(height)))
            for row in range(begin, end):
                crossing = x0 + (row + top + 0.5 - y0) * (x1 - x0) / (y1 - y0)
                # The first pixel with a centre not left of the crossing.
                column = int(min(max(np.ceil(crossing - 0.5) - left, 0.0), float(width)))
                flips[row, column] ^= parts[e]
                left_most, right_most = min(left_most, column), max(right_most, column)
            if begin < end:
                first, last = min(first, begin), max(last, end)
        for row in range(first, last):
            inside = 0
            for column in range(left_most, right_most + 1):
                if flips[row, column]:
                    inside ^= flips[row, column]
                    flips[row, column] = 0
                if inside == 1 and column < width:
                    found[row, column] = True


@dataclass(frozen=True, slots=True, eq=False)
class Annotations:
    """Polygons of a file by class, and an account of what was in it."""

    polygons: Mapping[str, Polygons]
    """Class code → polygons, for every class, before excluded polygons are removed."""
    excluded: Polygons
    """Polygons that are removed from every class."""
    notes: Mapping[str, Any]
    """Plain values for the fact sheet: ``used`` (class code → name in the file → features), ``other`` (name outside the
    data set's classes → skipped features), ``no_area`` (kind without area → count), ``outside`` (polygons entirely
    outside the image), ``origin`` (``y`` and ``x`` of the file's coordinate origin); and where there are any,
    ``mostly_outside`` (polygons with more than half of their bounding box outside), ``excluded`` (name → removed
    features) and ``reviewed`` (in a correction: nothing was found)."""

    def read(self, code: str, box: Box) -> NDArray[np.bool_]:
        """Mask ``(h, w)`` of a class in a box."""
        found = self.polygons[code].read(box)
        return found & ~self.excluded.read(box) if self.excluded.starts[-1] else found


def _code(feature: Feature, *, codes: Mapping[str, str], unclassified: str | None) -> str | None:
    # "Tumor: Positive" is a Tumor, unless the data set has a class of the whole name.
    for parts in range(len(feature.names), 0, -1):
        if (name := ": ".join(feature.names[:parts]).lower()) in codes:
            return codes[name]
    if feature.names:
        return None
    return codes.get(feature.title.lower(), None if feature.is_core else unclassified)


def _moved(areas: Sequence[Sequence[Ring]], origin: tuple[int, int]) -> list[Sequence[Ring]]:
    return [[ring + origin[::-1] for ring in rings] for rings in areas]


def _share_inside(rings: Sequence[Ring], size: tuple[int, int]) -> float:
    """Share of the bounding box of an outline inside the image."""
    low, high = rings[0].min(axis=0), rings[0].max(axis=0)
    inside = np.minimum(high, (size[1], size[0])) - np.maximum(low, 0)
    return float(np.prod(np.maximum(inside, 0) / (high - low)))


def _label(feature: Feature) -> str:
    return ": ".join(feature.names) or feature.title or "no class"


def _counted(names: Mapping[str, int]) -> str:
    return ", ".join(sorted(names))


@dataclass(slots=True)
class _Content:
    """Content of a file, sorted by class while it is read."""

    areas: dict[str, list[Sequence[Ring]]]
    """Class code → polygons."""
    used: dict[str, Counter[str]] = field(default_factory=dict)
    """Class code → name in the file → features with areas."""
    other: Counter[str] = field(default_factory=Counter)
    no_area: Counter[str] = field(default_factory=Counter)
    negative: bool = False
    """Whether it states that somebody looked and found nothing."""

    def read(
        self, content: bytes, *, codes: Mapping[str, str], unclassified: str | None, origin: tuple[int, int]
    ) -> None:
        """Add the features of a document."""
        for feature in (asap_features if is_xml(content) else features)(content):
            self.no_area.update(feature.passed)
            if tuple(each.lower() for each in feature.names) == REVIEWED_NEGATIVE:
                self.negative = True
                continue
            code = _code(feature, codes=codes, unclassified=unclassified)
            if feature.areas and code is None:
                self.other[_label(feature)] += 1
            elif feature.areas and code is not None:
                self.used.setdefault(code, Counter())[_label(feature)] += 1
                self.areas[code] += _moved(feature.areas, origin)


def _allowed(classes: Sequence[ClassRecord]) -> str:
    """Codes of classes with their other names."""
    others = {each.code: [name for name in (each.name, *each.aliases) if name != each.code] for each in classes}
    return ", ".join(f"{code} ({', '.join(names)})" if names else code for code, names in others.items())


def _check_correction(content: _Content, *, path: Path) -> None:
    """Refuse a correction that may be empty by mistake, or that contradicts itself."""
    if content.negative != bool(content.used):
        return
    found = f"{sum(each.total() for each in content.used.values())} features with areas, and reviewed: negative"
    raise unusable(
        path,
        found if content.used else "no area of a class",
        expected="areas of lesions, or that somebody looked and found none",
        remedy="Draw them, or say that there are none: an annotation of the class `reviewed: negative`, or the member "
        '"reviewed": "negative" of the collection. To keep the truth of the data set, take the file away.',
    )


def _beyond(polygons: Sequence[Sequence[Ring]], *, path: Path, size: tuple[int, int]) -> tuple[int, int]:
    """Polygons entirely outside the image, and those mostly outside."""
    shares = [_share_inside(each, size) for each in polygons]
    outside, mostly = sum(share == 0 for share in shares), sum(0 < share < MOSTLY for share in shares)
    if polygons and outside == len(polygons):
        raise unusable(
            path,
            f"{outside} polygons, all outside",
            expected=f"polygons within {size[1]}×{size[0]} pixels",
            remedy="Check that they were drawn on this picture, in pixels of its finest level; see also `origin`.",
        )
    return outside, mostly


def read_annotations(
    path: Path,
    *,
    classes: Sequence[ClassRecord],
    size: tuple[int, int],
    origin: tuple[int, int] = (0, 0),
    unclassified: str | None = None,
    excluded: Sequence[str] = (),
    correction: bool = False,
) -> Annotations:
    """Polygons of a GeoJSON file or of the XML of ASAP.

    Parameters
    ----------
    path
        The file. A feature names its class by ``properties.classification`` (a text, or ``name``, or ``names`` of a
        class with several parts), ``properties.class`` or ``properties.name``; an annotation of ASAP by its group.
        Upper and lower case do not count.
    classes
        The classes of the data set, known by code, name and aliases.
    size
        Height and width of the image in pixels.
    origin
        Row and column of the image at the file's coordinate origin.
    unclassified
        Code of the class for features without classification; None for none.
    excluded
        Names of features that are removed from every class, unless a class has the name.
    correction
        Whether the file replaces other truth. Without areas it must then state that it was reviewed and is negative: by
        the member ``"reviewed": "negative"`` of the collection or by a feature of the class ``reviewed: negative``.

    Returns
    -------
    Annotations
        Features of no class or of other classes, and those without area, are skipped and counted.

    Raises
    ------
    ImageRejected
        The file is no such document; it has areas, but none of a class of the data set; all its polygons lie outside; a
        correction has no area of a class without stating that this is intended, or states it and has areas.
    """
    codes = {text.strip().lower(): each.code for each in classes for text in (*each.aliases, each.name, each.code)}
    codes = dict.fromkeys((each.strip().lower() for each in excluded), EXCLUDED) | codes
    content = _Content({code: [] for code in (*(each.code for each in classes), EXCLUDED)})
    try:
        content.read(path.read_bytes(), codes=codes, unclassified=unclassified, origin=origin)
    except JSONDecodeError as error:
        raise unusable(path, f"no JSON: {error}", expected=EXPECTED, remedy=EXPORT_AGAIN) from error
    except (OSError, ValueError, RecursionError) as error:
        problem = "objects nested without end" if isinstance(error, RecursionError) else str(error)
        raise unusable(path, problem or type(error).__name__, expected=EXPECTED) from error
    taken_out, cut = content.areas.pop(EXCLUDED), content.used.pop(EXCLUDED, Counter())
    if content.other and not content.used and not content.negative:
        allowed = f"the classes {_allowed(classes)}, or `unclassified` in the manifest for features of no class"
        remedy = "Name their class in the annotation program, or the class so in the manifest, or set `unclassified`."
        found = f"no area of a class, but features of {_counted(content.other)}"
        raise unusable(path, found, expected=allowed, remedy=remedy)
    if correction:
        _check_correction(content, path=path)
    polygons = [each for several in content.areas.values() for each in several]
    outside, mostly = _beyond(polygons, path=path, size=size)
    notes: dict[str, Any] = {
        "used": {code: dict(sorted(content.used.get(code, {}).items())) for code in content.areas},
        "other": dict(sorted(content.other.items())),
        "no_area": dict(sorted(content.no_area.items())),
        "outside": outside,
        "origin": {"y": origin[0], "x": origin[1]},
    }
    notes |= ({"mostly_outside": mostly} if mostly else {}) | ({"excluded": dict(sorted(cut.items()))} if cut else {})
    notes |= {"reviewed": "negative"} if correction and content.negative else {}
    filled = {code: Polygons.of_rings(each) for code, each in content.areas.items()}
    return Annotations(filled, Polygons.of_rings(taken_out), notes)
