"""Positions of patches: the sliding-window grid, anchors with jitter, and background, each from an addressed stream.

Every (image, class) has one fixed stream that depends only on the seed, and a quota takes a prefix of it:

- the order of its components, permutation after permutation (one per cycle),
- for every draw three numbers in [0, 1): which pixel, which jitter along y, which along x.

So a larger quota keeps the former draws, and another image, another class or another order of work changes none.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from pipeline.arrays.components import component_table, relabel
from pipeline.arrays.raster import Raster
from pipeline.errors import StoreError
from pipeline.geometry import Box, starts_1d
from pipeline.index.box_sums import Boxes, box_sums, is_certain
from pipeline.index.candidates import Lesions
from pipeline.index.image import NormalizedImage
from pipeline.seeds import stream

__all__ = [
    "anchors",
    "around",
    "background_boxes",
    "component_order",
    "grid_boxes",
    "grid_stride",
    "jittered",
    "member_strips",
    "pixel_positions",
]

Positions = NDArray[np.int64]
"""``(n, 2)``: y and x of pixels."""

STRIP_ROWS = 512
"""Rows of a component in memory at a time."""
LEAST_TRIES, TRIES_EACH = 4096, 32
"""Places tried for background in an image: the minimum, and the number for each wanted patch."""


def grid_stride(patch: int, overlap: float) -> int:
    """Stride of the sliding window in pixels, from the side of patches and their overlap."""
    return max(1, round(patch * (1 - overlap)))


def grid_boxes(height: int, width: int, *, patch: int, overlap: float) -> Boxes:
    """Sliding-window grid in raster order; the last row and column are moved back inside.

    Parameters
    ----------
    height, width
        Pixels of the image.
    patch
        Side of a patch; an axis that is shorter gives boxes of its own length.
    overlap
        Share of a patch that the next one repeats, at least 0 and below 1.
    """
    stride = grid_stride(patch, overlap)
    y, x = (np.array(starts_1d(length, patch, stride)) for length in (height, width))
    top, left = (axis.ravel() for axis in np.meshgrid(y, x, indexing="ij"))
    return np.stack([top, left, top + min(patch, height), left + min(patch, width)], axis=1)


def component_order(seed: int, image_id: str, code: str, *, components: int, count: int) -> NDArray[np.int64]:
    """Order of the components: the head of an infinite sequence of cycles, each a new permutation of all components."""
    cycles = -(-count // components) if components else 0
    orders = (stream(seed, "index", image_id, code, "cycle", cycle).permutation(components) for cycle in range(cycles))
    return np.concatenate([np.zeros(0, dtype=np.int64), *orders])[:count]


def anchors(
    lesions: Lesions,
    *,
    seed: int,
    image_id: str,
    code: str,
    count: int,
    by: str,
    most: int | None = None,
    weights: NDArray[np.int64] | None = None,
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Anchors of an (image, class): the first draws of its stream, as components, pixels and jitter.

    Parameters
    ----------
    lesions
        Components that may give anchors; at least one where ``count`` is not 0.
    seed, image_id, code
        Address of the stream.
    count
        How many.
    by
        ``components``: uniform over components, then over the pixels of one; ``pixels``: uniform over all pixels.
    most
        Most draws of one component; ``count`` is at most this times the number of components. A draw of an exhausted
        component goes to the next one in the order of components that is not exhausted.
    weights
        ``(components,)``, integers of at least 0: with ``components`` the weights of the draw; None for uniform draws.

    Returns
    -------
    tuple
        Place of the component in ``lesions`` ``(n,)``, number of the pixel in it in raster order ``(n,)``, and two
        numbers in [0, 1) for the jitter ``(n, 2)``.
    """
    chance = stream(seed, "index", image_id, code, "draw").random((count, 3))
    if by == "components" and weights is not None:
        place = _weighted(weights, chance=stream(seed, "index", image_id, code, "area").random(count))
        if most is not None:
            order = component_order(seed, image_id, code, components=len(lesions), count=len(lesions))
            place, _ = _not_more_often(place, order=order, most=most)
        pixel = (chance[:, 0] * lesions.area[place]).astype(np.int64)
    elif by == "components":
        place = component_order(seed, image_id, code, components=len(lesions), count=count)
        pixel = (chance[:, 0] * lesions.area[place]).astype(np.int64)
    else:
        end = np.cumsum(lesions.area)
        flat = (chance[:, 0] * int(lesions.area.sum())).astype(np.int64)
        place = np.searchsorted(end, flat, side="right")
        pixel = flat - (end - lesions.area)[place]
        if most is not None:
            order = component_order(seed, image_id, code, components=len(lesions), count=len(lesions))
            place, moved = _not_more_often(place, order=order, most=most)
            pixel = np.where(moved, (chance[:, 0] * lesions.area[place]).astype(np.int64), pixel)
    return place, pixel, chance[:, 1:]


def _weighted(weights: NDArray[np.int64], *, chance: NDArray[np.float64]) -> NDArray[np.int64]:
    """Components in proportion to their weights, one for each number in [0, 1)."""
    end = np.cumsum(weights)
    flat = (chance * int(weights.sum())).astype(np.int64)
    return np.minimum(np.searchsorted(end, flat, side="right"), max(len(weights) - 1, 0))


def _not_more_often(
    place: NDArray[np.int64], *, order: NDArray[np.int64], most: int
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Components of draws, each at most ``most`` times, and which draws were moved to another one."""
    found, drawn, after = place.copy(), np.zeros(len(order), dtype=np.int64), 0
    for at, wish in enumerate(place):
        if drawn[wish] >= most:
            while drawn[order[after]] >= most:
                after += 1
            found[at] = order[after]
        drawn[found[at]] += 1
    return found, found != place


def member_strips(mask: Raster[np.bool_], lesions: Lesions, at: int) -> Iterator[tuple[Box, NDArray[np.bool_]]]:
    """Pixels of one component, strip by strip of its bounding box.

    Parameters
    ----------
    mask
        Of the class.
    lesions, at
        Which component.

    Raises
    ------
    StoreError
        The truth lacks the component in the candidate table.
    """
    box = lesions.box(at)
    if box.height <= STRIP_ROWS and np.count_nonzero(alone := mask.read(box)) == lesions.area[at]:
        yield box, alone
        return
    table = component_table(mask.part(box), rows=STRIP_ROWS)
    first = (table.first_y == lesions.first_y[at] - box.y0) & (table.first_x == lesions.first_x[at] - box.x0)
    found = np.flatnonzero(first & (table.area == lesions.area[at]))
    if len(found) != 1:
        raise StoreError(
            "The candidate table does not belong to the truth.",
            where=f"component {lesions.component[at]}, {box}",
            found="another component at its first pixel",
            expected=f"a component of {lesions.area[at]} pixels",
            remedy="Delete index/candidates and run the stage index again.",
        )
    for index, strip in enumerate(table.boxes):
        there = strip.shift(box.y0, box.x0)
        yield there, relabel(table, index, mask.read(there)) == found[0]


def pixel_positions(
    mask: Raster[np.bool_], lesions: Lesions, *, place: NDArray[np.int64], pixel: NDArray[np.int64]
) -> Positions:
    """Positions of pixels of components, given their numbers in raster order.

    Parameters
    ----------
    mask
        Of the class; read in the bounding boxes of the components in raster order.
    lesions
        Components.
    place
        Component of each pixel, ``(n,)``.
    pixel
        Its number in that component, ``(n,)``.
    """
    positions = np.zeros((len(place), 2), dtype=np.int64)
    for at in np.unique(place):
        wanted, seen = np.flatnonzero(place == at), 0
        for box, member in member_strips(mask, lesions, int(at)):
            flat = np.flatnonzero(member)
            here = wanted[(pixel[wanted] >= seen) & (pixel[wanted] < seen + len(flat))]
            y, x = np.divmod(flat[pixel[here] - seen], box.width)
            positions[here] = np.stack([y + box.y0, x + box.x0], axis=1)
            seen += len(flat)
    return positions


def around(wish: Positions, *, keep: Positions, height: int, width: int, patch: int) -> Boxes:
    """Boxes of patches near wanted centres, moved so that a pixel stays inside the patch and the patch inside the image.

    Parameters
    ----------
    wish
        Wanted centres, ``(n, 2)``; the centre of a patch of n pixels is pixel ``n // 2``.
    keep
        Pixels of the image that stay inside, ``(n, 2)``.
    height, width
        Pixels of the image.
    patch
        Side of a patch; an axis of the image that is shorter gives boxes of its own length.
    """
    image = np.array([height, width])
    size = np.minimum(image, patch)
    least, most = np.maximum(keep - size + 1, 0), np.minimum(keep, image - size)
    start = np.clip(wish - size // 2, least, most)
    return np.concatenate([start, start + size], axis=1)


def jittered(chance: NDArray[np.float64], *, most: int) -> Positions:
    """Jitter: uniform integers in −most…most, inclusive, from numbers in [0, 1)."""
    return np.asarray(np.floor(chance * (2 * most + 1)) - most, dtype=np.int64)


def background_boxes(image: NormalizedImage, *, seed: int, wanted: int, patch: int) -> Boxes:
    """Background patches: boxes without truth, centred in the roi, found in order by a bounded number of tries.

    None is centred on an ignored pixel or exceeds `pipeline.index.box_sums.MOST_IGNORED` of them.

    Parameters
    ----------
    image
        An opened store; truth and roi are read once in strips.
    seed
        Seed of the run.
    wanted
        Patches wanted from this image: more patches mean more tries, and the former boxes still come first.
    patch
        Side of a patch.
    """
    shape = np.array([image.height, image.width])
    size = np.minimum(shape, patch)
    tries = max(LEAST_TRIES, TRIES_EACH * wanted)
    chance = stream(seed, "index", image.image_id, "background").random((tries, 2))
    start = (chance * (shape - size + 1)).astype(np.int64)
    start = start[np.sort(np.unique(start, axis=0, return_index=True)[1])]
    centre = start + size // 2
    span = {"planes": 1, "rows": image.rows}
    in_roi = box_sums(image.roi_mask, np.concatenate([centre, centre + 1], axis=1), **span)[:, 0] > 0
    boxes = np.concatenate([start, start + size], axis=1)[in_roi]
    empty = box_sums(image.any_truth, boxes, **span)[:, 0] == 0
    return np.asarray(boxes[empty & is_certain(image, boxes)])
