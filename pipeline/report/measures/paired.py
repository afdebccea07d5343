"""Paired differences of two results: for each image measured in both, the value of one minus that of the other.

Both values are of the grid of the original image, so results of other rescalings can be held against each other.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.report.measures.intervals import bootstrap_interval
from pipeline.report.measures.summary import grids_of, on_grid
from pipeline.seeds import stream

__all__ = ["MEASURES", "PairedDifference", "image_differences", "on_originals", "paired_differences"]

MEASURES = ("dice", "ap")
"""Compared columns of a table of images."""
TRIVIAL: Mapping[str, str] = {"dice": "dice_everywhere"}
"""Measure → column of the trivial answer that marks everything; the one that marks nothing scores 0."""
KEYS = ["split", "image_id", "class_code"]
SIDES = ("first", "second")


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
    """Mean over these images of the second value minus the first."""
    low: float | None
    """Bounds of the bootstrap 95 % interval of the difference, over groups; None below 10 groups."""
    high: float | None
    better: int
    """Images in which the second value is larger."""
    worse: int
    everywhere_first: float = math.nan
    """Mean score over these images of marking everything, by the truth and region of the first; NaN where unknown."""
    everywhere_second: float = math.nan


def paired_differences(
    first: pd.DataFrame, second: pd.DataFrame, *, draws: int = 1000, seed: int = 0, measures: Sequence[str] = MEASURES
) -> tuple[PairedDifference, ...]:
    """Differences of two tables of images, paired by split, image and class.

    Parameters
    ----------
    first, second
        See `image_differences`.
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
    found = image_differences(first, second, measures=measures)
    return tuple(
        _difference(rows, name=(str(split), str(code), str(measure)), draws=draws, seed=seed)
        for (split, code, measure), rows in found.groupby(["split", "class_code", "measure"], sort=False)
    )


def image_differences(first: pd.DataFrame, second: pd.DataFrame, *, measures: Sequence[str] = MEASURES) -> pd.DataFrame:
    """Values of two tables for each image, class and measure, and their differences.

    Parameters
    ----------
    first, second
        Tables ``report/{model}.{fusion}.images.parquet``: ``split``, ``image_id``, ``group_id``, ``class_code``, the
        measures, and perhaps ``grid``. They are compared on the grid of the originals, see `on_originals`. Rows in only
        one table, and images without a value in one of them, are left out.
    measures
        Columns to compare.

    Returns
    -------
    DataFrame
        ``split``, ``class_code``, ``measure``, ``image_id``, ``group_id``, ``first``, ``second``, ``difference`` (the
        second less the first), ``everywhere_first`` and ``everywhere_second``, what marking everything scores; by
        split, class in the order of the first table, and measure.
    """
    tables = [_texts(on_originals(table)) for table in (first, second)]
    joined = tables[0].merge(tables[1], on=KEYS, suffixes=("_first", "_second"))
    parts = [
        rows.assign(
            measure=measure,
            **{which: rows[f"{measure}_{which}"] for which in SIDES},
            **{f"everywhere_{which}": rows.get(f"{TRIVIAL.get(measure)}_{which}", math.nan) for which in SIDES},
        )
        for _, rows in joined.groupby(["split", "class_code"], sort=False)
        for measure in measures
    ]
    values = [*SIDES, *(f"everywhere_{which}" for which in SIDES)]
    names = ["split", "class_code", "measure", "image_id", "group_id", *values]
    found = pd.concat(parts) if parts else pd.DataFrame(columns=[*KEYS, "measure", "group_id_first", *values])
    found = found.rename(columns={"group_id_first": "group_id"})[names].dropna(subset=["first", "second"])
    return found.assign(difference=found["second"] - found["first"]).reset_index(drop=True)


def on_originals(table: pd.DataFrame) -> pd.DataFrame:
    """Rows of a table of measures on the grid of the original images, each image once.

    They are the rows of the grid ``original``, which a table has if any image was rescaled. In a table without them
    nothing was rescaled, so its other rows are of that grid already. Only slides are never measured there: two of them
    that were rescaled differently cannot be held against each other.
    """
    if "grid" not in table or not len(table):
        return table
    return on_grid(table, grids_of(table)[0])


def _texts(table: pd.DataFrame) -> pd.DataFrame:
    return table.astype(dict.fromkeys((*KEYS, "group_id"), str))


def _difference(rows: pd.DataFrame, *, name: tuple[str, str, str], draws: int, seed: int) -> PairedDifference:
    one, other, change = (rows[which].to_numpy(np.float64) for which in ("first", "second", "difference"))
    groups = pd.DataFrame({"sum": change, "count": 1.0}).groupby(rows["group_id"].to_numpy()).sum()
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
        **{name: float(rows[name].mean()) for name in ("everywhere_first", "everywhere_second")},
    )


def _mean(total: NDArray[np.float64]) -> float:
    return float(total[0] / total[1])
