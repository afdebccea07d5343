"""Suspected label errors in a patch: regions where a network is sure of a class that the truth lacks, or vice versa.

A region is `unmarked` where the probability of a class is at least ``sure`` and no truth of the class is near; a
component of the truth is `unseen` where it is at most 1 − ``sure`` everywhere in it. Its surprise is the sum over its
pixels of −log p of the true label, in nats: its contribution to a cross-entropy.

References
----------
.. [1] C. G. Northcutt, L. Jiang, I. L. Chuang, "Confident learning: estimating uncertainty in dataset labels", Journal of
   Artificial Intelligence Research 70:1373-1411, 2021.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.geometry import Box

__all__ = ["NEAR", "Suspect", "suspects_of"]

Kind: TypeAlias = Literal["unmarked", "unseen"]
NEAR = 5
"""Pixels around the truth of a class in which a prediction concerns the border, not the label."""
LEAST = 4
"""Pixels of the smallest region."""
MOST = 3
"""Most regions of a kind and class from one patch; the most surprising are kept."""
CERTAIN = 1e-6
"""Probability beyond which surprise does not grow."""


@dataclass(frozen=True, slots=True)
class Suspect:
    """Region whose label is in doubt."""

    kind: Kind
    number: int
    """Code of its class."""
    box: Box
    """Bounding box in the patch."""
    area: int
    """Pixels."""
    surprise: float
    """Nats."""
    probability: float
    """Mean probability of the class in it."""


def suspects_of(
    probability: NDArray[np.float32], truth: NDArray[np.bool_], known: NDArray[np.bool_], *, sure: float
) -> list[Suspect]:
    """Suspects of a patch, class by class, the most surprising first.

    Parameters
    ----------
    probability
        ``(class, h, w)`` in 0…1.
    truth
        ``(class, h, w)``.
    known
        ``(class, h, w)``: existing pixels that are not ignored and where somebody looked for the class.
    sure
        Probability from which the network counts as sure.
    """
    found = []
    for number in range(len(probability)):
        p, own, looked = probability[number], truth[number], known[number]
        wide = cv2.dilate(own.view(np.uint8), np.ones((2 * NEAR + 1, 2 * NEAR + 1), np.uint8)) > 0
        unmarked = _regions((p >= sure) & looked, p, 1 - p, kind="unmarked", number=number, apart_from=wide)
        # A component counts if the network is sure of its absence everywhere in it.
        unseen = _regions(own & looked, p, p, kind="unseen", number=number, below=1 - sure)
        for several in (unmarked, unseen):
            found += sorted(several, key=lambda each: (-each.surprise, each.box.y0, each.box.x0))[:MOST]
    return found


def _regions(
    mask: NDArray[np.bool_],
    p: NDArray[np.float32],
    right: NDArray[np.float32],
    *,
    kind: Kind,
    number: int,
    below: float = 1.0,
    apart_from: NDArray[np.bool_] | None = None,
) -> Iterator[Suspect]:
    """8-connected regions of a mask; ``right`` is the probability of the true label."""
    if not mask.any():
        return
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    for label in range(1, count):
        x, y, width, height, area = (int(value) for value in stats[label])
        box = Box(y, x, y + height, x + width)
        inside = labels[box.slices] == label
        chances = p[box.slices][inside].astype(np.float64)
        near = apart_from is not None and bool(apart_from[box.slices][inside].any())
        if area < LEAST or near or chances.max() > below:
            continue
        surprise = -np.log(np.maximum(right[box.slices][inside].astype(np.float64), CERTAIN)).sum()
        yield Suspect(kind, number, box, area, float(surprise), float(chances.mean()))
