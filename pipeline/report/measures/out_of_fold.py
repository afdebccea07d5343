"""Out-of-fold validation: images that an ensemble of folds has seen, measured with the maps of members that had not."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline.model.held_out import unseen_by
from pipeline.report.paths import Result
from pipeline.segmentation.threshold_file import read_thresholds
from pipeline.stores import read_table, table_metadata

__all__ = ["OUT_OF_FOLD", "OutOfFold", "image_thresholds", "read_curves", "read_measures"]

OUT_OF_FOLD = "validation (out of fold)"
"""Displayed name of the split ``validation`` of such an ensemble; tables keep ``validation``."""

BY_GRID = ("froc", "reliability", "confusion", "strata")
"""Keys by grid and split in the metadata of the table of classes."""


@dataclass(frozen=True, slots=True)
class OutOfFold:
    """Members of an ensemble that each give the maps of their own fold's images."""

    folds: Mapping[str, int]
    """Model, or ensemble of one fold → its fold."""
    thresholds: Mapping[str, Path]
    """The same → the ``thresholds.json`` of its masks."""

    def members(self, images: pd.DataFrame) -> dict[str, str]:
        """Image → the member that had not seen it, of ``raw/images.parquet``."""
        return unseen_by(images, self.folds)


def image_thresholds(
    images: Sequence[str],
    thresholds: Path,
    members: Mapping[str, str],
    out_of_fold: OutOfFold,
    *,
    codes: tuple[str, ...],
) -> dict[str, dict[str, float]]:
    """Thresholds of each image's masks, by class.

    Parameters
    ----------
    images
        Image ids.
    thresholds
        ``thresholds.json`` of the model, for images without a member.
    members
        Image → member that made its stores.
    out_of_fold
        Members and their files.
    codes
        Classes.
    """
    own = read_thresholds(thresholds, codes=codes)
    of_members = {name: read_thresholds(path, codes=codes) for name, path in out_of_fold.thresholds.items()}
    return {image: of_members[members[image]] if image in members else own for image in images}


def _renamed(result: Result) -> dict[str, str]:
    """Split → its displayed name, where that differs."""
    return {"validation": OUT_OF_FOLD} if table_metadata(result.metrics_classes).get("out_of_fold") else {}


def read_measures(path: Path, result: Result) -> pd.DataFrame:
    """Table of a result with the column ``split``, its splits named for people."""
    table, names = read_table(path), _renamed(result)
    return table.assign(split=table["split"].astype(str).replace(names)) if names else table


def read_curves(result: Result) -> dict[str, Any]:
    """Curves of a result from the metadata of its table of classes, see `evaluate.write_metrics`, their splits named for people."""
    kept, names = table_metadata(result.metrics_classes), _renamed(result)

    def named(found: Mapping[str, Any]) -> dict[str, Any]:
        return {names.get(split, split): each for split, each in found.items()}

    by_grid = {name: kept.get(name, {}) for name in BY_GRID}
    grids = {name: {grid: named(each) for grid, each in found.items()} for name, found in by_grid.items()}
    return {"curves": named(kept.get("curves", {})), **grids}
