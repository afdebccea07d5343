"""Data set and data loader: patches read directly from the normalised stores, padded and augmented, in any process.

Stores are opened when first read and belong to the process that opened them. Zarr's event loop does not survive a fork,
so reading processes start from a fork server and receive only paths.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import cv2
import numba
import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader, Dataset

from pipeline.arrays.padding import pad_constant, pad_image
from pipeline.config.manifest import DatasetRecord
from pipeline.errors import ModelError
from pipeline.geometry import Box
from pipeline.model.augment import Augmenter, patch_stream
from pipeline.model.changes import Changes
from pipeline.model.crops import CropMasks, MovingCrops
from pipeline.model.order import EpochBatches, InOrder, Key
from pipeline.model.resizing import resized_image, resized_masks
from pipeline.model.targets import IGNORE, build_target
from pipeline.stores import open_array
from pipeline.stores.shards import Shards

__all__ = ["PatchDataset", "Sample", "TimedLoader", "check_rows", "loader", "one_thread"]

Sample = tuple[NDArray[np.uint8], NDArray[np.uint8], int, NDArray[np.bool_]]
"""Image ``(3, side, side)``, target ``(side, side)`` or ``(class, side, side)``, epoch, unknown classes ``(class,)``."""


@dataclass(frozen=True, slots=True)
class _Arrays:
    """Open arrays of one image."""

    pixels: Shards
    masks: CropMasks


class PatchDataset(Dataset[Sample]):
    """Data set of patches by epoch, row and earlier occurrences of the row in the epoch, with new changes each time."""

    def __init__(
        self,
        rows: pd.DataFrame,
        *,
        normalized: Mapping[str, Path],
        record: DatasetRecord,
        side: int,
        augmenter: Augmenter | Changes | None = None,
        address: tuple[int, str] = (0, ""),
        moving: float = 0.0,
    ) -> None:
        """Take over the rows; no store is opened yet.

        Parameters
        ----------
        rows
            Rows of the index; a class with −1 pixels is unknown in the patch.
        normalized
            Image id → store.
        record
            Classes and task.
        side
            Side of a patch in pixels; smaller boxes are padded to it.
        augmenter
            Data augmentation, or None for patches as they are.
        address
            Seed and name of the model, which address the changes.
        moving
            Largest shift of a box in an epoch, as a share of its side (`pipeline.model.crops`); 0 for fixed boxes.
        """
        self._images = rows["image_id"].astype(str).tolist()
        self._ids = rows["patch_id"].astype(str).tolist()
        self._boxes = rows[["y", "x", "height", "width"]].to_numpy(dtype=np.int64)
        self._unknown = rows[[f"pixels_{code}" for code in record.codes]].to_numpy() < 0
        moves = moving > 0 or (augmenter is not None and augmenter.scales)
        self._crops = MovingCrops.of(rows, share=moving, address=address) if moves else None
        self._paths = {image: normalized[image] for image in sorted(set(self._images))}
        self._record, self._side = record, side
        self._augmenter, self._address = augmenter, address
        self._open: dict[str, _Arrays] = {}

    def __len__(self) -> int:
        """Rows."""
        return len(self._ids)

    def __getstate__(self) -> dict[str, Any]:
        """Everything but the open stores: another process opens its own."""
        return {**self.__dict__, "_open": {}}

    def __getitem__(self, key: Key) -> Sample:
        epoch, row, before = key
        if self._augmenter is None:
            return *self._patch(key), epoch, self._unknown[row]
        random = patch_stream(self._address, epoch=epoch, patch_id=self._ids[row], before=before)
        patch = self._patch(key, scale=self._augmenter.scale(random))
        return *self._augmenter.change(*patch, random), epoch, self._unknown[row]

    def _patch(self, key: Key, *, scale: float = 1.0) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        arrays = self._arrays(self._images[key[1]])
        box = self._box(key, arrays, scale=scale)
        masks = arrays.masks
        pixels, truth = arrays.pixels.read(box), masks.truth.read(box)
        ignored = None if masks.ignored is None else masks.ignored.read(box)
        if scale != 1:
            # A negative that finds no place at another size keeps its own box and size; a small image is one box at any size.
            whole = max(box.height, box.width) >= self._side
            kept = whole and self._crops is not None and box == self._crops.place(key[1])
            side = self._side if kept else max(round(self._side * scale), 1)
            pixels, truth, ignored = self._resized(pixels, truth, ignored, side=side)
        target = build_target(truth, record=self._record, ignored=ignored, unknown=self._unknown[key[1]])
        return pad_image(pixels, self._side), pad_constant(target, self._side, value=IGNORE)

    def _resized(
        self, pixels: NDArray[np.uint8], truth: NDArray[np.uint8], ignored: NDArray[np.uint8] | None, *, side: int
    ) -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]]:
        unsure = np.zeros(truth.shape[1:], np.uint8) if ignored is None else ignored
        side = max(side, *truth.shape[1:])
        truth = resized_masks(pad_constant(truth, side, value=0), self._side)
        unsure = resized_masks(pad_constant(unsure, side, value=1)[None], self._side, any_part=True)[0]
        return resized_image(pad_image(pixels, side), self._side), truth, unsure & ~truth.any(axis=0)

    def _box(self, key: Key, arrays: _Arrays, *, scale: float) -> Box:
        epoch, row, before = key
        if self._crops is None:
            y, x, height, width = self._boxes[row].tolist()
            return Box(y, x, y + height, x + width)
        return self._crops.box(row, epoch=epoch, before=before, masks=arrays.masks, scale=scale)

    def _arrays(self, image: str) -> _Arrays:
        if image not in self._open:
            path = self._paths[image]
            self._open[image] = _Arrays(Shards.of(open_array(path, "0")), CropMasks.of(path))
        return self._open[image]


class TimedLoader(DataLoader[Sample]):
    """Data loader that measures the time spent waiting for batches."""

    _waited = 0.0

    def __iter__(self) -> Any:  # noqa: ANN401 as the library has it
        """Batches of an epoch."""
        source = super().__iter__()
        while True:
            begun = time.perf_counter()
            batch = next(source, None)
            self._waited += time.perf_counter() - begun
            if batch is None:
                return
            yield batch

    def waited(self) -> float:
        """Seconds waited since the last call."""
        waited, self._waited = self._waited, 0.0
        return waited


def loader(
    dataset: PatchDataset,
    *,
    batches: EpochBatches | InOrder,
    readers: int,
    start: Literal["forkserver", "spawn"] = "forkserver",
    pin: bool = False,
) -> TimedLoader:
    """Data loader of batches; ``readers`` processes read ahead, with 0 the loop itself reads.

    It has its own generator, because the state of torch's global one affects the training step. Reading processes are
    started anew, because Zarr's event loop does not survive a fork. Each has one thread per library.
    """
    return TimedLoader(
        dataset,
        batch_sampler=batches,
        num_workers=readers,
        persistent_workers=readers > 0,
        multiprocessing_context=start if readers else None,
        worker_init_fn=one_thread if readers else None,
        generator=torch.Generator(),
        pin_memory=pin,
    )


def one_thread(_: int = 0) -> None:
    """Thread limit of a process that reads patches: one thread for each library that would use all cores."""
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    numba.set_num_threads(1)


def check_rows(rows: pd.DataFrame, *, normalized: Mapping[str, Path], record: DatasetRecord, side: int) -> None:
    """Check of the rows before any work; refuses rows that the stores or the network cannot serve.

    Raises
    ------
    ModelError
        An image has no store, a box is larger than the patch, or the index has other classes.
    """
    absent = sorted(set(rows["image_id"].astype(str)) - set(normalized))
    if absent:
        raise ModelError(
            "Images of the index have no normalised store.",
            where="model.patches",
            found=", ".join(absent[:5]),
            expected="one store per image",
            remedy="Run the stage normalized, then index, again.",
        )
    largest = int(rows[["height", "width"]].to_numpy().max())
    if largest > side:
        raise ModelError(
            "The index was drawn for larger patches.",
            where="model.patches",
            found=f"boxes of {largest} pixels",
            expected=f"at most {side}",
            remedy="Run the stage index again.",
        )
    found = {name.removeprefix("pixels_") for name in rows.columns if name.startswith("pixels_")}
    if found != set(record.codes):
        raise ModelError(
            "The index knows other classes.",
            where="model.patches",
            found=", ".join(sorted(found)),
            expected=", ".join(record.codes),
            remedy="Run the stage index again.",
        )
