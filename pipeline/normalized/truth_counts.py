"""Truth counts of a normalised image: pixels of each class, those in the roi, components erased by rescaling."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import zarr
from numpy.typing import NDArray

from pipeline.counts import number_of
from pipeline.geometry import Box
from pipeline.normalized.rescale import Rescaling, Vanished, vanished_components
from pipeline.raw.truth import TruthSource
from pipeline.stores import as_array, read_box

__all__ = ["TruthCounts", "count_truth", "flags_of", "vanished_regions"]

COUNTED = 2**26
"""Largest image, in pixels, whose vanished regions are counted, because counting needs whole masks."""


def vanished_regions(
    truth: TruthSource | None, rescaling: Rescaling, *, codes: tuple[str, ...]
) -> Mapping[str, Vanished] | None:
    """Truth regions of each class, and how many vanish at the new size; None where they were not counted.

    Whole masks are in memory. At an unchanged size there is nothing to count.

    Parameters
    ----------
    truth
        Truth masks of the image, if it is annotated.
    rescaling
        From which size to which.
    codes
        Class codes in the order of the masks.
    """
    if truth is None or rescaling.is_identity:
        return {}
    if rescaling.source_height * rescaling.source_width > COUNTED:
        return None
    source, small = (
        truth.on(height, width).read(Box.of_shape(height, width)).astype(np.bool_)
        for height, width in (
            (rescaling.source_height, rescaling.source_width),
            (rescaling.height, rescaling.width),
        )
    )
    return {
        code: vanished_components(mask, rescaled, rescaling)
        for code, mask, rescaled in zip(codes, source, small, strict=True)
    }


def flags_of(vanished: Mapping[str, Vanished] | None) -> list[str]:
    """Flags of truth regions that vanish at the new size."""
    if vanished is None:
        return ["regions too small for this size were not counted"]
    return [
        f"{number_of(each.erased, 'region')} of {code} {'was' if each.erased == 1 else 'were'} too small for this size"
        for code, each in vanished.items()
        if each.erased
    ]


@dataclass(frozen=True, slots=True)
class TruthCounts:
    """Truth counts of an image."""

    classes: Mapping[str, Mapping[str, int]]
    """Class code → ``pixels``, ``in_roi`` (of those), and where they were counted ``components`` of the truth before
    rescaling and ``erased``, how many of them have no pixel left."""
    overlapping: tuple[int, ...]
    """Planes of the classes that overlap another class."""


def count_truth(
    group: zarr.Group, *, codes: Sequence[str], boxes: Iterable[Box], vanished: Mapping[str, Vanished]
) -> TruthCounts:
    """Truth counts of each class, from the written arrays, so that they are complete after a resumed run too.

    Parameters
    ----------
    group
        The store, all its blocks written.
    codes
        Classes in the order of the array ``truth``.
    boxes
        The blocks, which are read one by one.
    vanished
        Components of each class that rescaling erased, where they were counted.
    """
    truth, roi = (as_array(group, name) for name in ("truth", "roi"))
    pixels, inside = np.zeros((2, len(codes)), np.int64)
    overlapping = np.zeros(len(codes), np.bool_)
    for box in boxes:
        masks = read_box(truth, box)
        found = _counted(masks)
        pixels += found
        if found.any():
            overlapping |= _shares(masks)
            masks &= read_box(roi, box)
            inside += _counted(masks)
    counts = {code: {"pixels": int(pixels[at]), "in_roi": int(inside[at])} for at, code in enumerate(codes)}
    for code, each in vanished.items():
        counts[code] |= {"components": each.components, "erased": each.erased}
    return TruthCounts(counts, tuple(int(at) for at in np.nonzero(overlapping)[0]))


def _counted(masks: NDArray[np.uint8]) -> NDArray[np.int64]:
    # Plane by plane, as booleans: counting along axes, NumPy copies all planes.
    return np.array([np.count_nonzero(plane.view(np.bool_)) for plane in masks], np.int64)


def _shares(masks: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Classes that share a pixel with another class."""
    shared = masks.sum(axis=0, dtype=np.uint8) > 1
    rows = np.flatnonzero(shared.any(axis=1))
    return np.array([(plane[rows] & shared[rows]).any() for plane in masks])
