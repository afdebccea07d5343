"""Small results of two models on one photograph with a name that is markup, written as stages write them."""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
from PIL import Image

from pipeline import stores
from pipeline.config import NormalizedConfig, Storage
from pipeline.config.manifest import ClassRecord, DatasetRecord, FolderLayout
from pipeline.normalized.pyramid import halve, level_shapes
from pipeline.raw.datasets.entry import ImageEntry
from pipeline.seeds import stream
from pipeline.stores.labels import class_labels, label_attributes

STORAGE = Storage(chunk=128, shard=1024)
HEIGHT, WIDTH = 700, 1300
CLASSES = (
    ClassRecord(code="MA", name="<b>a&b</b>", colour="red"),
    ClassRecord(code="OD", name="Optic disc", colour="magenta", kind="anatomy"),
)
RECORD = DatasetRecord(
    title="Eyes",
    adaptor="folder",
    modality="fundus",
    task="multiclass",
    classes=CLASSES,
    folder=FolderLayout(images="{image}.png"),
)
IMAGE = "eye_1"


@dataclass(frozen=True)
class Scene:
    """Results and the arrays that they were made of."""

    results: Path
    dataset: Path
    file: Path
    pixels: np.ndarray
    """``(3, y, x)``."""
    truth: np.ndarray
    masks: np.ndarray
    maps: np.ndarray

    @property
    def entry(self) -> ImageEntry:
        """The photograph."""
        return ImageEntry(IMAGE, self.file)


def _pyramid(path: Path, levels: list[np.ndarray], channels: tuple[str, ...], **extra: np.ndarray) -> None:
    shapes = [each.shape[-2:] for each in levels]
    group = stores.create_pyramid(
        path,
        channels=channels,
        shapes=shapes,
        dtype=levels[0].dtype,
        storage=STORAGE,
        provenance={"stage": "test"},
        extra={"lesionmap": {"image_id": IMAGE, "mapping": {"factor_y": 1.0, "factor_x": 1.0, "pixel_size_um": 5.0}}},
    )
    for level, array in enumerate(levels):
        stores.write_box(group[str(level)], array, y0=0, x0=0)
    for name, array in extra.items():
        made = stores.create_plane(group, name, shape=array.shape, dtype=array.dtype, storage=STORAGE)
        stores.write_box(made, array, y0=0, x0=0)
    stores.seal(path)


def _labels(path: Path, masks: np.ndarray) -> None:
    ome = label_attributes(IMAGE, class_labels(RECORD), levels=1, pixel_size_um=None)
    group = stores.create_group(path, attributes={"ome": ome, "provenance": {}})
    for name, array in (("0", masks[0]), ("masks", masks)):
        made = stores.create_plane(group, name, shape=array.shape, dtype=array.dtype, storage=STORAGE)
        stores.write_box(made, array, y0=0, x0=0)
    stores.seal(path)


def blobs(*address: str, shape: tuple[int, int], count: int) -> np.ndarray:
    """Discs of one to thirty pixels across."""
    rng, mask = stream(0, "tests", "view", *address), np.zeros(shape, np.uint8)
    for _ in range(count):
        cv2.circle(mask, (int(rng.integers(shape[1])), int(rng.integers(shape[0]))), int(rng.integers(15)), 1, -1)
    return mask


def make_scene(folder: Path) -> Scene:
    """Results of the models ``unet`` and ``other`` beside each other."""
    shape = (HEIGHT, WIDTH)
    smooth = cv2.resize(stream(0, "tests", "view").integers(0, 256, (7, 13, 3)).astype(np.uint8), (WIDTH, HEIGHT))
    pixels = np.ascontiguousarray(np.moveaxis(smooth, 2, 0))
    truth = np.stack([blobs("truth", each.code, shape=shape, count=60) for each in CLASSES])
    masks = np.stack([blobs("masks", each.code, shape=shape, count=60) for each in CLASSES])
    maps = np.stack([cv2.GaussianBlur(each.astype(np.float32), (0, 0), 4) for each in masks]).astype(np.float16)
    dataset = folder / "results" / "eyes"
    (dataset / "raw").mkdir(parents=True)
    counts = {f"pixels_{each.code}": int(plane.sum()) for each, plane in zip(CLASSES, truth, strict=True)}
    row = {"image_id": IMAGE, "group_id": "p", "centre": "", "split": "test", "rejected": "", "file": "eye_1.png"}
    table = pd.DataFrame([row | {"height": HEIGHT, "width": WIDTH} | counts])
    stores.write_table(table, dataset / "raw" / "images.parquet", provenance={})
    halved = [pixels]
    while len(halved) < len(level_shapes(*shape, smallest=256, most=9)):
        halved.append(halve(halved[-1]))
    _pyramid(dataset / "normalized" / f"{IMAGE}.zarr", halved, ("red", "green", "blue"), truth=truth)
    for model in ("unet", "other"):
        place = Path(model) / "gaussian" / f"{IMAGE}.zarr"
        _pyramid(dataset / "probability" / place, [maps, maps[..., ::2, ::2]], ("MA", "OD"))
        _labels(dataset / "segmentation" / place, masks)
    file = folder / "photographs" / "eye_1.png"
    file.parent.mkdir()
    Image.fromarray(np.moveaxis(pixels, 0, 2)).save(file)
    return Scene(folder / "results", dataset, file, pixels, truth, masks, maps)


CONFIG = NormalizedConfig()
