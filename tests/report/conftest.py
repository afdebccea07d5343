"""Small invented results of every stage before the report, written through the same door as the real ones."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from pipeline import stores
from pipeline.config import ReportConfig, Storage
from pipeline.config.manifest import ClassRecord, DatasetRecord
from pipeline.report.measures.errors import write_errors
from pipeline.report.measures.evaluate import write_metrics
from pipeline.report.measures.original_grid import TruthFiles
from pipeline.report.paths import Inputs, Original, Result
from pipeline.report.pictures import chart
from pipeline.seeds import stream
from pipeline.stores.documents import json_text
from pipeline.stores.job import Job
from pipeline.stores.provenance import Provenance

STORAGE = Storage(chunk=64, shard=128)
PROVENANCE = Provenance(stage="report", config={"picture_side": 300}, code="0123456789ab")
CONFIG = ReportConfig(images=4, picture_side=120, bootstrap=50)
CLASSES = (
    ClassRecord(code="MA", name="Microaneurysms", colour="red"),
    ClassRecord(code="EX", name="Hard exudates", colour="blue"),
    ClassRecord(code="SE", name="Soft exudates", colour="yellow"),
    ClassRecord(code="OD", name="Optic disc", colour="magenta", kind="anatomy"),
)
RECORD = DatasetRecord(
    title="Invented eyes", adaptor="idrid", modality="fundus", task="multiclass", classes=CLASSES, licence="CC0-1.0"
)


@pytest.fixture
def record() -> DatasetRecord:
    """Facts of the invented eyes."""
    return RECORD


ALIKE = {"eye_00": "eye_01", "eye_01": "eye_00 eye_04", "eye_04": "eye_01"}
"""Images that show the same picture: two of them train, and one is tested."""


@dataclass
class Eye:
    """One invented image with its results."""

    image_id: str
    split: str
    pixels: np.ndarray
    truth: np.ndarray
    probability: np.ndarray
    roi: np.ndarray
    rejected: str = ""
    annotated: tuple[bool, ...] = ()
    group: str = ""
    centre: str = "A"
    ignore: np.ndarray | None = None


def eye(number: int, split: str, *, height: int = 150, width: int = 190, absent: tuple[str, ...] = ()) -> Eye:
    rng = stream(0, "tests", "report", number, split)
    y, x = np.mgrid[:height, :width]
    roi = np.hypot(y - height / 2, x - width / 2) < 0.49 * min(height, width)
    pixels = (rng.integers(90, 140, (height, width, 3)) * roi[..., None]).astype(np.uint8)
    truth = np.zeros((len(CLASSES), height, width), np.uint8)
    for at, (each, radius, count) in enumerate(zip(CLASSES, (1, 4, 7, 14), (9, 7, 3, 1), strict=True)):
        for _ in range(0 if each.code in absent else count):
            centre = (int(rng.integers(width // 3, 2 * width // 3)), int(rng.integers(height // 3, 2 * height // 3)))
            cv2.circle(truth[at], centre, radius, 1, -1)
        pixels[truth[at] > 0] = each.rgb
    noise = rng.normal(0, 0.15, truth.shape)
    soft = np.stack([cv2.GaussianBlur(mask.astype(np.float32), (0, 0), 2) for mask in truth])
    probability = np.clip(soft * 1.1 + noise * 0.5, 0, 1).astype(np.float16) * roi
    name = f"eye_{number:02d}"
    return Eye(
        name,
        split,
        pixels,
        truth,
        probability,
        roi.astype(np.uint8),
        group=f"patient_{number}",
        centre="AB"[number % 2],
    )


UNSCALED = {"factor_y": 1.0, "factor_x": 1.0, "pixel_size_um": None}
NOTES = {"window": 64, "stride": 48, "windows": 40, "windows_evaluated": 30, "truth_pixels_not_evaluated": [7]}


@dataclass
class World:
    """Paths of invented results."""

    folder: Path
    record: DatasetRecord
    inputs: Inputs
    results: list[Result] = field(default_factory=list)


def levels(pixels: np.ndarray, least: int = 2) -> list[np.ndarray]:
    found = [pixels]
    while len(found) < least or max(found[-1].shape[-2:]) > 256:
        found.append(np.ascontiguousarray(found[-1][..., ::2, ::2]))
    return found


def write_store(
    path: Path,
    arrays: list[np.ndarray],
    *,
    channels: tuple[str, ...],
    extra: Mapping[str, np.ndarray],
    attributes: Mapping[str, object] | None = None,
) -> Path:
    group = stores.create_pyramid(
        path,
        channels=channels,
        shapes=[each.shape[-2:] for each in arrays],
        dtype=arrays[0].dtype,
        storage=STORAGE,
        provenance={"stage": "test"},
        extra=attributes,
    )
    for level, array in enumerate(arrays):
        stores.write_box(group[str(level)], array, y0=0, x0=0)
    for name, array in extra.items():
        made = stores.create_plane(group, name, shape=array.shape, dtype=array.dtype, storage=STORAGE)
        stores.write_box(made, array, y0=0, x0=0)
    stores.seal(path)
    return path


def write_images(folder: Path, eyes: list[Eye], record: DatasetRecord) -> Path:
    rows = []
    for each in eyes:
        known = each.annotated or (each.split != "predict",) * len(record.codes)
        counts = {
            f"pixels_{code}": int(each.truth[at].sum()) if known[at] else -1 for at, code in enumerate(record.codes)
        }
        height, width = (0, 0) if each.rejected else each.pixels.shape[:2]
        rows.append(
            {
                "dataset": "eyes",
                "image_id": each.image_id,
                "group_id": each.group,
                "centre": each.centre,
                "split": each.split,
                "fold": -1,
                "height": height,
                "width": width,
                "pixel_size_um": float("nan"),
                "sha256": "00",
                "rejected": each.rejected,
                **counts,
                "file": f"{each.image_id}.jpg",
                "alike": ALIKE.get(each.image_id, ""),
            }
        )
    path = folder / "raw" / "images.parquet"
    path.parent.mkdir(parents=True)
    stores.write_table(pd.DataFrame(rows), path, provenance={"stage": "raw"})
    return path


SUMMARY = {
    "lesions": {
        "MA": {
            "components": 30,
            "untouched": 3,
            "untouched_share": 0.1,
            "by_area": [{"least_area": 1, "most_area": 9, "components": 30, "untouched": 3, "untouched_share": 0.1}],
        },
        "EX": {"components": 8, "untouched": 0, "untouched_share": 0.0, "by_area": []},
    },
    "spread": {"negatives": 4, "images": 2, "least_distance": 21.5, "tissue_share": 0.25},
    "notes": ["SE: 2 of 3 patches drawn, because of this and that."],
}


def index_row(each: Eye, at: int, record: DatasetRecord) -> dict[str, object]:
    """One row of a patch index, a box of 48 pixels somewhere in the eye; every fifth training patch is background."""
    rng = stream(0, "tests", "patch", each.image_id, at)
    height, width = (min(48, side) for side in each.pixels.shape[:2])
    y, x = (
        int(rng.integers(0, side - part + 1)) for side, part in zip(each.pixels.shape, (height, width), strict=False)
    )
    truth = each.truth[:, y : y + height, x : x + width]
    drawn = each.split == "train"
    targets = [*record.codes, "background"]
    target = targets[at % len(targets)] if drawn else None
    anchored = drawn and target != "background"
    return {
        "patch_id": f"{each.image_id}/{at}",
        "dataset": "eyes",
        "image_id": each.image_id,
        "group_id": each.group,
        "split": each.split,
        "strategy": "guided" if drawn else "grid",
        "target_class": target,
        "y": y,
        "x": x,
        "height": height,
        "width": width,
        "anchor_y": y + 20 if anchored else -1,
        "anchor_x": x + 20 if anchored else -1,
        "is_positive": bool(truth.any()),
        "truth_fraction": truth.any(axis=0).mean(),
        "roi_fraction": each.roi[y : y + height, x : x + width].mean(),
        "coverage": False,
        **{f"pixels_{code}": int(truth[n].sum()) for n, code in enumerate(record.codes)},
    }


def write_index(folder: Path, eyes: list[Eye], record: DatasetRecord) -> Path:
    rows = [index_row(each, at, record) for each in eyes for at in range(15 if each.split == "train" else 4)]
    texts = ["dataset", "image_id", "group_id", "split", "strategy", "target_class"]
    frame = pd.DataFrame(rows).astype(dict.fromkeys(texts, "category"))
    path = folder / "index" / "guided.parquet"
    path.parent.mkdir(parents=True)
    stores.write_table(frame, path, provenance={"stage": "index"}, extra={"summary": SUMMARY})
    return path


CARD = {
    "best_epoch": 9,
    "parameters": 1234567,
    "versions": {"torch": "9.8.7"},
    "provenance": {"stage": "model", "code": "c0de0fmodel", "seed": 5},
}


def write_model(folder: Path, name: str, record: DatasetRecord) -> Path:
    path = folder / "model" / name
    path.mkdir(parents=True)
    epochs = np.arange(12)
    rng = stream(0, "tests", "history", name)
    frame = pd.DataFrame({"epoch": epochs, "train_loss": 1.2 * np.exp(-epochs / 5) + 0.1})
    frame["validation_loss"] = frame["train_loss"] + 0.08 + rng.normal(0, 0.02, len(epochs))
    frame["score"] = 0.6 * (1 - np.exp(-epochs / 4))
    frame["learning_rate"] = 1e-3
    for at, code in enumerate(record.codes):
        frame[f"dice_{code}"] = (0.3 + 0.15 * at) * (1 - np.exp(-epochs / 4)) + rng.normal(0, 0.02, len(epochs))
        frame[f"iou_{code}"] = frame[f"dice_{code}"] / (2 - frame[f"dice_{code}"])
    stores.write_table(frame, path / "history.parquet", provenance={"stage": "model"})
    (path / "card.json").write_text(json_text(CARD))
    return path


def write_result(
    folder: Path,
    eyes: list[Eye],
    record: DatasetRecord,
    inputs: Inputs,
    *,
    model: str,
    fusion: str,
    blur: float = 0.0,
    config: ReportConfig,
    truths: Mapping[str, TruthFiles] | None = None,
) -> Result:
    probability, segmentation = {}, {}
    base = folder / "probability" / model / fusion, folder / "segmentation" / model / fusion
    for each in eyes:
        if each.rejected or each.split == "train":
            continue
        soft = each.probability
        if blur:
            soft = np.stack([cv2.GaussianBlur(p.astype(np.float32), (0, 0), blur) for p in soft]).astype(np.float16)
        probability[each.image_id] = write_store(
            base[0] / f"{each.image_id}.zarr",
            levels(soft),
            channels=record.codes,
            extra={},
            attributes={"lesionmap": NOTES},
        )
        masks = (soft >= 0.5).astype(np.uint8)
        segmentation[each.image_id] = write_store(
            base[1] / f"{each.image_id}.zarr", levels(masks[:1]), channels=("label",), extra={"masks": masks}
        )
    base[1].mkdir(parents=True, exist_ok=True)
    fits = {code: {"threshold": 0.5, "fitted": True, "reason": ""} for code in record.codes}
    (base[1] / "thresholds.json").write_text(json_text({"classes": fits}))
    tables = [folder / "report" / f"{model}.{fusion}.{kind}.parquet" for kind in ("images", "classes")]
    result = Result(model, fusion, probability, segmentation, base[1] / "thresholds.json", *tables)
    job = Job(record, PROVENANCE)
    write_metrics(inputs.images, result, normalized=inputs.normalized, truths=truths, config=config, job=job)
    write_errors(inputs.images, result, normalized=inputs.normalized, job=job, output=result.metrics_errors)
    return result


def make_world(
    folder: Path,
    eyes: list[Eye],
    *,
    record: DatasetRecord = RECORD,
    models: tuple[str, ...] = ("unet",),
    fusions: tuple[str, ...] = ("none", "gaussian"),
    config: ReportConfig = CONFIG,
    mapping: Mapping[str, float] | None = None,
    truths: Mapping[str, TruthFiles] | None = None,
) -> World:
    images = write_images(folder, eyes, record)
    normalized, originals = {}, {}
    for each in eyes:
        if each.rejected:
            continue
        extra = {"roi": each.roi} if each.split == "predict" else {"roi": each.roi, "truth": each.truth}
        extra |= {} if each.ignore is None else {"ignore": each.ignore}
        normalized[each.image_id] = write_store(
            folder / "normalized" / f"{each.image_id}.zarr",
            levels(np.moveaxis(each.pixels, 2, 0)),
            channels=("red", "green", "blue"),
            extra=extra,
            attributes={"lesionmap": {"image_id": each.image_id, "mapping": mapping or UNSCALED}},
        )
        originals[each.image_id] = lambda box, pixels=each.pixels: Original(pixels, box and pixels[box.slices])
    usable = [each for each in eyes if not each.rejected and each.split != "predict"]
    inputs = Inputs(
        images=images,
        normalized=normalized,
        originals=originals,
        indexes={"guided": write_index(folder, usable, record)} if usable else {},
        models={name: write_model(folder, name, record) for name in models},
    )
    world = World(folder, record, inputs)
    for name in models:
        for at, fusion in enumerate(fusions):
            world.results.append(
                write_result(
                    folder,
                    eyes,
                    record,
                    inputs,
                    model=name,
                    fusion=fusion,
                    blur=0.7 * at,
                    config=config,
                    truths=truths,
                )
            )
    return world


def write_stain(path: Path, **changed: object) -> Path:
    """A ``stain.json`` as stage normalized writes it, with some keys changed."""
    vectors = np.array([[0.65, 0.70, 0.29], [0.07, 0.99, 0.11]])
    content = {
        "method": "vahadane",
        "used": "vahadane",
        "matrix": (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).tolist(),
        "maxima": [1.5, 0.9],
        "background": [243.0, 240.5, 245.0],
        "mean": None,
        "deviation": None,
        "tissue_pixels": 12345,
        "sample_pixels": 12345,
        "angles": {"between": 48.25, "haematoxylin": 3.5, "eosin": 12.0},
        "flags": [],
        "provenance": {"stage": "normalized"},
        **changed,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json_text(content))
    return path


@pytest.fixture(scope="session", autouse=True)
def _coarse_plots() -> Iterator[None]:
    """Plots of few pixels: most of the time of these tests would go into drawing them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(chart, "SCALE", 0.5)
        yield


@pytest.fixture(scope="session")
def make() -> Callable[..., World]:
    return make_world


@pytest.fixture(scope="session")
def make_eye() -> Callable[..., Eye]:
    return eye


@pytest.fixture
def make_stain() -> Callable[..., Path]:
    return write_stain


@pytest.fixture(scope="session")
def slides(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Images of two centres with their stains; of one nothing is known, and one fell back."""
    record = RECORD.model_copy(
        update={"modality": "histology", "task": "binary", "classes": CLASSES[1:2], "title": "Slides"}
    )
    found = [eye(n, "train" if n < 3 else "test", height=330, width=410) for n in range(5)]
    one = [replace(each, truth=each.truth[1:2], probability=each.probability[1:2]) for each in found]
    world = make_world(tmp_path_factory.mktemp("slides"), one, record=record, models=(), fusions=())
    unknown = {
        "used": "none",
        "matrix": None,
        "maxima": None,
        "angles": None,
        "background": None,
        "tissue_pixels": 0,
        "flags": ["too little tissue"],
    }
    changes = {
        "eye_00": {"maxima": [1.1, 0.7]},
        "eye_01": {"background": [230.0, 221.0, 236.0]},
        "eye_02": {"maxima": [2.0, 1.3]},
        "eye_03": unknown,
        "eye_04": {"used": "reference", "flags": ["vectors nearly parallel", "weak eosin"]},
    }
    folder = world.folder / "normalized"
    stains = {name: write_stain(folder / f"{name}.stain.json", **changed) for name, changed in changes.items()}
    target = write_stain(folder / "target.json", maxima=[1.7, 1.0], **{"from": "median of 3 training images"})
    return replace(world, inputs=replace(world.inputs, stains=stains, target=target))


@pytest.fixture(scope="session")
def eyes() -> list[Eye]:
    broken = Eye(
        "eye_08",
        "rejected",
        *[np.zeros((1, 1, 3), np.uint8), np.zeros((4, 1, 1), np.uint8)],
        np.zeros((4, 1, 1), np.float16),
        np.ones((1, 1), np.uint8),
        rejected="The file is truncated.\n  where: eye_08.jpg",
    )
    return [
        eye(0, "train"),
        eye(1, "train", absent=("SE",)),
        eye(2, "validation"),
        eye(3, "test", absent=("SE",)),
        eye(4, "test", absent=("SE", "EX")),
        eye(5, "predict", height=61, width=47),
        broken,
    ]


@pytest.fixture(scope="session")
def world(eyes: list[Eye], tmp_path_factory: pytest.TempPathFactory) -> World:
    return make_world(tmp_path_factory.mktemp("eyes"), eyes)
