"""Where does everything lie that the page shows? Paths of one data set, and of one model with one fusion."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["Decode", "Inputs", "Result", "ResultPaths", "results_from_paths"]

Decode: TypeAlias = Callable[[], NDArray[np.uint8]]
"""Gives the original picture ``(h, w, 3)`` RGB when it is called."""


@dataclass(frozen=True, slots=True)
class Inputs:
    """What does not depend on a fusion."""

    images: Path
    """``raw/images.parquet``."""
    normalized: Mapping[str, Path]
    """Image id → store."""
    originals: Mapping[str, Decode] = field(default_factory=dict)
    """Image id → what decodes the original picture; only those that are shown are decoded, one at a time."""
    indexes: Mapping[str, Path] = field(default_factory=dict)
    """Name of a sampling → patch index."""
    models: Mapping[str, Path] = field(default_factory=dict)
    """Name of a model → its folder."""


@dataclass(frozen=True, slots=True)
class Result:
    """One model with one fusion."""

    model: str
    fusion: str
    probability: Mapping[str, Path]
    """Image id → store."""
    segmentation: Mapping[str, Path]
    """Image id → store."""
    thresholds: Path
    """``thresholds.json``."""
    metrics_images: Path
    """Table per image, of ``evaluate.write_metrics``."""
    metrics_classes: Path
    """Table per class, of the same."""

    @property
    def name(self) -> str:
        """Model and fusion as one text."""
        return f"{self.model} / {self.fusion}"


class ResultPaths(Protocol):
    """Paths of every result, as a workflow hands them over: one list a kind, models and fusions in one order."""

    probability: Sequence[str]
    segmentation: Sequence[str]
    thresholds: Sequence[str]
    metrics_images: Sequence[str]
    metrics_classes: Sequence[str]


def results_from_paths(names: Sequence[tuple[str, str]], paths: ResultPaths) -> tuple[Result, ...]:
    """The results of ``(model, fusion)`` names; the stores of a result lie in ``…/{model}/{fusion}/``."""

    def stores(found: Sequence[str], model: str, fusion: str) -> dict[str, Path]:
        places = [Path(path) for path in found]
        return {path.stem: path for path in places if path.parts[-3:-1] == (model, fusion)}

    tables = zip(names, paths.thresholds, paths.metrics_images, paths.metrics_classes, strict=True)
    return tuple(
        Result(
            model,
            fusion,
            probability=stores(paths.probability, model, fusion),
            segmentation=stores(paths.segmentation, model, fusion),
            thresholds=Path(thresholds),
            metrics_images=Path(images),
            metrics_classes=Path(classes),
        )
        for (model, fusion), thresholds, images, classes in tables
    )
