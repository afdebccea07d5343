"""Options and results of a prediction: what is asked for, and the paths of what was written."""

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
    """For all classes; None for the thresholds that the run fitted."""
    pixel_size_um: float | None = None
    """Side of a pixel of the file, where the model's images were brought to micrometres and the file names none."""
    original_grid: Format | None = None
    """Also write the masks as large as the file."""
    workers: int = 1
    """Blocks of the image that are normalised at a time; changes no value."""
    largest_decode: int = LARGEST_DECODE
    """Bytes of the largest picture, page, tile or strip of the file that is decoded at once."""
    probability: Mapping[str, Any] = field(default_factory=dict)
    """Changes to the parameters of inference."""
    segmentation: Mapping[str, Any] = field(default_factory=dict)
    """Changes to the parameters of segmentation."""

    def __post_init__(self) -> None:
        """Refuse a threshold that is no probability."""
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
    """Paths of what was written for one fusion."""

    fusion: str
    probability: Path
    """OME-Zarr ``(class, y, x)`` on the normalised grid."""
    segmentation: Path | None = None
    """Label map and masks; None where there are no thresholds."""
    outlines: Path | None = None
    """GeoJSON in pixels of the file."""
    thresholds: Path | None = None
    """Those that were used."""
    regions: Mapping[str, int] = field(default_factory=dict)
    """Class code → regions found."""
    masks: tuple[Path, ...] = ()
    """Masks as large as the file."""
    look: Path | None = None
    """Picture of the image with its outlines and a legend."""
