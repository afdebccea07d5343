"""Accumulators of the windows of a block: in host memory, with compiled loops, or on a device.

On a device the maps of the windows stay there; only the sums of a block are copied, once.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from pipeline.probability.fusion.fuse import (
    MOST,
    accumulate,
    are_probabilities,
    empty_sums,
    initial_sum,
)
from pipeline.probability.fusion.logits import Activation
from pipeline.probability.fusion.memory_pool import MemoryPool
from pipeline.probability.fusion.weights import gaussian_weights

if TYPE_CHECKING:
    import torch

__all__ = ["Accumulator", "DeviceSums", "HostSums", "NewAccumulator", "Place", "Sums", "SumsLayout", "Tiles"]

Tiles: TypeAlias = Any
"""float32 maps ``(n, map, window, window)``: a NumPy array, or a tensor on a device."""
Sums: TypeAlias = dict[str, NDArray[np.float32]]
"""Fusion → sums ``(map, y, x)`` over the reach of a block; empty where all its windows are skipped."""


@dataclass(frozen=True, slots=True)
class Place:
    """Place of a window in the sums of a block."""

    y: int
    x: int
    owned: tuple[int, int]
    """For ``none``: rows and columns of the window that are used."""


@dataclass(frozen=True, slots=True, eq=False)
class SumsLayout:
    """Fusions and shape of the sums of a block."""

    fusions: tuple[str, ...]
    shape: tuple[int, int, int]
    """Maps, rows and columns of the reach of the block."""
    activation: Activation
    """Activation that will turn fused values into probabilities."""
    pool: MemoryPool = field(default_factory=MemoryPool)
    """Memory pool of the host."""


class Accumulator(Protocol):
    """Accumulator of the sums of one block, whose windows arrive in their fixed order."""

    def wrong(self, tiles: Tiles) -> int | None:
        """Index of the first map ``(n, map, window, window)`` with an invalid value; None where all are valid."""
        ...

    def add(self, tiles: Tiles, places: Sequence[Place]) -> None:
        """Add the maps of some windows."""
        ...

    def sums(self) -> Sums:
        """Sums of the windows."""
        ...


class NewAccumulator(Protocol):
    """Factory of the sums of a block."""

    def __call__(self, layout: SumsLayout) -> Accumulator:
        """Sums that hold no window yet."""
        ...


class HostSums:
    """Sums of float32 maps that are NumPy arrays."""

    def __init__(self, layout: SumsLayout) -> None:
        """Sums that hold no window yet."""
        self._of_probabilities = layout.activation == "none"
        self._sums = {
            name: empty_sums(name, layout.shape, activation=layout.activation, pool=layout.pool)
            for name in layout.fusions
        }

    def wrong(self, tiles: NDArray[np.float32]) -> int | None:
        """Index of the first map with a value that cannot be."""
        possible = are_probabilities if self._of_probabilities else _are_finite
        if possible(np.ascontiguousarray(tiles)):
            return None
        return next(at for at, tile in enumerate(tiles) if not possible(np.ascontiguousarray(tile)))

    def add(self, tiles: NDArray[np.float32], places: Sequence[Place]) -> None:
        """Add the maps of some windows."""
        for tile, place in zip(tiles, places, strict=True):
            for fusion, target in self._sums.items():
                accumulate(fusion, target, tile, y=place.y, x=place.x, owned=place.owned)

    def sums(self) -> Sums:
        """Sums of the windows; not a copy."""
        return self._sums


def _are_finite(values: NDArray[np.float32]) -> bool:
    return bool(np.isfinite(values).all())


class DeviceSums:
    """Sums of float32 maps that are tensors, on their device."""

    def __init__(self, layout: SumsLayout, *, device: "torch.device | str" = "cuda") -> None:
        """Sums that hold no window yet."""
        import torch

        self._of_probabilities = layout.activation == "none"
        self._size = layout.shape[1:]
        self._weights: torch.Tensor | None = None
        self._sums = {
            name: torch.full(layout.shape, initial_sum(name, layout.activation), dtype=torch.float32, device=device)
            for name in layout.fusions
        }

    def wrong(self, tiles: "torch.Tensor") -> int | None:
        """Index of the first map with a value that cannot be."""
        possible = tiles.isfinite()
        if self._of_probabilities:
            possible &= (tiles >= 0) & (tiles <= float(MOST))
        whole = possible.flatten(1).all(dim=1)
        return None if bool(whole.all()) else int((~whole).nonzero()[0, 0])

    def add(self, tiles: "torch.Tensor", places: Sequence[Place]) -> None:
        """Add the maps of some windows."""
        for tile, place in zip(tiles, places, strict=True):
            for fusion, sums in self._sums.items():
                self._add(fusion, sums, tile, place)

    def sums(self) -> Sums:
        """Sums of the windows, copied to the host."""
        return {name: np.asarray(sums.cpu().numpy(), np.float32) for name, sums in self._sums.items()}

    def _gaussian(self, tile: "torch.Tensor") -> "torch.Tensor":
        import torch

        if self._weights is None:
            self._weights = torch.from_numpy(gaussian_weights(tile.shape[-1]).copy()).to(tile.device)
        return self._weights

    def _add(self, fusion: str, sums: "torch.Tensor", tile: "torch.Tensor", place: Place) -> None:
        import torch

        high, wide = place.owned if fusion == "none" else tuple(tile.shape[1:])
        rows, columns = min(high, self._size[0] - place.y), min(wide, self._size[1] - place.x)
        target, source = (
            sums[:, place.y : place.y + rows, place.x : place.x + columns],
            tile[:, :rows, :columns],
        )
        if fusion == "max":
            torch.maximum(target, source, out=target)
        elif fusion == "gaussian":
            target.addcmul_(self._gaussian(tile)[:rows, :columns], source)
        else:
            target.add_(source)
