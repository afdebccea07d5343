"""Stores of stage normalized as large as IDRiD's, with truth made for the test: ``python -m benchmarks.index.data FOLDER N``."""

import shutil
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from pipeline.config import Storage
from pipeline.config.manifest import DatasetRecord
from pipeline.index.candidates import write_candidates
from pipeline.seeds import stream
from pipeline.stores import create_group, create_plane, create_pyramid, open_group, read_noted, write_box, write_table
from pipeline.stores.provenance import Provenance
from pipeline.stores.record import seal

__all__ = ["CODES", "HEIGHT", "RECORD", "WIDTH", "make", "paths"]

HEIGHT, WIDTH = 2848, 4288
CODES = ("MA", "HE", "EX", "SE", "OD")
LESIONS = {"MA": (60, 3, 7), "HE": (15, 8, 50), "EX": (60, 3, 30), "SE": (2, 30, 60), "OD": (1, 220, 260)}
"""Class → discs in an image, and their radii."""
RECORD = DatasetRecord.model_validate(
    {
        "title": "size",
        "adaptor": "idrid",
        "modality": "fundus",
        "task": "multiclass",
        "classes": [{"code": code, "name": code, "kind": "anatomy" if code == "OD" else "lesion"} for code in CODES],
    }
)
DISTINCT = 100
"""Images whose truth is made; a multiple of the four and the ten that repeat."""
STORAGE = Storage()
ORIGIN = Provenance("index", {}, "benchmark")
LEVELS = ((HEIGHT, WIDTH), (HEIGHT // 2, WIDTH // 2), (HEIGHT // 4, WIDTH // 4))


def paths(folder: Path, number: int) -> tuple[str, Path, Path]:
    """Name, store and candidate table of an image."""
    name = f"image_{number:04d}"
    return name, folder / "normalized" / f"{name}.zarr", folder / "candidates" / f"{name}.parquet"


def truth(number: int) -> np.ndarray:
    """Discs of every class ``(class, y, x)``; every fourth image has only the anatomy."""
    random = stream(0, "benchmark", number)
    planes = np.zeros((len(CODES), HEIGHT, WIDTH), np.uint8)
    for plane, (code, (count, least, most)) in zip(planes, LESIONS.items(), strict=True):
        if code == "OD" or number % 4:
            for y, x, radius in random.integers([0, 0, least], [HEIGHT, WIDTH, most + 1], (count, 3)).tolist():
                cv2.circle(plane, (x, y), radius, 1, -1)
    return planes


def _make(job: tuple[Path, int]) -> list[int]:
    folder, number = job
    name, store, table = paths(folder, number)
    notes = {"lesionmap": {"image_id": name, "classes": list(CODES), "mapping": {}}}
    group = create_pyramid(
        store,
        channels=("red", "green", "blue"),
        shapes=LEVELS,
        dtype="uint8",
        storage=STORAGE,
        provenance={"stage": "normalized"},
        extra=notes,
    )
    planes = truth(number)
    roi = cv2.circle(np.zeros((HEIGHT, WIDTH), np.uint8), (WIDTH // 2, HEIGHT // 2), 1700, 1, -1)
    coarse = stream(0, "benchmark", number, "colour").integers(100, 140, (3, *LEVELS[2])).astype(np.uint8)
    write_box(group["2"], coarse, y0=0, x0=0)
    for key, values in {"truth": planes, "roi": roi}.items():
        write_box(create_plane(group, key, shape=values.shape, dtype="uint8", storage=STORAGE), values, y0=0, x0=0)
    seal(store)
    write_candidates(store, output=table, provenance=ORIGIN)
    return [int(each) for each in planes.sum(axis=(1, 2))]


def _copy(folder: Path, number: int) -> None:
    """A store and its candidate table again, under another name."""
    _, store, table = paths(folder, number % DISTINCT)
    name, to, other = paths(folder, number)
    shutil.copytree(store, to)
    attributes = dict(open_group(store).attrs)
    create_group(to, attributes={**attributes, "lesionmap": {**attributes["lesionmap"], "image_id": name}})
    seal(to)
    frame, found = read_noted(table)
    write_table(frame, other, provenance=ORIGIN.as_attributes(), extra={"image": {**found["image"], "image_id": name}})


def make(folder: Path, count: int) -> None:
    """Write ``count`` stores, their candidate tables and ``images.parquet``: one patient each, one in ten validates.

    After ``DISTINCT`` images come copies of them under other names, because making one takes a second.
    """
    (folder / "candidates").mkdir(parents=True, exist_ok=True)
    with ProcessPoolExecutor(2) as pool:
        made = list(pool.map(_make, ((folder, number) for number in range(min(count, DISTINCT))), chunksize=4))
    for number in range(DISTINCT, count):
        _copy(folder, number)
    pixels = [made[number % DISTINCT] for number in range(count)]
    rows = [
        {
            "dataset": "size",
            "image_id": paths(folder, at)[0],
            "group_id": f"p{at:04d}",
            "fold": np.int8(-1),
            "rejected": "",
            "split": "validation" if at % 10 == 9 else "train",
            **{f"pixels_{c}": n for c, n in zip(CODES, each, strict=True)},
        }
        for at, each in enumerate(pixels)
    ]
    write_table(pd.DataFrame(rows), folder / "images.parquet", provenance={})


if __name__ == "__main__":
    make(Path(sys.argv[1]), int(sys.argv[2]))
