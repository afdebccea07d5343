"""Resampling geometry: the size at which an image is processed, and the regions lost by it."""

from dataclasses import dataclass
from typing import Self

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.errors import ConfigurationError, GeometryError

__all__ = ["Rescaling", "Vanished", "vanished_components"]


@dataclass(frozen=True, slots=True)
class Rescaling:
    """Resampling from a source grid to a grid of another size over the same field, with the same outer border."""

    factor: float
    """Requested factor for both sides."""
    source_height: int
    """Rows of the original."""
    source_width: int
    """Columns of the original."""
    height: int
    """Rows after rescaling, at least 1."""
    width: int
    """Columns after rescaling, at least 1."""

    def __post_init__(self) -> None:
        if min(self.source_height, self.source_width, self.height, self.width) < 1 or not 0 < self.factor < np.inf:
            raise ConfigurationError(
                "An image cannot be rescaled.",
                where="normalized.rescale.Rescaling",
                found=f"{self.source_height}×{self.source_width} by {self.factor}",
                expected="at least one pixel along each axis, a factor above 0",
                remedy="Correct the rescaling.",
            )

    @classmethod
    def of_factor(cls, height: int, width: int, factor: float) -> Self:
        """Both sides times a factor, rounded to whole pixels, at least one."""
        wanted = [max(1, round(length * factor)) if 0 < factor < np.inf else 0 for length in (height, width)]
        return cls(factor, height, width, *wanted)

    @classmethod
    def of_diameter(cls, height: int, width: int, *, fov_diameter: float, target: float) -> Self:
        """Rescaling that brings a field of view of ``fov_diameter`` source pixels to ``target`` pixels across.

        Raises
        ------
        ConfigurationError
            The image has no field of view, or the target is not above 0.
        """
        if not (0 < fov_diameter < np.inf and 0 < target < np.inf):
            raise ConfigurationError(
                "The field of view cannot be brought to a diameter.",
                where="normalized.rescale.Rescaling.of_diameter",
                found=f"diameter {fov_diameter}, wanted {target}",
                expected="both above 0 pixels",
                remedy="Rescale this data set by a factor instead, or leave out images without field of view.",
            )
        return cls.of_factor(height, width, target / fov_diameter)

    @classmethod
    def identity(cls, height: int, width: int) -> Self:
        """Rescaling that keeps the source grid."""
        return cls(1.0, height, width, height, width)

    @property
    def is_identity(self) -> bool:
        """Identity test: whether the two grids are the same."""
        return (self.source_height, self.source_width) == (self.height, self.width)

    @property
    def factor_y(self) -> float:
        """Rows per source row, after rounding to whole pixels."""
        return self.height / self.source_height

    @property
    def factor_x(self) -> float:
        """Columns per source column, after rounding to whole pixels."""
        return self.width / self.source_width


@dataclass(frozen=True, slots=True)
class Vanished:
    """Counts of the 8-connected components of a mask, and of those with no set pixel left after rescaling."""

    components: int
    """All of them, before rescaling."""
    erased: int
    """Those without a pixel afterwards."""


def vanished_components(mask: NDArray[np.bool_], small: NDArray[np.bool_], rescaling: Rescaling) -> Vanished:
    """Connected components (8-connected) of a mask, and how many have no set pixel left after rescaling.

    Parameters
    ----------
    mask
        ``(y, x)`` of the source size.
    small
        ``(y, x)`` of the new size, the rescaled mask.
    rescaling
        The two sizes.

    Returns
    -------
    Vanished
        A component counts as erased if no centre of its pixels lies in a set pixel of the rescaled mask.
    """
    _check(mask, rescaling)
    count, labels = cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)
    rows, columns = (
        ((np.arange(source) + 0.5) * target / source).astype(np.intp)
        for source, target in ((rescaling.source_height, rescaling.height), (rescaling.source_width, rescaling.width))
    )
    kept = np.unique(labels[mask & small[np.ix_(rows, columns)]])
    return Vanished(count - 1, int(count - 1 - kept.size))


def _check(image: NDArray[np.generic], rescaling: Rescaling) -> None:
    expected = (rescaling.source_height, rescaling.source_width)
    if image.shape[:2] != expected:
        raise GeometryError(
            "The image is not of the size that is rescaled.",
            where="normalized.rescale",
            found=image.shape[:2],
            expected=expected,
            remedy="Make the rescaling from this image's size.",
        )
