"""Options of a prediction, and the paths of its results."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline.config.raw import LARGEST_DECODE
from pipeline.config.shown import USUAL
from pipeline.errors import ConfigurationError
from pipeline.predict.original_grid import Format

__all__ = ["DEFAULT", "PredictOptions", "PredictedFiles"]


@dataclass(frozen=True, slots=True)
class PredictOptions:
    """Options of a prediction."""

    fusions: tuple[str, ...] = (USUAL,)
    """Maps to write."""
    threshold: float | None = None
    """Threshold for all classes; None for the thresholds that the run fitted."""
    pixel_size_um: float | None = None
    """Side of a pixel of the file in micrometres, needed where the model's images were rescaled to micrometres and the
    file has none."""
    original_grid: Format | None = None
    """Whether to write the masks in the size of the file too."""
    workers: int = 1
    """Blocks of the image normalised at a time; changes no value."""
    largest_decode: int = LARGEST_DECODE
    """Most bytes of a picture, page, tile or strip of the file that is decoded at once."""
    probability: Mapping[str, Any] = field(default_factory=dict)
    """Changes to the parameters of inference."""
    segmentation: Mapping[str, Any] = field(default_factory=dict)
    """Changes to the parameters of segmentation."""

    def __post_init__(self) -> None:
        """Refuse a threshold that is not a probability."""
        if self.threshold is not None and not 0 <= self.threshold <= 1:
            raise ConfigurationError(
                "The threshold is no probability.",
                where="threshold",
                found=self.threshold,
                expected="0 to 1",
                remedy="Give a number between.",
            )


DEFAULT = PredictOptions()


@dataclass(frozen=True, slots=True)
class PredictedFiles:
    """Paths of the results of one fusion."""

    fusion: str
    probability: Path
    """OME-Zarr ``(class, y, x)`` on the normalised grid."""
    segmentation: Path | None = None
    """Label map and masks; None where there are no thresholds."""
    outlines: Path | None = None
    """GeoJSON in pixels of the file."""
    thresholds: Path | None = None
    """Thresholds that were used."""
    regions: Mapping[str, int] = field(default_factory=dict)
    """Class code → regions found."""
    masks: tuple[Path, ...] = ()
    """Masks in the size of the file."""
    look: Path | None = None
    """Picture of the image with its outlines and a legend."""
