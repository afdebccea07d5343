"""Candidate pools of one image for balanced sampling: positives, hard negatives and negatives, in order of drawing.

Positions do not depend on the draws. Each square of a lattice has one random position, so positions spread over the
whole image; one position is centred on each lesion, so every lesion can be drawn.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.config import BalancedSampling
from pipeline.index.box_sums import Boxes, is_certain, truth_counts
from pipeline.index.candidates import Candidates
from pipeline.index.image import NormalizedImage
from pipeline.index.sampling.candidate_pool import EMPTY, CandidatePool, apart, draw_keys, in_order, joined
from pipeline.index.sampling.hard_negatives import HardBoxes, avoided_boxes, drawn_boxes, hard_pool, touches
from pipeline.index.sampling.positions import around, jittered
from pipeline.index.structure import structure
from pipeline.seeds import stream

__all__ = ["CandidatePools", "candidate_boxes", "candidate_pools", "stride"]


@dataclass(frozen=True, slots=True, eq=False)
class CandidatePools:
    """Candidate pools of one image, each in the order in which it is drawn."""

    positives: CandidatePool
    """Boxes with lesions; weights are lesion shares to the power gamma."""
    hard: CandidatePool
    """Boxes without truth from the list of hard negatives; weights are scores."""
    negatives: CandidatePool
    """Boxes without truth and with few ignored pixels; weights are structure scores to their power.

    They keep their distance from ``hard`` too."""


def candidate_boxes(
    candidates: Candidates, *, codes: Sequence[str], seed: int, patch: int, step: int, rounds: int = 1
) -> Boxes:
    """Candidate positions of an image, none twice: a jittered lattice, and one centred on each lesion.

    Parameters
    ----------
    candidates
        Size and lesions of the image.
    codes
        Classes whose components get a position of their own.
    seed
        Seed of the run.
    patch
        Side of a patch; an axis of the image that is shorter gives boxes of its own length.
    step
        Side of the squares of the lattice.
    rounds
        Number of positions from each square and each lesion; each after the first has another jitter.

    Returns
    -------
    NDArray
        ``(n, 4)``, first one for each square in raster order, then one for each component; then the next round.
    """
    found = []
    for at in range(rounds):
        place: list[str | int] = ["index", candidates.image_id, "balanced", "place", *([at] if at else [])]
        found.append(_lattice(candidates, patch=patch, step=step, rng=stream(seed, *place)))
        for code in codes:
            rng = stream(seed, *place, code) if at else None
            found.append(_on_lesions(candidates, code, patch=patch, rng=rng))
    boxes = np.concatenate(found)
    places = boxes[:, 0] * (candidates.width + 1) + boxes[:, 1]
    return np.asarray(boxes[np.sort(np.unique(places, return_index=True)[1])])


def _lattice(candidates: Candidates, *, patch: int, step: int, rng: np.random.Generator) -> Boxes:
    shape = np.array([candidates.height, candidates.width])
    size = np.minimum(shape, patch)
    rows, columns = -(-(shape - size + 1) // step)
    chance = rng.random((rows, columns, 2))
    corner = np.stack(np.meshgrid(np.arange(rows) * step, np.arange(columns) * step, indexing="ij"), axis=-1)
    room = np.minimum(shape - size + 1 - corner, step)
    start = (corner + np.floor(chance * room).astype(np.int64)).reshape(-1, 2)
    return np.concatenate([start, start + size], axis=1)


def _on_lesions(candidates: Candidates, code: str, *, patch: int, rng: np.random.Generator | None) -> Boxes:
    """Boxes around the middle of each lesion, shifted by up to half a patch if a stream is given."""
    lesions = candidates.lesions[code]
    middle = np.stack([lesions.y0 + lesions.y1, lesions.x0 + lesions.x1], axis=1) // 2
    first = np.stack([lesions.first_y, lesions.first_x], axis=1)
    if rng is not None:
        middle = middle + jittered(rng.random((len(middle), 2)), most=patch // 2)
    return around(middle, keep=first, height=candidates.height, width=candidates.width, patch=patch)


def spacing(sampling: BalancedSampling) -> int:
    """Least distance between the centres of two negatives, in pixels."""
    return sampling.patch // 2 if sampling.negative_distance is None else sampling.negative_distance


def stride(sampling: BalancedSampling) -> int:
    """Stride of the lattice: side of the squares in which one position each can be drawn."""
    return max(1, sampling.patch // 16) if sampling.step is None else sampling.step


@dataclass(frozen=True, slots=True, eq=False)
class _Counted:
    """Positions with what is inside them."""

    boxes: Boxes
    exponential: NDArray[np.float64]
    lesion: NDArray[np.int64]
    """Pixels of lesion classes."""
    truth: NDArray[np.int64]
    """Pixels of any class."""
    roi: NDArray[np.int64]

    @property
    def area(self) -> NDArray[np.int64]:
        return np.asarray((self.boxes[:, 2] - self.boxes[:, 0]) * (self.boxes[:, 3] - self.boxes[:, 1]))


def _counted(
    image: NormalizedImage,
    candidates: Candidates,
    *,
    codes: Sequence[str],
    seed: int,
    sampling: BalancedSampling,
    rounds: int,
) -> _Counted:
    places: dict[str, Any] = {"patch": sampling.patch, "step": stride(sampling), "rounds": rounds}
    boxes = candidate_boxes(candidates, codes=codes, seed=seed, **places)
    groups = [[image.classes.index(code) for code in codes], range(len(image.classes))]
    sums = truth_counts(image, boxes, groups=groups)
    order = stream(seed, "index", image.image_id, "balanced", "order")
    return _Counted(boxes, order.standard_exponential(len(boxes)), *sums.T)


def _positives(counted: _Counted, *, sampling: BalancedSampling, most: int) -> CandidatePool:
    share = counted.lesion / counted.area
    which = (counted.lesion > 0) & (share >= sampling.positive_share)
    key = draw_keys(counted.exponential[which], share[which], power=sampling.gamma)
    ordered = in_order(CandidatePool(key, counted.boxes[which], share[which] ** sampling.gamma))
    return ordered.select(apart(ordered.boxes, distance=sampling.positive_distance, most=most))


def _negatives(
    image: NormalizedImage,
    counted: _Counted,
    *,
    sampling: BalancedSampling,
    modality: str,
    listed: HardBoxes,
    hard: CandidatePool,
    most: int,
) -> CandidatePool:
    which = (counted.truth == 0) & (counted.roi > 0) & (counted.roi >= sampling.least_roi * counted.area)
    which &= is_certain(image, counted.boxes)
    which &= ~touches(counted.boxes, avoided_boxes(listed, sampling.hard_negatives))
    boxes = counted.boxes[which]
    score = structure(image, boxes, modality=modality).astype(np.float64)
    key = draw_keys(counted.exponential[which], score, power=sampling.structure_power)
    ordered = in_order(CandidatePool(key, boxes, score**sampling.structure_power))
    every = joined(hard, ordered)
    stays = apart(every.boxes, distance=spacing(sampling), most=len(hard) + most)
    # The boxes of `hard` are apart already, so all stay, and the remaining ones of `ordered` are apart from them too.
    return ordered.select(stays[len(hard) :])


def candidate_pools(
    image: NormalizedImage,
    candidates: Candidates,
    *,
    sampling: BalancedSampling,
    seed: int,
    modality: str,
    codes: Sequence[str],
    gives: Mapping[str, bool],
    listed: HardBoxes,
    most: int,
    rounds: int = 1,
) -> CandidatePools:
    """Candidate pools of one image: its positions counted, scored and ordered.

    Parameters
    ----------
    image, candidates
        The image and its components.
    sampling
        How to draw.
    seed
        Seed of the run.
    modality
        Decides how structure is measured.
    codes
        Lesion classes, which make a box positive.
    gives
        Whether the image may give ``positives``, ``hard`` and ``negatives``; the other pools are empty.
    listed
        Its boxes in the list of hard negatives.
    most
        Most boxes of each pool that may be needed.
    rounds
        Number of draws of each place.
    """
    hard = EMPTY
    use = sampling.hard_negatives
    boxes, avoided = drawn_boxes(listed, use), avoided_boxes(listed, use)
    if gives["hard"] and len(boxes):
        found = hard_pool(image, boxes, seed=seed, patch=sampling.patch, avoided=avoided)
        hard = found.select(apart(found.boxes, distance=spacing(sampling), most=most))
    positive = gives["positives"] and any(len(candidates.lesions[code]) for code in codes)
    if not (positive or gives["negatives"]):
        return CandidatePools(EMPTY, hard, EMPTY)
    counted = _counted(image, candidates, codes=codes, seed=seed, sampling=sampling, rounds=rounds)
    positives = _positives(counted, sampling=sampling, most=most) if positive else EMPTY
    if not gives["negatives"]:
        return CandidatePools(positives, hard, EMPTY)
    options: dict[str, Any] = {"sampling": sampling, "modality": modality, "listed": listed, "hard": hard, "most": most}
    return CandidatePools(positives, hard, _negatives(image, counted, **options))
