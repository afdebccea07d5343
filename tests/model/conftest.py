"""Small normalised stores and patch indexes, built by hand from the contract."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline.config import Augmentation, ModelSettings, Storage
from pipeline.config.manifest import ClassRecord, DatasetRecord, PhantomLayout
from pipeline.model.train import Inputs, train
from pipeline.seeds import stream
from pipeline.stores import create_plane, create_pyramid, write_box, write_table
from pipeline.stores.job import Job
from pipeline.stores.provenance import Provenance
from pipeline.stores.record import seal

STORAGE = Storage(chunk=64, shard=128)
SIDE = 64
QUICK = ModelSettings(
    encoder="mobilenet_v2",
    encoder_weights="none",
    moving_crops=0.0,
    augmentation=Augmentation(),
    schedule="plateau",
    average_decay=0.0,
    select_by="dice_miou",
    epochs=2,
    batch_size=4,
    threads=1,
    device="cpu",
    learning_rate=3e-3,
)


def make_record(
    task: str = "multiclass", codes: tuple[str, ...] = ("MA", "OD"), priority: tuple[str, ...] = ()
) -> DatasetRecord:
    """A data set of the given task."""
    return DatasetRecord(
        title="tiny",
        adaptor="phantom",
        modality="fundus",
        task=task,
        classes=tuple(ClassRecord(code=code, name=code.lower()) for code in codes),
        priority=priority,
        phantom=PhantomLayout(world="fundus"),
    )


def make_image(name: str, *, classes: int, side: int = 128) -> tuple[np.ndarray, np.ndarray]:
    """Noise with one bright square per class, each in a colour channel of its own."""
    random = stream(7, name)
    image = random.integers(60, 100, (3, side, side)).astype(np.uint8)
    truth = np.zeros((classes, side, side), np.uint8)
    for plane in range(classes):
        for _ in range(4):
            y, x = random.integers(0, side - 24, 2)
            truth[plane, y : y + 24, x : x + 24] = 1
        image[plane % 3][truth[plane] > 0] += 120
    return image, truth


def write_store(path: Path, image: np.ndarray, truth: np.ndarray, ignore: np.ndarray | None = None) -> Path:
    """A normalised store as the stage normalized writes it."""
    provenance = Provenance("normalized", {"normalized": {"chain": "fundus"}}, code="0").as_attributes()
    height, width = image.shape[1:]
    shapes = [(height, width), (-(-height // 2), -(-width // 2))]
    group = create_pyramid(
        path, channels=("R", "G", "B"), shapes=shapes, dtype=np.uint8, storage=STORAGE, provenance=provenance
    )
    arrays = {"truth": truth, "roi": np.ones((height, width), np.uint8)}
    for name, planes in (arrays if ignore is None else arrays | {"ignore": ignore}).items():
        create_plane(group, name, shape=planes.shape, dtype=np.uint8, storage=STORAGE)
        for y0 in range(0, height, 128):
            for x0 in range(0, width, 128):
                write_box(group[name], planes[..., y0 : y0 + 128, x0 : x0 + 128], y0=y0, x0=x0)
    for y0 in range(0, height, 128):
        for x0 in range(0, width, 128):
            write_box(group["0"], image[..., y0 : y0 + 128, x0 : x0 + 128], y0=y0, x0=x0)
    seal(path)
    return path


def index_rows(
    images: Mapping[str, tuple[str, np.ndarray]], *, codes: tuple[str, ...], side: int = SIDE
) -> pd.DataFrame:
    """Rows of plain tiles of all images, `image id → (split, truth)`."""
    rows = []
    for image, (split, truth) in images.items():
        height, width = truth.shape[1:]
        for y in range(0, max(height - side, 0) + 1, side):
            for x in range(0, max(width - side, 0) + 1, side):
                tile = truth[:, y : y + side, x : x + side]
                pixels = {f"pixels_{code}": int(tile[at].sum()) for at, code in enumerate(codes)}
                rows.append(
                    {
                        "patch_id": f"{image}-{y}-{x}",
                        "dataset": "tiny",
                        "image_id": image,
                        "group_id": image,
                        "split": split,
                        "fold": len(rows) % 2,
                        "strategy": "grid",
                        "y": y,
                        "x": x,
                        "height": tile.shape[1],
                        "width": tile.shape[2],
                        "roi_fraction": 1.0,
                        "is_positive": any(pixels.values()),
                        **pixels,
                    }
                )
    categories = ["dataset", "image_id", "group_id", "split", "strategy"]
    integers = {"fold": "int8", **dict.fromkeys(["y", "x", "height", "width"], "int32")}
    return pd.DataFrame(rows).astype({**dict.fromkeys(categories, "category"), **integers})


@dataclass(frozen=True)
class Bench:
    """A tiny data set on disk, and a way to train on it."""

    root: Path
    record: DatasetRecord
    stores: dict[str, Path]
    index: Path
    frame: pd.DataFrame

    def origin(self, settings: ModelSettings, seed: int = 3) -> Provenance:
        """The record of origin that `train` gives."""
        return Provenance("model", settings.model_dump(mode="json"), code="0", seed=seed)

    def train(
        self,
        where: str,
        *,
        settings: ModelSettings,
        seed: int = 3,
        patch: int = SIDE,
        normalized: Mapping[str, Path] | None = None,
        target: Path | None = None,
    ) -> Path:
        """Train into a folder of its own; the folder."""
        output = self.root / where / "tiny" / "model" / "net"
        inputs = Inputs(self.index, self.stores if normalized is None else normalized, target)
        job = Job(self.record, self.origin(settings, seed))
        train(inputs, name="net", settings=settings, patch=patch, job=job, output=output)
        return output


Build = Callable[..., Bench]


def build_at(root: Path) -> Build:
    """A function that builds a data set in a folder."""

    def build(
        task: str = "multiclass",
        codes: tuple[str, ...] = ("MA", "OD"),
        splits: tuple[str, ...] = ("train", "train", "validation"),
    ) -> Bench:
        made = {
            f"image_{at}": (split, *make_image(f"image_{at}", classes=len(codes))) for at, split in enumerate(splits)
        }
        stores = {name: write_store(root / f"{name}.zarr", image, truth) for name, (_, image, truth) in made.items()}
        frame = index_rows({name: (split, truth) for name, (split, _, truth) in made.items()}, codes=codes)
        write_table(frame, root / "index.parquet", provenance={})
        return Bench(root, make_record(task, codes), stores, root / "index.parquet", frame)

    return build


@pytest.fixture
def bench(tmp_path: Path) -> Build:
    """Builds a data set: two training images, one for validation."""
    return build_at(tmp_path)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Bench, Path]:
    """A data set and a model trained on it, to look at only."""
    tiny = build_at(tmp_path_factory.mktemp("trained"))()
    return tiny, tiny.train("out", settings=QUICK)


@pytest.fixture
def quick() -> ModelSettings:
    """Settings that train in a second or two."""
    return QUICK


@pytest.fixture
def record() -> Callable[..., DatasetRecord]:
    """Makes the record of a data set."""
    return make_record


@pytest.fixture
def store() -> Callable[[Path, np.ndarray, np.ndarray], Path]:
    """Writes a normalised store."""
    return write_store
