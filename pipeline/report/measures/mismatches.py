"""Mismatches of truth and maps: images whose masks seem to belong to another image or to be inverted.

Average precision shows how well a map ranks pixels by the truth, independent of thresholds. Against masks of another
image it falls to the share of the class, which is chance, even if the model finds the class in all other images.

The rule, for the truth of one class in one image, by one model and fusion:

- lost here: the gain over chance, see `gains`, is at most ``LOST``;
- found elsewhere: at least ``OTHERS`` other measured images hold the class, and in at least ``NEARLY_ALL`` of them the gain
  is at least ``FOUND``, and ``APART`` times that of this image;
- enough of it: at least ``REGIONS`` regions, or ``SHARE`` of the region of interest, for small lesions are missed by nature;
- no other result that finds the class elsewhere finds it here too, and none has a gain of ``FOUND`` here.

The rule cannot distinguish images that have only lesions or anatomy at the same place.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.report.measures.summary import on_grid
from pipeline.words import BACKGROUND

__all__ = ["FOUND", "LOST", "OTHERS", "Mismatch", "doubted", "gains", "mismatches"]

LOST, FOUND, APART = 5.0, 20.0, 10.0
OTHERS, NEARLY_ALL = 4, 0.75
REGIONS, SHARE = 5, 0.01
HALF = 0.5
_SURE = 1 - 1e-9
"""Largest share used for odds."""


@dataclass(frozen=True, slots=True)
class Mismatch:
    """Image whose truth and maps disagree."""

    image_id: str
    codes: tuple[str, ...]
    """Classes that seem to belong to another image, by code."""
    inverted: tuple[str, ...]
    """Classes whose truth covers most of the region while the maps find them in the rest."""
    whole: bool
    """Whether two classes disagree, or all classes that can be judged."""

    @property
    def flags(self) -> tuple[str, ...]:
        """Notes on the image, one for each kind of doubt."""
        moved = f"truth in doubt: {', '.join(self.codes)} as if of another image" if self.codes else ""
        turned = f"truth in doubt: {', '.join(self.inverted)} as if inverted" if self.inverted else ""
        return tuple(filter(None, (moved, turned)))


def gains(rows: pd.DataFrame) -> NDArray[np.float64]:
    """Gain over chance of each row: odds of the average precision divided by odds of the share of the class; 1 is chance.

    Parameters
    ----------
    rows
        Of `image_rows.IMAGE_COLUMNS`, with truth.

    Examples
    --------
    >>> gains(pd.DataFrame({"ap": [0.5, 0.01], "truth_pixels": [1, 1], "pixels": [101, 100]}))
    array([100.,   1.])
    """
    precision = np.minimum(rows["ap"].to_numpy(np.float64), _SURE)
    share = np.minimum(rows["truth_pixels"].to_numpy(np.float64) / rows["pixels"].to_numpy(np.float64), _SURE)
    return np.asarray(precision / (1 - precision) * (1 - share) / share)


def mismatches(measured: pd.DataFrame) -> list[Mismatch]:
    """Images whose truth and maps disagree, by id, by the rule of this module.

    Parameters
    ----------
    measured
        Rows of `image_rows.IMAGE_COLUMNS` of any models and fusions, on the same images or others.
    """
    rows = on_grid(measured)
    rows = rows[(rows["class_code"] != BACKGROUND) & (rows["truth_pixels"] > 0) & rows["ap"].notna()]
    if rows.empty:
        return []
    rows = rows.assign(gain=gains(rows), covers=rows["truth_in_roi"] > HALF * rows["roi_pixels"])
    enough = (rows["lesions"] >= REGIONS) | (rows["truth_in_roi"] >= SHARE * rows["roi_pixels"])
    names = ["model", "fusion", "class_code"]
    parts = [_judged(part) for _, part in rows.assign(enough=enough).groupby(names, observed=True, sort=True)]
    judged = pd.concat(parts)
    judged = judged[judged["able"] | (judged["gain"] >= FOUND)]
    by = [judged["image_id"].astype(str), judged["class_code"].astype(str)]
    found = judged.groupby(by).agg(
        able=("able", "any"), lost=("lost", "all"), covers=("covers", "any"), gain=("gain", "max")
    )
    found = found[found["able"]].reset_index()
    return [_mismatch(str(image), part) for image, part in found.groupby("image_id") if part["lost"].any()]


def _judged(part: pd.DataFrame) -> pd.DataFrame:
    """Rows of one class in one result, with flags: whether the others can judge it, and whether the class is lost in it."""
    gain = part["gain"].to_numpy()
    able, lost = np.zeros((2, len(part)), np.bool_)
    for at, own in enumerate(gain):
        others = np.delete(gain, at)
        able[at] = len(others) >= OTHERS and np.mean(others >= FOUND) >= NEARLY_ALL
        lost[at] = able[at] and own <= LOST and np.mean(others >= max(FOUND, APART * own)) >= NEARLY_ALL
    covered = part["covers"].to_numpy()
    rare = covered & (covered.mean() < HALF)
    return part.assign(able=able, lost=lost & part["enough"].to_numpy(), covers=rare)


def _mismatch(image: str, part: pd.DataFrame) -> Mismatch:
    lost = part[part["lost"]]
    turned = lost["covers"] & (lost["gain"] < 1)
    codes, inverted = (tuple(sorted(lost.loc[which, "class_code"])) for which in (~turned, turned))
    return Mismatch(image, codes, inverted, whole=len(lost) > 1 or len(lost) == len(part))


def doubted(found: Sequence[Mismatch]) -> dict[str, list[str]]:
    """Class code → images in which its truth is in doubt."""
    images: dict[str, list[str]] = {}
    for each in found:
        for code in (*each.codes, *each.inverted):
            images.setdefault(code, []).append(each.image_id)
    return images
