"""Places of errors: false positives and missed truth of each class by place, counted block by block.

A pixel may lie in several places. Only pixels that are not ignored count; those without truth of a class can become
false positives, those with it can be missed. So a place is judged by its share of the errors relative to its share of
the pixels where they could occur.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.arrays.raster import Raster
from pipeline.geometry import BLOCK, aligned_boxes
from pipeline.report.measures.coarse_places import CoarsePlaces

__all__ = ["DISTANCES", "NEAR_BORDER", "PLACES", "RIM", "Tally", "Truth", "border_distance", "tally_places"]

RIM = 2
"""Pixels around the truth of a class that count as its rim."""
NEAR_BORDER = 8
"""Distance in pixels from a window border, on either side, that counts as beside it."""
DISTANCES: Mapping[str, tuple[int, float]] = {
    "0 to 7 px": (0, 8),
    "8 to 31 px": (8, 32),
    "32 to 127 px": (32, 128),
    "128 px and more": (128, np.inf),
}
"""Name of a distance from the nearest window border → half-open range."""
PLACES: Mapping[str, str] = {
    "all": "All pixels",
    "rim": "Rim of its own truth",
    "lesion": "Truth of another lesion",
    "anatomy": "Truth of anatomy",
    "vessels": "Vessels (estimated)",
    "blank": "Blank area",
    "uneven": "Unevenly stained, or dense",
    "roi_rim": "Rim of the roi",
    "window": "Beside a window border",
    "none": "Anywhere else",
}
"""Place → its name on the page."""


@dataclass(frozen=True, slots=True)
class Tally:
    """Pixels of one class in one place."""

    negatives: int = 0
    """Without its truth."""
    fp: int = 0
    """Of these, predicted."""
    truth: int = 0
    fn: int = 0
    """Of the truth, missed."""

    def __add__(self, other: "Tally") -> "Tally":
        """Pixels of both."""
        return Tally(self.negatives + other.negatives, self.fp + other.fp, self.truth + other.truth, self.fn + other.fn)

    @classmethod
    def of(cls, place: NDArray[np.bool_], truth: NDArray[np.bool_], mask: NDArray[np.bool_]) -> "Tally":
        """Pixels of a block; ``place`` holds those that count."""
        without, held = place & ~truth, place & truth
        counts = (without, without & mask, held, held & ~mask)
        return cls(*(int(np.count_nonzero(each)) for each in counts))


@dataclass(frozen=True, slots=True)
class Truth:
    """Classes of an image."""

    codes: tuple[str, ...]
    annotated: tuple[str, ...]
    """Those that somebody looked for."""
    anatomy: tuple[str, ...] = ()


def border_distance(lines: Sequence[int], length: int) -> NDArray[np.float64]:
    """Distance of each pixel along an axis from the nearest window border: 0 beside it; infinite without any.

    Examples
    --------
    >>> border_distance([3], 6)
    array([2., 1., 0., 0., 1., 2.])
    """
    at = np.arange(length, dtype=np.float64)
    before = [np.abs(at - line + 0.5) - 0.5 for line in lines]
    return np.min(before, axis=0) if before else np.full(length, np.inf)


def _around(truth: NDArray[np.bool_]) -> NDArray[np.bool_]:
    size = 2 * RIM + 1
    return np.asarray(cv2.dilate(truth.astype(np.uint8), np.ones((size, size), np.uint8)) > 0)


def _places(
    at: int, truth: NDArray[np.bool_], inner: tuple[slice, slice], *, of: Truth, shared: Mapping[str, NDArray[np.bool_]]
) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    """Places of one class in a block; ``truth`` has a halo of ``RIM`` pixels where the image goes on."""
    own = truth[at][inner]
    others = [number for number, code in enumerate(of.codes) if number != at and code in of.annotated]
    kinds: dict[str, list[int]] = {"lesion": [], "anatomy": []}
    for number in others:
        kinds["anatomy" if of.codes[number] in of.anatomy else "lesion"].append(number)
    yield "rim", _around(truth[at])[inner] & ~own
    for name, numbers in kinds.items():
        if numbers:
            yield name, np.logical_or.reduce([truth[number][inner] for number in numbers])
    yield from shared.items()


def tally_places(
    planes: Mapping[str, Raster[Any]],
    *,
    of: Truth,
    coarse: CoarsePlaces,
    lines: tuple[Sequence[int], Sequence[int]],
    block: int = BLOCK,
) -> dict[tuple[str, str], Tally]:
    """Errors of an image by class and place, and by class and distance from the nearest window border.

    Parameters
    ----------
    planes
        ``truth`` and ``masks`` ``(class, y, x)``, and ``ignore`` ``(y, x)`` where there is one.
    of
        The classes.
    coarse
        Places that were found in a smaller picture.
    lines
        Window borders between rows and between columns.
    block
        Side of the blocks; it changes no count.
    """
    truths, masks, ignored = planes["truth"], planes["masks"], planes.get("ignore")
    distances = [border_distance(own, length) for own, length in zip(lines, truths.shape, strict=True)]
    found: dict[tuple[str, str], Tally] = {}
    for box in aligned_boxes(*truths.shape, block):
        wide = box.grow(RIM, truths.box)
        truth, mask = truths.read(wide) > 0, masks.read(box) > 0
        inner = box.shift(-wide.y0, -wide.x0).slices
        counts = np.ones((box.height, box.width), bool) if ignored is None else ignored.read(box) == 0
        distance = np.minimum.outer(distances[0][box.y0 : box.y1], distances[1][box.x0 : box.x1])
        shared = {name: coarse.read(name, box) for name in coarse.masks}
        shared["window"] = distance < NEAR_BORDER
        rings = {name: (distance >= low) & (distance < high) for name, (low, high) in DISTANCES.items()}
        rings["128 px and more"] |= np.isinf(distance)
        for code in of.annotated:
            at = of.codes.index(code)
            anywhere = np.zeros_like(counts)
            pairs = truth[at][inner], mask[at]
            for name, place in _places(at, truth, inner, of=of, shared=shared):
                anywhere |= place
                _add(found, (code, name), Tally.of(place & counts, *pairs))
            _add(found, (code, "all"), Tally.of(counts, *pairs))
            _add(found, (code, "none"), Tally.of(counts & ~anywhere, *pairs))
            for name, ring in rings.items():
                _add(found, (code, name), Tally.of(ring & counts, *pairs))
    return found


def _add(found: dict[tuple[str, str], Tally], key: tuple[str, str], tally: Tally) -> None:
    found[key] = found.get(key, Tally()) + tally
