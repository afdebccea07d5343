"""What does one pass over the windows of an image need, wherever it is computed? Paths and numbers, opened on the spot.

The record travels to the workers of a scheduler; there the image, the network and the unfinished stores are opened
once for all blocks.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from pipeline.config import ProbabilityConfig
from pipeline.config.manifest import DatasetRecord
from pipeline.errors import StoreError
from pipeline.geometry import Box
from pipeline.probability.fusion.accumulate import DeviceSums, HostSums, NewAccumulator
from pipeline.probability.fusion.finish import Fused
from pipeline.probability.fusion.halo import Ledger
from pipeline.probability.fusion.logits import Activation, activation_of
from pipeline.probability.plan import WindowPlan
from pipeline.probability.predictor import NetworkPredictor
from pipeline.probability.run import Predictor, Run, nobody
from pipeline.stores import as_array, open_array, open_group
from pipeline.stores.atomic import is_claimed
from pipeline.stores.shards import Shards, reader_of

__all__ = ["Pass", "Source", "block_writer"]


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """A normalised image, opened."""

    image_id: str
    mapping: dict[str, float]
    """How its pixels map to those of the original."""
    image: zarr.Array[Any]
    roi: zarr.Array[Any]
    truth: zarr.Array[Any] | None
    """None where nobody annotated."""

    @classmethod
    def open(cls, path: Path) -> "Source":
        """Open ``normalized/{image}.zarr``."""
        group = open_group(path)
        notes: Any = group.attrs["lesionmap"]
        truth = open_array(path, "truth") if "truth" in group else None
        return cls(notes["image_id"], notes["mapping"], open_array(path, "0"), open_array(path, "roi"), truth)

    @property
    def size(self) -> tuple[int, int]:
        """Rows and columns."""
        return int(self.image.shape[-2]), int(self.image.shape[-1])


def _write_level(shards: Shards, fused: Fused, *, y0: int, x0: int, half: NDArray[np.float32] | None) -> None:
    classes, height, width = fused.shape
    codes = np.zeros((classes, *shards.chunk), shards.array.dtype)

    def make(part: Box) -> NDArray[Any]:
        if (part.height, part.width) != shards.chunk:  # the last chunk holds pixels beyond the border
            codes.fill(0)
        fused.store(part.shift(-y0, -x0), codes=codes, half=half)
        return codes

    shards.write(Box(y0, x0, y0 + height, x0 + width), make)


def block_writer(groups: Mapping[str, zarr.Group], *, levels: int) -> Callable[[str, Fused, Box], None]:
    """What writes a finished block of a fusion at every level of its store, each made from the one before."""
    arrays = {
        name: [Shards.of(as_array(group, str(level))) for level in range(levels)] for name, group in groups.items()
    }

    def write(fusion: str, fused: Fused, box: Box) -> None:
        for level, shards in enumerate(arrays[fusion]):
            half = fused.empty_half() if level + 1 < levels else None
            _write_level(shards, fused, y0=box.y0 >> level, x0=box.x0 >> level, half=half)
            if half is not None:
                fused = Fused(half, None)

    return write


def _room(predictor: Predictor) -> NewAccumulator:
    if isinstance(predictor, NetworkPredictor) and not predictor.on_host:
        return partial(DeviceSums, device=predictor.device)
    return HostSums


@dataclass(frozen=True, slots=True, eq=False)
class Pass:
    """One pass over the windows of one image, as paths and numbers."""

    normalized: Path
    """Store of the image."""
    model: Path
    """Folder of the model."""
    folders: Mapping[str, Path]
    """Fusion → the unfinished store."""
    levels: int
    """Of their pyramids."""
    plan: WindowPlan
    evaluated: NDArray[np.bool_]
    """One flag per window of the grid."""
    config: ProbabilityConfig
    record: DatasetRecord
    digest: str
    """Of all that the maps depend on; two passes of one digest and image are the same."""

    @property
    def activation(self) -> Activation:
        """What turns fused values into probabilities."""
        return activation_of(self.record.task, fuse=self.config.fuse)

    @property
    def maps(self) -> int:
        """Maps that the predictor gives: background is one of them where its logits are fused."""
        return len(self.record.codes) + (self.activation == "softmax")

    def check_ours(self) -> None:
        """Refuse to go on where another run of the same image has begun: a task may outlive the run that gave it.

        Raises
        ------
        StoreError
            The unfinished stores belong to another digest.
        """
        for name, folder in self.folders.items():
            if not is_claimed(folder, digest=self.digest):
                raise StoreError(
                    "Another run writes this store.",
                    where=folder,
                    found=f"another digest for {name}",
                    expected="that of this run",
                    remedy="Let one run at a time work on an image.",
                )

    def ledgers(self) -> dict[str, Ledger]:
        """Fusion → its ledger, beside the unfinished store."""
        return {name: Ledger(folder.with_name(f"{folder.name}.work")) for name, folder in self.folders.items()}

    def open(self, predictors: tuple[Predictor, ...], *, count: Callable[[int], None] | None = None) -> Run:
        """Open image and stores here.

        Parameters
        ----------
        predictors
            One for each device.
        count
            Is told of every batch how many windows were evaluated.
        """
        source = Source.open(self.normalized)
        writer = block_writer({name: open_group(path) for name, path in self.folders.items()}, levels=self.levels)
        return Run(
            source.image_id,
            self.plan,
            self.evaluated,
            self.maps,
            reader_of(source.image),
            predictors,
            writer,
            self.ledgers(),
            self.activation,
            tuple(map(_room, predictors)),
            count or nobody,
            self.check_ours,
        )
