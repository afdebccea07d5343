"""Draw from the candidate pools of all images, with an exact ratio of positives to negatives and within quotas."""

from collections.abc import Mapping, Sequence
from math import gcd

import numpy as np
import pandas as pd

from pipeline.index.sampling.candidate_pool import CandidatePool
from pipeline.index.sampling.quota import Caps

__all__ = ["DrawnCounts", "available", "counts_in_ratio", "draw_from_pools"]


DrawnCounts = dict[str, int]
"""Image → number of boxes drawn, the first ones of its pool."""


def counts_in_ratio(total: int, *, ratio: tuple[int, int], positives: int, negatives: int) -> tuple[int, int]:
    """Largest numbers of positives and negatives in the ratio.

    Parameters
    ----------
    total
        Most boxes of both sides together.
    ratio
        Positives to negatives; not both 0.
    positives, negatives
        Numbers available.

    Examples
    --------
    >>> counts_in_ratio(100, ratio=(1, 2), positives=50, negatives=30)
    (15, 30)
    """
    divisor = gcd(*ratio)
    first, second = ratio[0] // divisor, ratio[1] // divisor
    limits = [total // (first + second)]
    limits += [there // each for there, each in ((positives, first), (negatives, second)) if each]
    return min(limits) * first, min(limits) * second


def available(sizes: Mapping[str, int], *, groups: Mapping[str, str], caps: Caps) -> int:
    """Number of boxes that the quotas allow.

    Parameters
    ----------
    sizes
        Image → boxes that it has.
    groups
        Image → group.
    caps
        Quotas.
    """
    by_group: dict[str, int] = {}
    for image_id, size in sizes.items():
        allowed = size if caps.image is None else min(size, caps.image)
        by_group[groups[image_id]] = by_group.get(groups[image_id], 0) + allowed
    return sum(size if caps.group is None else min(size, caps.group) for size in by_group.values())


def draw_from_pools(
    pools: Mapping[str, CandidatePool],
    *,
    wanted: int,
    groups: Mapping[str, str],
    caps: Caps,
    taken: Sequence[DrawnCounts] = (),
) -> DrawnCounts:
    """Draw from the pools of all images together, in the order of keys, as far as quotas allow.

    Parameters
    ----------
    pools
        Image → its boxes in order.
    wanted
        How many; fewer where the quotas or the pools do not allow them.
    groups
        Image → group.
    caps
        Quotas.
    taken
        Earlier draws that count towards the quotas.

    Returns
    -------
    dict
        Image → number of boxes drawn from the start of its pool, for every image.
    """
    ids = sorted(pools)
    used_image = {image_id: sum(each.get(image_id, 0) for each in taken) for image_id in ids}
    used_group: dict[str, int] = {}
    for image_id in {key for each in taken for key in each}:
        given = sum(each.get(image_id, 0) for each in taken)
        used_group[groups[image_id]] = used_group.get(groups[image_id], 0) + given
    frame = pd.DataFrame(
        {
            "key": np.concatenate([np.zeros(0), *(pools[image_id].key for image_id in ids)]),
            "image": np.repeat(np.arange(len(ids)), [len(pools[image_id]) for image_id in ids]),
        }
    ).sort_values(["key", "image"], kind="stable")
    frame = _within(frame, frame["image"], caps.image, [used_image[image_id] for image_id in ids])
    names = {name: at for at, name in enumerate(sorted(set(groups.values())))}
    group = frame["image"].map({at: names[groups[image_id]] for at, image_id in enumerate(ids)})
    frame = _within(frame, group, caps.group, [used_group.get(name, 0) for name in names]).head(max(wanted, 0))
    counts = np.bincount(frame["image"].to_numpy(np.int64), minlength=len(ids))
    return dict(zip(ids, counts.tolist(), strict=True))


def _within(frame: pd.DataFrame, owner: pd.Series, cap: int | None, used: Sequence[int]) -> pd.DataFrame:
    """The rows before their owner reaches its quota."""
    if cap is None or frame.empty:
        return frame
    owner = owner.astype("int64")
    left = np.maximum(cap - np.asarray(used), 0)[owner.to_numpy()]
    found: pd.DataFrame = frame[frame.groupby(owner).cumcount().to_numpy() < left]
    return found
