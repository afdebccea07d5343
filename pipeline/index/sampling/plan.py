"""Plan of a sampling: the draws of a strategy from each training image, as quotas and ready boxes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.config import DrawnSampling
from pipeline.counts import first_names
from pipeline.index.box_sums import Boxes
from pipeline.index.sampling.candidate_pool import CandidatePool
from pipeline.index.sampling.hard_negatives import HardBoxes
from pipeline.index.sampling.quota import Caps
from pipeline.index.source import Source
from pipeline.words import BACKGROUND

__all__ = [
    "FixedBoxes",
    "ImagePlan",
    "SamplingPlan",
    "caps_of",
    "first_boxes",
    "groups_of",
    "hard_notes",
    "input_notes",
]


@dataclass(frozen=True, slots=True, eq=False)
class FixedBoxes:
    """Ready boxes of one image, in the order of drawing."""

    kind: str
    """``positive``, ``hard``, ``negative`` or ``background``: part of the patch's id."""
    boxes: Boxes
    weight: NDArray[np.float64]

    @property
    def target(self) -> str | None:
        """Class it was drawn for; None where its truth decides."""
        return None if self.kind == "positive" else BACKGROUND


@dataclass(frozen=True, slots=True, eq=False)
class ImagePlan:
    """Plan of one training image: quotas per class, and ready boxes."""

    quotas: Mapping[str, int]
    """Class → patches drawn around anchors."""
    population: Mapping[str, int]
    """Class → components or pixels in all training images."""
    fixed: tuple[FixedBoxes, ...]
    """Ready boxes."""


@dataclass(frozen=True, slots=True, eq=False)
class SamplingPlan:
    """Plan of a sampling: quotas and boxes of all training images, with requested numbers and shortages."""

    images: Mapping[str, ImagePlan] = field(default_factory=dict)
    """Image → its plan; empty for the grid."""
    requested: Mapping[str, int] = field(default_factory=dict)
    """Class, ``positive`` or ``background`` → requested patches."""
    frequencies: Mapping[str, int] = field(default_factory=dict)
    """Guided: class → f_c."""
    negatives_from: tuple[str, ...] = ()
    """Images that may give patches without truth."""
    offered: Mapping[str, int] = field(default_factory=dict)
    """Balanced: numbers available within the quotas."""
    notes: tuple[str, ...] = ()
    """Deviations from the request, in plain sentences."""
    gave_way: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Balanced: side → relaxed rule → original and relaxed value."""


def first_boxes(kind: str, pool: CandidatePool, count: int) -> FixedBoxes:
    """Boxes from the head of a candidate pool."""
    chosen = pool.select(slice(count))
    return FixedBoxes(kind, chosen.boxes, chosen.weight)


def caps_of(sampling: DrawnSampling) -> Caps:
    """Quotas per image and per group."""
    return Caps(sampling.most_per_image, sampling.most_per_group)


def groups_of(training: Sequence[Source]) -> dict[str, str]:
    """Group (patient) of each image."""
    return {source.image_id: source.group_id for source in training}


def hard_notes(images: Mapping[str, ImagePlan], sampling: DrawnSampling, *, wanted: int) -> list[str]:
    """Note if the list of hard negatives gave fewer than its share."""
    use = sampling.hard_negatives
    if use.table is None or use.use == "avoid":
        return []
    have = sum(len(part.boxes) for each in images.values() for part in each.fixed if part.kind == "hard")
    asked = round(wanted * use.share)
    if have >= asked:
        return []
    return [
        f"Hard negatives: {have} of {asked} patches; the list has no further box with room for a patch without truth."
    ]


def input_notes(training: Sequence[Source], *, listed: Mapping[str, HardBoxes], negatives: bool) -> list[str]:
    """Notes on training images that give no negatives, and on listed boxes that lie elsewhere."""
    notes = []
    unknown = [source.image_id for source in training if not source.lesions_known]
    if unknown and negatives:
        why = "because some lesion was not looked for"
        notes.append(f"{len(unknown)} training images give no negatives, {why} ({first_names(unknown)}).")
    if foreign := sorted(set(listed) - {source.image_id for source in training}):
        boxes = sum(len(listed[image_id]) for image_id in foreign)
        where = f"lie in images that do not train ({first_names(foreign)})"
        notes.append(f"{boxes} boxes of the hard-negative list {where}: left out.")
    return notes
