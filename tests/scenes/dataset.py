"""Small data sets with known truth, written the way the stages write them, for the tests of the index and of what reads one."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.config import Sampling, Storage
from pipeline.config.manifest import DatasetRecord
from pipeline.index import candidates, table
from pipeline.normalized.pyramid import halve, level_shapes
from pipeline.stores import create_plane, create_pyramid, table_metadata, write_box, write_table
from pipeline.stores.job import Job
from pipeline.stores.provenance import Provenance
from pipeline.stores.record import seal

PROVENANCE = Provenance(stage="index", config={}, code="0")
STORAGE = Storage(chunk=32, shard=64)
CODES = ("MA", "HE", "SE")


@dataclass(frozen=True)
class Picture:
    """One image as the test knows it."""

    truth: NDArray[np.uint8]
    split: str = "train"
    roi: NDArray[np.uint8] | None = None
    colour: NDArray[np.uint8] | None = None
    unknown: tuple[str, ...] = ()
    rejected: str = ""
    group: str | None = None
    ignore: NDArray[np.uint8] | None = None
    fold: int = -1

    @property
    def shape(self) -> tuple[int, int]:
        return self.truth.shape[1], self.truth.shape[2]

    @property
    def field_of_view(self) -> NDArray[np.uint8]:
        return np.ones(self.shape, np.uint8) if self.roi is None else self.roi


@dataclass
class Dataset:
    """A data set on disk."""

    root: Path
    pictures: Mapping[str, Picture]
    codes: tuple[str, ...] = CODES
    anatomy: tuple[str, ...] = ()
    modality: str = "fundus"
    normalized: dict[str, Path] = field(default_factory=dict)
    candidates: dict[str, Path] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for image_id, picture in self.pictures.items():
            self.normalized[image_id] = self.root / "normalized" / f"{image_id}.zarr"
            self.candidates[image_id] = self.root / "index" / "candidates" / f"{image_id}.parquet"
            write_store(self.normalized[image_id], image_id, picture, codes=self.codes)
            candidates.write_candidates(
                self.normalized[image_id], output=self.candidates[image_id], provenance=PROVENANCE
            )

    @property
    def record(self) -> DatasetRecord:
        kinds = {code: "anatomy" if code in self.anatomy else "lesion" for code in self.codes}
        classes = [{"code": code, "name": code, "kind": kind} for code, kind in kinds.items()]
        facts = {"title": "t", "adaptor": "idrid", "modality": self.modality, "task": "multilabel", "classes": classes}
        return DatasetRecord.model_validate(facts)

    def images(self, ids: tuple[str, ...]) -> Path:
        path = self.root / "raw" / f"images-{len(ids)}.parquet"
        path.parent.mkdir(exist_ok=True)
        write_table(pd.DataFrame([self._row(image_id) for image_id in ids]), path, provenance={})
        return path

    def _row(self, image_id: str) -> dict[str, Any]:
        picture = self.pictures[image_id]
        counts = dict(zip(self.codes, picture.truth.sum(axis=(1, 2)), strict=True))
        pixels = {f"pixels_{code}": -1 if code in picture.unknown else int(count) for code, count in counts.items()}
        facts = {
            "dataset": "d",
            "image_id": image_id,
            "group_id": picture.group or f"g{image_id}",
            "split": picture.split,
        }
        return {**facts, "fold": np.int8(picture.fold), "rejected": picture.rejected, **pixels}

    def write(
        self,
        sampling: Sampling,
        *,
        seed: int = 0,
        ids: tuple[str, ...] | None = None,
        backwards: bool = False,
        hard_negatives: Path | None = None,
        workers: int = 1,
    ) -> Path:
        ids = tuple(self.pictures) if ids is None else ids
        ids = ids[::-1] if backwards else ids
        output = self.root / "index" / "s.parquet"
        candidates, normalized = ({key: paths[key] for key in ids} for paths in (self.candidates, self.normalized))
        table.write_index(
            table.Inputs(self.images(ids), candidates, normalized, hard_negatives),
            dataset="d",
            sampling=sampling,
            job=Job(self.record, replace(PROVENANCE, seed=seed), workers),
            output=output,
        )
        return output

    def index(self, sampling: Sampling, **options: Any) -> pd.DataFrame:
        return table.read_index(self.write(sampling, **options))

    def summary(self) -> dict[str, Any]:
        return table_metadata(self.root / "index" / "s.parquet")["summary"]


def write_store(path: Path, image_id: str, picture: Picture, *, codes: tuple[str, ...]) -> None:
    """A store of stage normalized."""
    height, width = picture.shape
    notes = {
        "lesionmap": {"image_id": image_id, "classes": list(codes), "mapping": {}, "unknown": list(picture.unknown)}
    }
    known = np.array([code not in picture.unknown for code in codes], np.uint8)[:, None, None]
    shapes = level_shapes(height, width, smallest=8, most=3)
    level = np.zeros((3, height, width), np.uint8) if picture.colour is None else picture.colour
    group = create_pyramid(
        path,
        channels=["r", "g", "b"],
        shapes=shapes,
        dtype="uint8",
        storage=STORAGE,
        provenance={"stage": "normalized"},
        extra=notes,
    )
    for number in range(len(shapes)):
        write_box(group[str(number)], level, y0=0, x0=0)
        level = np.stack([halve(channel) for channel in level])
    planes = {"truth": picture.truth * known, "roi": picture.field_of_view}
    planes |= {} if picture.ignore is None else {"ignore": picture.ignore}
    for name, values in planes.items():
        write_box(create_plane(group, name, shape=values.shape, dtype="uint8", storage=STORAGE), values, y0=0, x0=0)
    seal(path)


def blobs(seed: int, *, height: int, width: int, classes: int = len(CODES), count: int = 6) -> NDArray[np.uint8]:
    """Small rectangles and single pixels of each class; the last class may stay empty."""
    random = np.random.Generator(np.random.PCG64(seed))
    truth = np.zeros((classes, height, width), np.uint8)
    for plane in truth:
        for _ in range(int(random.integers(0, count + 1))):
            y, x, h, w = random.integers(0, [height, width, 9, 9])
            plane[y : y + h + 1, x : x + w + 1] = 1
    return truth
