"""Summary of a sampling: counts, lesions that no patch touches, spread of the negatives, and notes."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.spatial import KDTree

from pipeline.config import Sampling
from pipeline.counts import first_names, number_of
from pipeline.index.rows import ImageRows
from pipeline.index.sampling.plan import SamplingPlan
from pipeline.index.source import Source
from pipeline.words import BACKGROUND

__all__ = ["patches_asked", "summarise"]


def summarise(
    frame: pd.DataFrame,
    *,
    sources: Sequence[Source],
    parts: Sequence[ImageRows],
    plan: SamplingPlan,
    sampling: Sampling,
) -> dict[str, Any]:
    """Summary for the metadata of an index.

    Parameters
    ----------
    frame
        The index.
    sources, parts
        Every image and its rows, in the same order.
    plan
        The patches drawn from the training images.
    sampling
        How.

    Returns
    -------
    dict
        ``rows``; ``counts`` (split → strategy → target class → rows, without coverage); ``coverage`` (class → rows);
        ``lesions`` (class → training components, how many no training patch touches, by decades of area); ``images``
        (image → split, size, counts); ``spread`` of the patches without truth; ``notes``, plain sentences on deviations
        from the request; and for drawn samplings ``requested``, ``short``, ``frequencies`` (guided), ``offered`` and
        ``gave_way`` (balanced).
    """
    inside, added = frame[~frame["coverage"]], frame[frame["coverage"]]
    by_image = dict(list(inside.groupby("image_id", observed=True)))
    images = {
        source.image_id: {
            "split": source.split,
            "height": source.candidates.height,
            "width": source.candidates.width,
            "counts": _counts(by_image[source.image_id]).get(source.split, {}) if source.image_id in by_image else {},
        }
        for source in sources
    }
    summary: dict[str, Any] = {
        "rows": len(frame),
        "counts": _counts(inside),
        "coverage": {
            code: int(count) for code, count in added["target_class"].value_counts(sort=False).items() if count
        },
        "lesions": _lesions(parts),
        "images": images,
        "notes": [*plan.notes, *_size_notes(sources, sampling=sampling)],
    }
    if plan.images:
        summary |= {"requested": dict(plan.requested), "short": _short(inside, plan=plan)}
        summary |= {"frequencies": dict(plan.frequencies)} if plan.frequencies else {}
        summary |= {"offered": dict(plan.offered)} if plan.offered else {}
        summary |= {"gave_way": dict(plan.gave_way)} if plan.gave_way else {}
        summary["spread"] = _spread(inside, sources=sources, parts=parts, plan=plan)
    return summary


def patches_asked(notes: Mapping[str, Any]) -> tuple[int, int]:
    """Training patches drawn and requested, from the metadata of an index; ``(0, 0)`` for a grid, which draws none.

    Parameters
    ----------
    notes
        ``config`` and ``summary``.
    """
    asked = int(notes.get("config", {}).get("total", 0))
    strategies = notes.get("summary", {}).get("counts", {}).get("train", {}) if asked else {}
    return sum(count for each in strategies.values() for count in each.values()), asked


def _counts(rows: pd.DataFrame) -> dict[str, dict[str, dict[str, int]]]:
    """Split → strategy → target class (``none`` for grid) → rows."""
    keys = rows[["split", "strategy", "target_class"]].astype(object).fillna("none")
    counts: dict[str, dict[str, dict[str, int]]] = {}
    for key, count in sorted(Counter(keys.itertuples(index=False, name=None)).items()):
        split, strategy, target = map(str, key)
        counts.setdefault(split, {}).setdefault(strategy, {})[target] = count
    return counts


def _missed(area: NDArray[np.int64], reached: NDArray[np.bool_]) -> dict[str, Any]:
    untouched = int(np.count_nonzero(~reached))
    return {"components": len(area), "untouched": untouched, "untouched_share": untouched / max(len(area), 1)}


def _lesions(parts: Sequence[ImageRows]) -> dict[str, dict[str, Any]]:
    """Class → training components: number, number and share untouched by training patches, the same by decades of area."""
    found: dict[str, dict[str, Any]] = {}
    for code in dict.fromkeys(code for part in parts for code in part.lesions):
        pairs = [part.lesions[code] for part in parts if code in part.lesions]
        area, reached = (np.concatenate(each) for each in zip(*pairs, strict=True))
        decade = np.floor(np.log10(np.maximum(area, 1))).astype(np.int64)
        by_area = [
            {"least_area": 10 ** int(size), "most_area": 10 ** (int(size) + 1) - 1}
            | _missed(area[decade == size], reached[decade == size])
            for size in np.unique(decade)
        ]
        found[code] = _missed(area, reached) | {"by_area": by_area}
    return found


def _short(inside: pd.DataFrame, *, plan: SamplingPlan) -> list[dict[str, Any]]:
    """Classes, ``positive`` and ``background`` that got fewer patches than requested or do not occur."""
    targets = inside.loc[inside["strategy"] != "grid", "target_class"]
    have = {str(code): int(count) for code, count in targets.value_counts().items()}
    have["positive"] = len(targets) - have.get(BACKGROUND, 0)
    absent = {code for code, frequency in plan.frequencies.items() if not frequency}
    return [
        {"class": code, "requested": wanted, "drawn": have.get(code, 0)}
        for code, wanted in plan.requested.items()
        if have.get(code, 0) < wanted or code in absent
    ]


def _size_notes(sources: Sequence[Source], *, sampling: Sampling) -> list[str]:
    small = [each.image_id for each in sources if min(each.candidates.height, each.candidates.width) < sampling.patch]
    if not small:
        return []
    what = "the box of a patch ends at the border of the image, and the loader pads it"
    return [
        f"{number_of(len(small), 'image')} {'has' if len(small) == 1 else 'have'} a side below the patch of {sampling.patch} pixels ({first_names(small)}): {what}."
    ]


def _spread(
    inside: pd.DataFrame, *, sources: Sequence[Source], parts: Sequence[ImageRows], plan: SamplingPlan
) -> dict[str, Any]:
    """Spread of patches without truth: over images and groups, their distances, and their share of the tissue."""
    rows = inside[inside["target_class"] == BACKGROUND]
    per_image = rows["image_id"].astype(str).value_counts()
    per_group = rows["group_id"].astype(str).value_counts()
    pairs = list(zip(sources, parts, strict=True))
    touched = [(source, part) for source, part in pairs if source.image_id in per_image.index]
    covered = sum(part.covered for _, part in touched)
    everywhere = sum(s.candidates.roi_pixels for s in sources if s.image_id in plan.negatives_from)
    return {
        "negatives": len(rows),
        "images": len(per_image),
        "groups": len(per_group),
        "images_offered": len(plan.negatives_from),
        "most_from_one_image": int(per_image.max()) if len(rows) else 0,
        "most_from_one_group": int(per_group.max()) if len(rows) else 0,
        "least_distance": _least_distance(rows),
        "tissue_share": covered / everywhere if everywhere else 0.0,
    }


def _least_distance(rows: pd.DataFrame) -> float | None:
    """Pixels between the two nearest patches of one image; None where no image has two."""
    places = [part[["y", "x"]].to_numpy() for _, part in rows.groupby("image_id", observed=True) if len(part) > 1]
    return min((float(np.asarray(KDTree(each).query(each, k=2)[0])[:, 1].min()) for each in places), default=None)
