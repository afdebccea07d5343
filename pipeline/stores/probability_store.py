"""Probability store: maps in float16, or in bytes with steps of 1/255; both are read as float16."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
import zarr
from numpy.typing import NDArray

from pipeline.arrays.raster import Raster
from pipeline.geometry import Box
from pipeline.stores import open_array, raster_of, read_box

__all__ = ["SCALE", "ProbabilityMap", "Stored", "as_float16", "open_probability", "reaches"]

Stored: TypeAlias = Literal["float16", "uint8"]

SCALE: dict[Stored, float] = {"float16": 1.0, "uint8": 1 / 255}
"""Factor from a stored value to a probability."""

_OF_BYTES = (np.arange(256) / 255).astype(np.float16)


def as_float16(stored: NDArray[Any]) -> NDArray[np.float16]:
    """Probabilities of stored values; a byte becomes the float16 nearest to byte / 255."""
    if stored.dtype == np.uint8:
        return np.asarray(_OF_BYTES[stored])
    return np.asarray(stored, dtype=np.float16)


def reaches(values: NDArray[np.float16], threshold: float) -> NDArray[np.bool_]:
    """Mask of the probabilities that reach a threshold; compared in float32, because NumPy would round it to float16."""
    return np.asarray(values >= np.float32(threshold))


@dataclass(frozen=True, slots=True, eq=False)
class ProbabilityMap:
    """Fused map ``(class, y, x)``, read as float16 however it is stored."""

    array: zarr.Array[Any]

    @property
    def shape(self) -> tuple[int, int, int]:
        """Classes, rows, columns."""
        classes, height, width = self.array.shape
        return int(classes), int(height), int(width)

    @property
    def raster(self) -> Raster[np.float16]:
        """Raster of all classes ``(class, y, x)``."""
        return Raster(self.shape[1:], self.read)

    def read(self, box: Box) -> NDArray[np.float16]:
        """All classes of a box."""
        return as_float16(read_box(self.array, box))

    def plane(self, box: Box, *, number: int) -> NDArray[np.float16]:
        """One class of a box."""
        return as_float16(raster_of(self.array, number).read(box))


def open_probability(path: Path | str) -> ProbabilityMap:
    """Probability map at the finest level of ``probability/{model}/{fusion}/{image}.zarr``.

    Raises
    ------
    StoreError
        Where there is no finished store.
    """
    return ProbabilityMap(open_array(Path(path), "0"))
