"""Inputs of the benchmarks: images as stage normalized leaves them, and a data set of any number of classes."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from pipeline.config import ProbabilityConfig, Storage
from pipeline.config.manifest import DatasetRecord
from pipeline.geometry import Box
from pipeline.probability.plan import WindowPlan, stride_of
from pipeline.seeds import stream
from pipeline.stores import create_plane, create_pyramid, write_box
from pipeline.stores.provenance import Provenance
from pipeline.stores.record import seal
from pipeline.stores.shards import Shards

__all__ = [
    "OVERLAP",
    "STRIDE",
    "WINDOW",
    "config",
    "origin",
    "pixels",
    "plan",
    "record",
    "write_image",
    "write_repeated",
]

WINDOW, OVERLAP = 512, 0.25
STRIDE = stride_of(WINDOW, overlap=OVERLAP)


def record(classes: int) -> DatasetRecord:
    """Facts of a data set with independent classes ``C1``, ``C2``, …."""
    names = [{"code": f"C{number}", "name": f"class {number}"} for number in range(1, classes + 1)]
    masks = {each["code"]: f"{{image}}_{each['code']}.png" for each in names}
    return DatasetRecord.model_validate(
        {
            "title": "benchmark",
            "adaptor": "folder",
            "modality": "histology",
            "task": "multilabel",
            "classes": names,
            "folder": {"images": "{image}.png", "masks": masks},
        }
    )


def origin(*parts: object) -> Provenance:
    """A record of origin that tells one measurement from another."""
    return Provenance("probability", {"benchmark": list(map(str, parts))}, "benchmark")


def config(**changes: Any) -> ProbabilityConfig:  # noqa: ANN401 values of any setting
    """The defaults of the stage, on the processor, with two workers, but for the changes."""
    return ProbabilityConfig.model_validate({"device": "cpu", "workers": 2, **changes})


def plan(height: int, width: int, *, settings: ProbabilityConfig) -> WindowPlan:
    """Windows of 512 pixels that overlap by a quarter."""
    return WindowPlan(height, width, WINDOW, STRIDE, settings.storage.shard, settings.batch_size)


def pixels(height: int, width: int, *, grain: int = 1) -> NDArray[np.uint8]:
    """A reproducible image ``(3, height, width)``, 1…254: waves and noise that repeat; coarse grains compress well."""
    period = Storage().shard
    y, x = np.mgrid[0:period, 0:period].astype(np.float32) // grain * grain
    waves = 128 + 50 * np.sin(y / 97) * np.cos(x / 61)
    noise = stream(0, "benchmark", "pixels", grain).integers(-40, 41, (3, period // grain, period // grain))
    tile = (waves + noise.repeat(grain, axis=1).repeat(grain, axis=2)).clip(1, 254).astype(np.uint8)
    return np.tile(tile, (1, -(-height // period), -(-width // period)))[:, :height, :width]


def _store(path: Path, *, height: int, width: int) -> zarr.Group:
    notes = {"image_id": path.stem, "mapping": {"factor_y": 1.0, "factor_x": 1.0, "source_height": height}}
    group = create_pyramid(
        path,
        channels=("r", "g", "b"),
        shapes=((height, width),),
        dtype=np.uint8,
        storage=Storage(),
        provenance={"stage": "normalized"},
        extra={"lesionmap": notes},
    )
    create_plane(group, "roi", shape=(height, width), dtype=np.uint8, storage=Storage())
    return group


def write_image(path: Path, image: NDArray[np.uint8]) -> Path:
    """Store an image ``(3, y, x)`` that is roi all over, shard by shard."""
    height, width = image.shape[1:]
    group, side = _store(path, height=height, width=width), Storage().shard
    for y in range(0, height, side):
        for x in range(0, width, side):
            part = image[:, y : y + side, x : x + side]
            write_box(group["0"], part, y0=y, x0=x)
            write_box(group["roi"], np.ones(part.shape[1:], np.uint8), y0=y, x0=x)
    seal(path)
    return path


def write_repeated(path: Path, *, side: int) -> Path:
    """Store a square image that repeats one shard: one file under many names, whatever the size of the image."""
    group, shard = _store(path, height=side, width=side), Storage().shard
    image = pixels(shard, shard, grain=8)
    for name, values in {"0": image, "roi": np.ones((shard, shard), np.uint8)}.items():
        write_box(group[name], values, y0=0, x0=0)
        shards, steps = Shards.of(group[name]), range(0, side, shard)
        first, *others = [_file(shards, Box(y, x, y + shard, x + shard)) for y in steps for x in steps]
        for other in others:
            other.parent.mkdir(parents=True, exist_ok=True)
            os.link(first, other)
    seal(path)
    return path


def _file(shards: Shards, box: Box) -> Path:
    lead = (0,) * (shards.array.ndim - 2)
    key = shards.array.metadata.encode_chunk_key((*lead, box.y0 // shards.shard[0], box.x0 // shards.shard[1]))
    return shards.root / shards.array.path / key
