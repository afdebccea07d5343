"""Balanced sampling: positives with lesions and negatives without, drawn in an exact ratio."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.config import BalancedSampling
from pipeline.errors import SamplingError
from pipeline.index.image import open_image
from pipeline.index.sampling.balanced_pools import CandidatePools, candidate_pools
from pipeline.index.sampling.draw import available, counts_in_ratio, draw_from_pools
from pipeline.index.sampling.easing import SIDES, Eased, as_asked, eased_until, gave_way
from pipeline.index.sampling.hard_negatives import HardBoxes, listed_for
from pipeline.index.sampling.plan import ImagePlan, SamplingPlan, first_boxes, groups_of, hard_notes
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
        The ratio leaves nothing to draw.
    """
    givers, notes = _givers(training, codes=job.record.lesion_codes, sampling=sampling)
    draw = _Draw(training, frozenset(givers), sampling, listed, job)
    wanted = counts_in_ratio(sampling.total, ratio=sampling.ratio, positives=sampling.total, negatives=sampling.total)
    pools = draw.pools(*SIDES, rules={side: as_asked(side, sampling) for side in SIDES}, most=_most(sampling))
    found = {side: draw.offer(side, pools, rules=as_asked(side, sampling)) for side in SIDES}
    if not sampling.soft:
        found = _eased(draw, found, wanted=dict(zip(SIDES, wanted, strict=True)))
    offered = {side: found[side].count for side in SIDES}
    counts = (_filled if sampling.soft else counts_in_ratio)(sampling.total, ratio=sampling.ratio, **offered)
    if not all(count for count, part in zip(counts, sampling.ratio, strict=True) if part):
        raise _nothing(training, offered=offered, sampling=sampling)
    drawn = _taken(found, counts=counts, groups=groups_of(training), sampling=sampling)
    changes = {side: gave_way(side, first=as_asked(side, sampling), last=found[side].rules) for side in SIDES}
    notes += [said for _, each in changes.values() for said in each]
    notes += _side_notes(wanted, counts, offered=offered, sampling=sampling)
    notes += hard_notes(drawn, sampling, wanted=counts[1])
    return SamplingPlan(
        drawn,
        {"positive": wanted[0], BACKGROUND: wanted[1]},
        {},
        tuple(givers),
        offered,
        tuple(notes),
        {side: each for side, (each, _) in changes.items() if each},
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Offer:
    """Boxes that one side offers under some rules."""

    rules: Eased
    pools: Mapping[str, CandidatePools]
    count: int


@dataclass(frozen=True, slots=True, eq=False)
class _Draw:
    """Training images, and the way to make their pools."""

    training: Sequence[Source]
    givers: frozenset[str]
    """Images that negatives come from."""
    sampling: BalancedSampling
    listed: Mapping[str, HardBoxes]
    job: Job

    def pools(self, *sides: str, rules: Mapping[str, Eased], most: int) -> dict[str, CandidatePools]:
        """Pools of all images for some sides, under rules with equal numbers of draws per place."""
        distances = {f"{side[:-1]}_distance": rules[side].distance for side in sides}
        sampling, rounds = self.sampling.model_copy(update=distances), rules[sides[0]].rounds

        def scored(source: Source) -> CandidatePools:
            return self._pools(source, sampling, sides=sides, most=most, rounds=rounds)

        found = each(scored, self.training, workers=self.job.workers)
        return dict(zip((source.image_id for source in self.training), found, strict=True))

    def _pools(
        self, source: Source, sampling: BalancedSampling, *, sides: Sequence[str], most: int, rounds: int
    ) -> CandidatePools:
        negatives = bool(sampling.ratio[1]) and "negatives" in sides
        gives = {
            "positives": bool(sampling.ratio[0]) and "positives" in sides,
            "hard": negatives and source.lesions_known and sampling.hard_negatives.use == "draw",
            "negatives": negatives and source.image_id in self.givers,
        }
        return candidate_pools(
            open_image(source.store),
            source.candidates,
            sampling=sampling,
            seed=self.job.seed,
            modality=self.job.record.modality,
            codes=self.job.record.lesion_codes,
            gives=gives,
            listed=listed_for(self.listed, source.image_id),
            most=most,
            rounds=rounds,
        )

    def offer(self, side: str, pools: Mapping[str, CandidatePools], *, rules: Eased) -> _Offer:
        """Boxes that one side offers, from pools made by the rules."""
        sizes = {
            key: len(own.positives) if side == "positives" else len(own.hard) + len(own.negatives)
            for key, own in pools.items()
        }
        return _Offer(rules, pools, available(sizes, groups=groups_of(self.training), caps=rules.caps))


def _most(sampling: BalancedSampling) -> int:
    """Most boxes of one pool that may be needed."""
    limits = (sampling.total, sampling.most_per_image, sampling.most_per_group)
    return min(each for each in limits if each is not None)


def _eased(draw: _Draw, found: Mapping[str, _Offer], *, wanted: Mapping[str, int]) -> dict[str, _Offer]:
    """Offers of both sides, with relaxed rules for a short side: first the shorter one, then the other as far as needed."""
    offers, needs = dict(found), dict(wanted)
    for side in sorted(SIDES, key=lambda side: found[side].count / max(wanted[side], 1)):
        if offers[side].count < needs[side]:
            offers[side] = _eased_side(draw, offers[side], side, wanted=needs[side])
            most = dict.fromkeys(SIDES, draw.sampling.total) | {side: offers[side].count}
            both = counts_in_ratio(draw.sampling.total, ratio=draw.sampling.ratio, **most)
            needs = dict(zip(SIDES, both, strict=True))
    return offers


def _eased_side(draw: _Draw, first: _Offer, side: str, *, wanted: int) -> _Offer:
    made: dict[tuple[int, int], dict[str, CandidatePools]] = {}

    def offer(rules: Eased) -> _Offer:
        key = (rules.distance, rules.rounds)
        if key not in made:
            made.clear()
            made[key] = draw.pools(side, rules={side: rules}, most=draw.sampling.total)
        return draw.offer(side, made[key], rules=rules)

    rules = eased_until(wanted, first=first.rules, most=first.count, offered=lambda rules: offer(rules).count)
    return first if rules == first.rules else offer(rules)


def _filled(total: int, *, ratio: tuple[int, int], positives: int, negatives: int) -> tuple[int, int]:
    """Numbers of positives and negatives up to the total: in the ratio as far as possible, then the rest from the longer side.

    Examples
    --------
    >>> _filled(100, ratio=(1, 1), positives=300, negatives=11)
    (89, 11)
    """
    first, second = counts_in_ratio(total, ratio=ratio, positives=total, negatives=total)
    first, second = min(first, positives), min(second, negatives)
    more = min(positives - first, total - first - second) if ratio[0] else 0
    first += more
    return first, second + (min(negatives - second, total - first - second) if ratio[1] else 0)


def _givers(
    training: Sequence[Source], *, codes: tuple[str, ...], sampling: BalancedSampling
) -> tuple[list[str], list[str]]:
    """Images that negatives come from, and a note if they differ from the request."""
    known = [source for source in training if source.lesions_known]
    if sampling.negatives == "anywhere":
        return [source.image_id for source in known], []
    free = [source.image_id for source in known if not any(len(source.candidates.lesions[code]) for code in codes)]
    if free or not known or not sampling.ratio[1]:
        return free, []
    note = "No training image is free of lesions: negatives come from lesion-free regions of all training images."
    return [source.image_id for source in known], [note]


def _taken(
    found: Mapping[str, _Offer], *, counts: tuple[int, int], groups: Mapping[str, str], sampling: BalancedSampling
) -> dict[str, ImagePlan]:
    """Hard negatives up to their share, then others, then more hard ones if the others are too few."""
    positives, negatives = counts
    true = draw_from_pools(
        {key: own.positives for key, own in found["positives"].pools.items()},
        wanted=positives,
        groups=groups,
        caps=found["positives"].rules.caps,
    )
    options: dict[str, Any] = {"groups": groups, "caps": found["negatives"].rules.caps}
    pools = found["negatives"].pools
    hard = {key: own.hard for key, own in pools.items()}
    first = draw_from_pools(hard, wanted=round(negatives * sampling.hard_negatives.share), **options)
    plain = draw_from_pools(
        {key: own.negatives for key, own in pools.items()},
        wanted=negatives - sum(first.values()),
        taken=[first],
        **options,
    )
    rest = {key: pool.select(slice(first[key], None)) for key, pool in hard.items()}
    missing = negatives - sum(first.values()) - sum(plain.values())
    more = draw_from_pools(rest, wanted=missing, taken=[first, plain], **options)
    return {
        key: ImagePlan(
            {},
            {},
            (
                first_boxes("positive", found["positives"].pools[key].positives, true[key]),
                first_boxes("hard", own.hard, first[key] + more[key]),
                first_boxes("negative", own.negatives, plain[key]),
            ),
        )
        for key, own in pools.items()
    }


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
    there = f"There are {' and '.join(short)} asked for"
    if sampling.soft:
        kept = f"{drawn[0]} positives and {drawn[1]} negatives are drawn, and training batches have the ratio {first}:{second}"
        return [*notes, f"{there}: {kept}."]
    kept = f"{drawn[0]} positives and {drawn[1]} negatives are drawn, so that the ratio {first}:{second} is kept"
    return [*notes, f"{there}, whatever gives way: {kept}. {_advice(wanted, offered=offered, sampling=sampling)}"]


def _advice(wanted: tuple[int, int], *, offered: Mapping[str, int], sampling: BalancedSampling) -> str:
    """Advice for too few places to draw from."""
    if offered["negatives"] >= wanted[1]:
        return "Places with lesions are too few: lower positive_share, add images, or set soft: true."
    anywhere = "set negatives: anywhere, " if sampling.negatives != "anywhere" else ""
    return f"Places without lesions are too few: {anywhere}use a smaller patch or least_roi, add images, or set soft: true."


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
