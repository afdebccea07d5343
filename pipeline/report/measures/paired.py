"""Paired differences of two results: for each image that both measured, the value of the one less that of the other."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.report.measures.intervals import bootstrap_interval
from pipeline.seeds import stream

__all__ = ["MEASURES", "PairedDifference", "paired_differences"]

MEASURES = ("dice", "ap")
"""Columns of a table of images that are compared."""
KEYS = ["split", "image_id", "class_code"]


@dataclass(frozen=True, slots=True)
class PairedDifference:
    """Difference of two results in one measure of one class, over the images that both have a value for."""

    split: str
    class_code: str
    measure: str
    images: int
    groups: int
    first: float
    """Mean over these images."""
    second: float
    difference: float
    """Mean over these images of the second value less the first."""
    low: float | None
    """Bounds of the bootstrap 95 % interval of the difference, groups drawn again; None below 10 groups."""
    high: float | None
    better: int
    """Images in which the second value is larger."""
    worse: int


def paired_differences(
    first: pd.DataFrame, second: pd.DataFrame, *, draws: int = 1000, seed: int = 0, measures: Sequence[str] = MEASURES
) -> tuple[PairedDifference, ...]:
    """Differences of two tables of images, paired by split, image and class.

    Parameters
    ----------
    first, second
        Tables ``report/{model}.{fusion}.images.parquet``: ``split``, ``image_id``, ``group_id``, ``class_code`` and the
        measures. Rows of one alone, and images without a value in one of them, are left out.
    draws
        Bootstrap samples over groups.
    seed
        Of their random numbers.
    measures
        Columns to compare.

    Returns
    -------
    tuple
        By split, class in the order of the first table, and measure; nothing where no image has both values.
    """
    joined = _texts(first).merge(_texts(second), on=KEYS, suffixes=("_first", "_second"))
    return tuple(_differences(joined, measures=measures, draws=draws, seed=seed))


def _texts(table: pd.DataFrame) -> pd.DataFrame:
    return table.astype(dict.fromkeys((*KEYS, "group_id"), str))


def _differences(joined: pd.DataFrame, *, measures: Sequence[str], draws: int, seed: int) -> Iterator[PairedDifference]:
    for (split, code), rows in joined.groupby(["split", "class_code"], sort=False):
        for measure in measures:
            both = rows.dropna(subset=[f"{measure}_first", f"{measure}_second"])
            if len(both):
                yield _difference(both, name=(str(split), str(code), measure), draws=draws, seed=seed)


def _difference(rows: pd.DataFrame, *, name: tuple[str, str, str], draws: int, seed: int) -> PairedDifference:
    one, other = (rows[f"{name[2]}_{which}"].to_numpy(np.float64) for which in ("first", "second"))
    change = other - one
    groups = pd.DataFrame({"sum": change, "count": 1.0}).groupby(rows["group_id_first"].to_numpy()).sum()
    random = stream(seed, "report", "paired", *name)
    low, high = bootstrap_interval(groups.to_numpy(), _mean, rng=random, n=draws) or (None, None)
    return PairedDifference(
        split=name[0],
        class_code=name[1],
        measure=name[2],
        images=len(rows),
        groups=len(groups),
        first=float(one.mean()),
        second=float(other.mean()),
        difference=float(change.mean()),
        low=low,
        high=high,
        better=int((change > 0).sum()),
        worse=int((change < 0).sum()),
    )


def _mean(total: NDArray[np.float64]) -> float:
    return float(total[0] / total[1])
