"""Coverage of lesions: components that patches touch or contain, and the missing patches for the others."""

import numpy as np
from numpy.typing import NDArray

from pipeline.arrays.raster import Raster
from pipeline.index.box_sums import Boxes
from pipeline.index.candidates import Lesions
from pipeline.index.sampling.positions import around, member_strips

__all__ = ["contained", "cover", "touched"]


def contained(lesions: Lesions, boxes: Boxes) -> NDArray[np.bool_]:
    """Components that lie wholly in one of the boxes."""
    found = np.zeros(len(lesions), dtype=bool)
    for y0, x0, y1, x1 in boxes:
        found |= (lesions.y0 >= y0) & (lesions.x0 >= x0) & (lesions.y1 <= y1) & (lesions.x1 <= x1)
    return found


def touched(lesions: Lesions, boxes: Boxes, *, mask: Raster[np.bool_]) -> NDArray[np.bool_]:
    """Components that share a pixel with one of the boxes, exactly.

    Parameters
    ----------
    lesions
        Components of one class.
    boxes
        ``(n, 4)``.
    mask
        Mask of the class; read only where bounding boxes are not enough.
    """
    known, possible = (np.zeros(len(lesions), dtype=bool) for _ in range(2))
    for y0, x0, y1, x1 in boxes:
        first = (lesions.first_y >= y0) & (lesions.first_y < y1) & (lesions.first_x >= x0) & (lesions.first_x < x1)
        known |= first
        possible |= (lesions.y0 < y1) & (lesions.y1 > y0) & (lesions.x0 < x1) & (lesions.x1 > x0)
    known |= contained(lesions, boxes)
    for at in np.flatnonzero(possible & ~known):
        known[at] = _shares_pixel(lesions, int(at), boxes, mask=mask)
    return known


def _shares_pixel(lesions: Lesions, at: int, boxes: Boxes, *, mask: Raster[np.bool_]) -> bool:
    for strip, member in member_strips(mask, lesions, at):
        corners = np.clip(boxes - [strip.y0, strip.x0] * 2, 0, [strip.height, strip.width] * 2)
        if any(member[y0:y1, x0:x1].any() for y0, x0, y1, x1 in corners):
            return True
    return False


def cover(lesions: Lesions, boxes: Boxes, *, patch: int, mask: Raster[np.bool_]) -> tuple[NDArray[np.int64], Boxes]:
    """Missing patches, so that each component is touched, and contained if it fits in a patch.

    Each lies around the centre of the bounding box of the first component that still needs one, in raster order;
    where the component is larger than a patch, its first pixel stays inside.

    Parameters
    ----------
    lesions
        Components of one class.
    boxes
        Existing patches, ``(n, 4)``.
    patch
        Side of a patch.
    mask
        Of the class.

    Returns
    -------
    tuple
        Place of the component for which each patch was added ``(m,)``, and the patches ``(m, 4)``.
    """
    height, width = (min(patch, length) for length in mask.shape)
    fits = (lesions.y1 - lesions.y0 <= height) & (lesions.x1 - lesions.x0 <= width)
    need = _missing(lesions, boxes, fits=fits, need=np.ones(len(lesions), dtype=bool), mask=mask)
    centre = np.stack([lesions.y0 + lesions.y1, lesions.x0 + lesions.x1], axis=1) // 2
    first = np.stack([lesions.first_y, lesions.first_x], axis=1)
    added = around(centre, keep=first, height=mask.height, width=mask.width, patch=patch)
    places = []
    for at in range(len(lesions)):
        if need[at]:
            places.append(at)
            need = _missing(lesions, added[at : at + 1], fits=fits, need=need, mask=mask)
    chosen = np.array(places, dtype=np.int64)
    return chosen, added[chosen]


def _missing(
    lesions: Lesions, boxes: Boxes, *, fits: NDArray[np.bool_], need: NDArray[np.bool_], mask: Raster[np.bool_]
) -> NDArray[np.bool_]:
    left = need & ~contained(lesions, boxes)
    large = np.flatnonzero(left & ~fits)
    left[large] = ~touched(lesions.select(large), boxes, mask=mask)
    return left
