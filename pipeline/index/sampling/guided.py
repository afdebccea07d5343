"""Guided sampling: a quota of anchors for each class and image, and a share of background patches."""

from collections.abc import Mapping, Sequence

import numpy as np

from pipeline.config import GuidedSampling
from pipeline.index.box_sums import Boxes
from pipeline.index.image import open_image
from pipeline.index.sampling.candidate_pool import EMPTY, CandidatePool
from pipeline.index.sampling.draw import draw_from_pools
from pipeline.index.sampling.frequency import ClassQuotas, guided_quotas
from pipeline.index.sampling.hard_negatives import (
    HardBoxes,
    avoided_boxes,
    drawn_boxes,
    hard_pool,
    listed_for,
    touches,
)
from pipeline.index.sampling.plan import (
    FixedBoxes,
    ImagePlan,
    SamplingPlan,
    caps_of,
    first_boxes,
    groups_of,
    hard_notes,
)
from pipeline.index.sampling.positions import background_boxes
from pipeline.index.sampling.quota import GroupRoom, apportion, spread
from pipeline.index.source import Source
from pipeline.runtime.threads import each
from pipeline.stores.job import Job
from pipeline.words import BACKGROUND

__all__ = ["draw_guided"]


def draw_guided(
    training: Sequence[Source], *, sampling: GuidedSampling, listed: Mapping[str, HardBoxes], job: Job
) -> SamplingPlan:
    """Guided sampling of the training images.

    Parameters
    ----------
    training
        Images of split train.
    sampling
        How to draw.
    listed
        Image → its boxes in the list of hard negatives.
    job
        Facts of the data set, seed, images that are scored at a time.

    Raises
    ------
    SamplingError
        No training image has anything to draw.
    """
    eligible = {source.image_id: source.eligible(sampling) for source in training}
    quotas = guided_quotas(eligible, codes=job.record.codes, sampling=sampling, groups=groups_of(training))
    pool = [source for source in training if source.lesions_known] if quotas.requested[BACKGROUND] else []
    background = _background(pool, total=quotas.requested[BACKGROUND], sampling=sampling, listed=listed, job=job)
    drawn = {
        image_id: ImagePlan(own, quotas.population, background.get(image_id, ()))
        for image_id, own in quotas.images.items()
    }
    notes = _share_notes(quotas, sampling=sampling)
    notes += _class_notes(drawn, requested=quotas.requested, frequencies=quotas.frequencies)
    if quotas.requested[BACKGROUND]:
        notes += hard_notes(drawn, sampling, wanted=quotas.requested[BACKGROUND])
    ids = tuple(source.image_id for source in pool)
    return SamplingPlan(drawn, quotas.requested, quotas.frequencies, ids, {}, tuple(notes))


def _background(
    pool: Sequence[Source],
    *,
    total: int,
    sampling: GuidedSampling,
    listed: Mapping[str, HardBoxes],
    job: Job,
) -> dict[str, tuple[FixedBoxes, ...]]:
    if not pool:
        return {}
    group_of, limits, use = groups_of(pool), caps_of(sampling), sampling.hard_negatives
    found = each(lambda s: _hard(s, sampling, seed=job.seed, listed=listed), pool, workers=job.workers)
    hard = dict(zip(group_of, found, strict=True))
    first = draw_from_pools(hard, wanted=round(total * use.share), groups=group_of, caps=limits)
    left = total - sum(first.values())
    weights = {source.image_id: source.candidates.roi_pixels for source in pool}
    wishes = dict(zip(weights, apportion(left, list(weights.values())), strict=True))

    def plain(source: Source) -> Boxes:
        wish = wishes[source.image_id]
        boxes = background_boxes(open_image(source.store), seed=job.seed, wanted=wish, patch=sampling.patch)
        boxes = boxes[~touches(boxes, avoided_boxes(listed_for(listed, source.image_id), use))]
        return boxes[:left]

    boxes = dict(zip(group_of, each(plain, pool, workers=job.workers), strict=True))
    capacity = {key: _under(len(found), limits.image, used=first[key]) for key, found in boxes.items()}
    rooms = GroupRoom(group_of, limits.group, taken=first)
    shares = spread(left, weights=weights, capacity=capacity, rooms=rooms)
    return {
        key: (
            first_boxes("hard", hard[key], first[key]),
            FixedBoxes(BACKGROUND, found[: shares[key]], np.ones(shares[key])),
        )
        for key, found in boxes.items()
    }


def _under(count: int, cap: int | None, *, used: int) -> int:
    return count if cap is None else max(min(count, cap - used), 0)


def _hard(source: Source, sampling: GuidedSampling, *, seed: int, listed: Mapping[str, HardBoxes]) -> CandidatePool:
    found, use = listed_for(listed, source.image_id), sampling.hard_negatives
    boxes, avoided = drawn_boxes(found, use), avoided_boxes(found, use)
    if not len(boxes):
        return EMPTY
    return hard_pool(open_image(source.store), boxes, seed=seed, patch=sampling.patch, avoided=avoided)


def _share_notes(quotas: ClassQuotas, *, sampling: GuidedSampling) -> list[str]:
    """Notes on classes that would exceed their largest share."""
    notes = []
    for code, share in sampling.most_share.items():
        have, wanted = quotas.requested[code], quotas.unlimited[code]
        if have < wanted:
            notes.append(
                f"{code}: {have} instead of {wanted} patches, for most_share is {share:g}; others take the rest."
            )
    missing = sum(quotas.unlimited.values()) - sum(quotas.requested[code] for code in quotas.unlimited)
    if missing:
        notes.append(f"{missing} patches fewer than asked for: every class that is present is at its most_share.")
    return notes


def _class_notes(
    drawn: Mapping[str, ImagePlan], *, requested: Mapping[str, int], frequencies: Mapping[str, int]
) -> list[str]:
    notes = []
    for code, frequency in frequencies.items():
        have = sum(each.quotas[code] for each in drawn.values())
        if not frequency:
            notes.append(f"{code}: no component of allowed area in the training images, so no patch is drawn for it.")
        elif not requested[code]:
            notes.append(f"{code}: its share of the total is less than one patch, so no patch is drawn for it.")
        elif have < requested[code]:
            notes.append(
                f"{code}: {have} of {requested[code]} patches; the quotas per component, image or group allow no more."
            )
    wanted = requested[BACKGROUND]
    have = sum(len(part.boxes) for each in drawn.values() for part in each.fixed)
    if have < wanted:
        notes.append(
            f"Background: {have} of {wanted} patches; no further place in the roi of a training image"
            " in which every lesion was looked for has a box without truth, within the quotas."
        )
    return notes
