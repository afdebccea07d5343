"""Paths of all results that the report reads: of one data set, and of one model with one fusion."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, TypeAlias
from urllib.parse import quote

import numpy as np
from numpy.typing import NDArray

from pipeline.geometry import Box

__all__ = ["Inputs", "Look", "Original", "Result", "ResultPaths", "results_from_paths"]


@dataclass(frozen=True, slots=True, eq=False)
class Original:
    """Original picture of an image, before normalisation, 8-bit RGB."""

    small: NDArray[np.uint8]
    """``(h, w, 3)``, the whole image, at most about a thousand pixels a side."""
    near: NDArray[np.uint8] | None
    """The requested box, on the pixel grid of the normalised image."""


Look: TypeAlias = Callable[[Box | None], Original]
"""Opens an image when called."""


@dataclass(frozen=True, slots=True)
class Inputs:
    """Paths of results that do not depend on a fusion."""

    images: Path
    """``raw/images.parquet``."""
    normalized: Mapping[str, Path]
    """Image id → store."""
    originals: Mapping[str, Look] = field(default_factory=dict)
    """Image id → function that opens the original image; only shown images are opened, one at a time."""
    indexes: Mapping[str, Path] = field(default_factory=dict)
    """Name of a sampling → patch index."""
    models: Mapping[str, Path] = field(default_factory=dict)
    """Name of a model → its folder."""
    stains: Mapping[str, Path] = field(default_factory=dict)
    """Image id → ``stain.json``; empty where no stains are normalised."""
    target: Path | None = None
    """``target.json``, the stain target."""
    borders: Mapping[str, Path] = field(default_factory=dict)
    """Name of a model → its table of window borders."""
    zoom: Mapping[str, Path] = field(default_factory=dict)
    """Image id → folder of its page in deep zoom; empty where there are none."""
    hardest: Path | None = None
    """Table of the hardest patches of the model on the pages of images; None where there is none."""
    sheets: Sequence[Path] = ()
    """Fact sheets of all images."""

    @property
    def pages(self) -> dict[str, str]:
        """Image id → link from the report to its page in deep zoom."""
        return {image: f"{folder.parent.name}/{quote(image)}/index.html" for image, folder in self.zoom.items()}


@dataclass(frozen=True, slots=True)
class Result:
    """Paths of one model with one fusion."""

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
    def metrics_lesions(self) -> Path:
        """Table of lesions, of the same."""
        return self.metrics_classes.with_name(f"{self.model}.{self.fusion}.lesions.parquet")

    @property
    def metrics_parts(self) -> Path:
        """Table of centres and groups, of the same."""
        return self.metrics_classes.with_name(f"{self.model}.{self.fusion}.parts.parquet")

    @property
    def metrics_errors(self) -> Path:
        """Table of errors by place, of ``errors.write_errors``."""
        return self.metrics_classes.with_name(f"{self.model}.{self.fusion}.errors.parquet")

    @property
    def name(self) -> str:
        """Model and fusion as one text."""
        return f"{self.model} / {self.fusion}"


class ResultPaths(Protocol):
    """Paths of every result, as passed by the workflow: one list per kind, models and fusions in the same order."""

    probability: Sequence[str]
    segmentation: Sequence[str]
    held_probability: Sequence[str]
    """For the result shown first: the members' maps of images that they had not seen."""
    held_segmentation: Sequence[str]
    thresholds: Sequence[str]
    metrics_images: Sequence[str]
    metrics_classes: Sequence[str]


def results_from_paths(
    names: Sequence[tuple[str, str]], paths: ResultPaths, *, shown: tuple[str, str]
) -> tuple[Result, ...]:
    """Results of ``(model, fusion)`` names; the stores of a result lie in ``…/{model}/{fusion}/``.

    If the result shown first was measured by its members, their stores replace its own.
    """

    def stores(found: Sequence[str], held: Sequence[str], model: str, fusion: str) -> dict[str, Path]:
        places = [Path(path) for path in found]
        own = {path.stem: path for path in places if path.parts[-3:-1] == (model, fusion)}
        return own | ({Path(path).stem: Path(path) for path in held} if (model, fusion) == shown else {})

    tables = zip(names, paths.thresholds, paths.metrics_images, paths.metrics_classes, strict=True)
    return tuple(
        Result(
            model,
            fusion,
            probability=stores(paths.probability, paths.held_probability, model, fusion),
            segmentation=stores(paths.segmentation, paths.held_segmentation, model, fusion),
            thresholds=Path(thresholds),
            metrics_images=Path(images),
            metrics_classes=Path(classes),
        )
        for (model, fusion), thresholds, images, classes in tables
    )
