"""Specification of a pass over the windows of an image: paths and numbers that each worker opens for itself.

It is sent to the workers of a scheduler, each of which opens the image, the network and the unfinished stores once for
all blocks.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.config import ProbabilityConfig
from pipeline.config.manifest import DatasetRecord
from pipeline.errors import StoreError
from pipeline.probability.fusion.accumulate import DeviceSums, HostSums, NewAccumulator
from pipeline.probability.fusion.journal import Journal
from pipeline.probability.fusion.logits import Activation, activation_of
from pipeline.probability.plan import WindowPlan
from pipeline.probability.predictor import NetworkPredictor
from pipeline.probability.pyramid_writer import block_writer
from pipeline.probability.sliding_window import Predictor, SlidingWindow, count_nothing
from pipeline.stores import open_unfinished
from pipeline.stores.atomic import is_claimed
from pipeline.stores.image_store import open_normalized

__all__ = ["PassSpec"]


def _accumulator(predictor: Predictor) -> NewAccumulator:
    if isinstance(predictor, NetworkPredictor) and not predictor.on_host:
        return partial(DeviceSums, device=predictor.device)
    return HostSums


@dataclass(frozen=True, slots=True, eq=False)
class PassSpec:
    """Specification of one pass over the windows of one image; nothing is open."""

    normalized: Path
    """Store of the image."""
    model: Path
    """Folder of the model."""
    folders: Mapping[str, Path]
    """Fusion → the unfinished store."""
    levels: int
    """Shapes of the levels of their pyramids."""
    plan: WindowPlan
    evaluated: NDArray[np.bool_]
    """One flag per window of the grid."""
    config: ProbabilityConfig
    record: DatasetRecord
    digest: str
    """Digest of everything that the maps depend on; passes with equal digest and image are equal."""

    @property
    def activation(self) -> Activation:
        """Activation that turns fused values into probabilities."""
        return activation_of(self.record.task, fuse=self.config.fuse)

    @property
    def maps(self) -> int:
        """Number of maps that the predictor gives; background is one of them where logits are fused."""
        return len(self.record.codes) + (self.activation == "softmax")

    def check_ours(self) -> None:
        """Refuse to go on where another job for the same image has begun: a task may outlive the job that submitted it.

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

    def journals(self) -> dict[str, Journal]:
        """Fusion → journal beside its unfinished store."""
        return {name: Journal(folder.with_name(f"{folder.name}.work")) for name, folder in self.folders.items()}

    def open(self, predictors: tuple[Predictor, ...], *, count: Callable[[int], None] | None = None) -> SlidingWindow:
        """The pass with image and stores opened in this process.

        Parameters
        ----------
        predictors
            One for each device.
        count
            Called after every batch with the number of windows evaluated.
        """
        source = open_normalized(self.normalized)
        writer = block_writer({name: open_unfinished(path) for name, path in self.folders.items()}, levels=self.levels)
        return SlidingWindow(
            source.image_id,
            self.plan,
            self.evaluated,
            self.maps,
            source.image,
            predictors,
            writer,
            self.journals(),
            self.activation,
            tuple(map(_accumulator, predictors)),
            count or count_nothing,
            self.check_ours,
            source.roi if self.config.outside_roi == "zero" else None,
        )
