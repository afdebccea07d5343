"""Balanced sampling: positives with lesions and negatives without, drawn in an exact ratio."""

from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.config import BalancedSampling
from pipeline.errors import SamplingError
from pipeline.index.image import open_image
from pipeline.index.sampling.balanced_pools import CandidatePools, candidate_pools
from pipeline.index.sampling.draw import DrawnCounts, available, counts_in_ratio, draw_from_pools
from pipeline.index.sampling.hard_negatives import HardBoxes, listed_for
from pipeline.index.sampling.plan import ImagePlan, SamplingPlan, caps_of, first_boxes, groups_of, hard_notes
from pipeline.index.source import Source
from pipeline.runtime.threads import each
from pipeline.stores.job import Job
from pipeline.words import BACKGROUND

__all__ = ["draw_balanced"]


def draw_balanced(
    training: Sequence[Source], *, sampling: BalancedSampling, listed: Mapping[str, HardBoxes], job: Job
) -> SamplingPlan:
    """Balanced sampling of the training images.

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
        Where the ratio leaves nothing to draw.
    """
    group_of, limits = groups_of(training), caps_of(sampling)
    givers, notes = _givers(training, codes=job.record.lesion_codes, sampling=sampling)

    def scored(source: Source) -> CandidatePools:
        return _pools(source, sampling, listed=listed, negatives=source.image_id in givers, job=job)

    pools = dict(zip(group_of, each(scored, training, workers=job.workers), strict=True))
    sizes = {
        "positives": {key: len(own.positives) for key, own in pools.items()},
        "negatives": {key: len(own.hard) + len(own.negatives) for key, own in pools.items()},
    }
    offered = {side: available(found, groups=group_of, caps=limits) for side, found in sizes.items()}
    wanted = counts_in_ratio(sampling.total, ratio=sampling.ratio, **_unlimited(sampling))
    positives, negatives = counts_in_ratio(sampling.total, ratio=sampling.ratio, **offered)
    if not positives + negatives:
        raise _nothing(training, offered=offered, sampling=sampling)
    drawn = _taken(pools, positives=positives, negatives=negatives, group_of=group_of, sampling=sampling)
    notes += _side_notes(wanted, (positives, negatives), offered=offered, sampling=sampling)
    notes += hard_notes(drawn, sampling, wanted=negatives)
    requested = {"positive": wanted[0], BACKGROUND: wanted[1]}
    return SamplingPlan(drawn, requested, {}, tuple(givers), offered, tuple(notes))


def _unlimited(sampling: BalancedSampling) -> dict[str, int]:
    return {"positives": sampling.total, "negatives": sampling.total}


def _givers(
    training: Sequence[Source], *, codes: tuple[str, ...], sampling: BalancedSampling
) -> tuple[list[str], list[str]]:
    """Images that negatives come from, and a note where that is not as asked."""
    known = [source for source in training if source.annotated]
    if sampling.negatives == "anywhere":
        return [source.image_id for source in known], []
    free = [source.image_id for source in known if not any(len(source.candidates.lesions[code]) for code in codes)]
    if free or not known or not sampling.ratio[1]:
        return free, []
    note = "No training image is free of lesions: negatives come from lesion-free regions of all training images."
    return [source.image_id for source in known], [note]


def _pools(
    source: Source, sampling: BalancedSampling, *, listed: Mapping[str, HardBoxes], negatives: bool, job: Job
) -> CandidatePools:
    wants_negatives = bool(sampling.ratio[1])
    gives = {
        "positives": bool(sampling.ratio[0]),
        "hard": wants_negatives and source.annotated and sampling.hard_negatives.use == "draw",
        "negatives": wants_negatives and negatives,
    }
    limits = [sampling.total, sampling.most_per_image, sampling.most_per_group]
    return candidate_pools(
        open_image(source.store),
        source.candidates,
        sampling=sampling,
        seed=job.seed,
        modality=job.record.modality,
        codes=job.record.lesion_codes,
        gives=gives,
        listed=listed_for(listed, source.image_id),
        most=min(each for each in limits if each is not None),
    )


def _taken(
    pools: Mapping[str, CandidatePools],
    *,
    positives: int,
    negatives: int,
    group_of: Mapping[str, str],
    sampling: BalancedSampling,
) -> dict[str, ImagePlan]:
    """Hard negatives up to their share, then others, then more hard ones where the others do not reach."""
    options: dict[str, Any] = {"groups": group_of, "caps": caps_of(sampling)}
    hard = {key: own.hard for key, own in pools.items()}
    share = round(negatives * sampling.hard_negatives.share)
    true = draw_from_pools({key: own.positives for key, own in pools.items()}, wanted=positives, **options)
    first = draw_from_pools(hard, wanted=share, **options)
    plain = draw_from_pools(
        {key: own.negatives for key, own in pools.items()},
        wanted=negatives - sum(first.values()),
        taken=[first],
        **options,
    )
    rest = {key: pool.select(slice(first[key], None)) for key, pool in hard.items()}
    missing = negatives - sum(first.values()) - sum(plain.values())
    more = draw_from_pools(rest, wanted=missing, taken=[first, plain], **options)
    return {key: _drawn(own, true=true, hard=[first, more], plain=plain, image_id=key) for key, own in pools.items()}


def _drawn(
    own: CandidatePools, *, true: DrawnCounts, hard: Sequence[DrawnCounts], plain: DrawnCounts, image_id: str
) -> ImagePlan:
    boxes = (
        first_boxes("positive", own.positives, true[image_id]),
        first_boxes("hard", own.hard, sum(each[image_id] for each in hard)),
        first_boxes("negative", own.negatives, plain[image_id]),
    )
    return ImagePlan({}, {}, boxes)


def _side_notes(
    wanted: tuple[int, int], drawn: tuple[int, int], *, offered: Mapping[str, int], sampling: BalancedSampling
) -> list[str]:
    notes = []
    first, second = sampling.ratio
    if sum(wanted) < sampling.total:
        notes.append(
            f"The total {sampling.total} cannot be divided {first}:{second}: {sum(wanted)} patches are asked for."
        )
    if drawn == wanted:
        return notes
    names = ("positives", "negatives")
    short = [
        f"{offered[name]} {name} of {want}" for name, want in zip(names, wanted, strict=True) if offered[name] < want
    ]
    there = f"There are {' and '.join(short)} asked for, within quotas and distances"
    kept = f"{drawn[0]} positives and {drawn[1]} negatives are drawn, so that the ratio {first}:{second} is kept"
    return [*notes, f"{there}: {kept}."]


def _nothing(training: Sequence[Source], *, offered: Mapping[str, int], sampling: BalancedSampling) -> SamplingError:
    found = f"{len(training)} training images with {offered['positives']} positive and {offered['negatives']} negative boxes"
    return SamplingError(
        "There is nothing to draw in this ratio.",
        where="strategy balanced",
        found=found,
        expected=f"both sides for the ratio {sampling.ratio[0]}:{sampling.ratio[1]}",
        remedy="Use negatives: anywhere, a smaller patch, positive_share, least_roi or negative_distance, ratio"
        " [1, 0] or [0, 1] for one side only, or strategy grid.",
    )
