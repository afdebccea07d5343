"""Trial: a map of a billion pixels through thresholds, segmentation and all measures, with seconds and peak memory of each.

python -m benchmarks.findings.large_map [--side 32000] [--lesions 10000] [--folder FOLDER]

One class. Lesions are ellipses of 10 to 60 pixels; nine of ten are found, a few pixels beside their place, and a tenth of
what is found is none. Each step is a process of its own, so that its peak is its own.
"""

import argparse
import multiprocessing
import resource
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.config import ReportConfig, SegmentationConfig, Storage
from pipeline.config.manifest import DatasetRecord
from pipeline.normalized.pyramid import level_shapes
from pipeline.report.measures.borders import write_borders
from pipeline.report.measures.errors import write_errors
from pipeline.report.measures.evaluate import write_metrics
from pipeline.report.paths import Result
from pipeline.seeds import stream
from pipeline.segmentation.segment import segment_image
from pipeline.segmentation.threshold_file import write_thresholds
from pipeline.stores import create_plane, create_pyramid, write_box, write_table
from pipeline.stores.job import Job
from pipeline.stores.provenance import Provenance
from pipeline.stores.record import seal

RECORD = DatasetRecord.model_validate(
    {
        "title": "large",
        "adaptor": "folder",
        "modality": "histology",
        "task": "binary",
        "classes": [{"code": "LESION", "name": "Lesion", "colour": "red"}],
        "folder": {"images": "{image}.tif", "masks": {"LESION": "{image}_mask.tif"}},
    }
)
STORAGE = Storage()
ROWS = STORAGE.shard
JOB = Job(RECORD, Provenance("report", {}, "large map"))
WINDOWS = {"window": 512, "stride": 256, "scale": 1.0}


@dataclass(frozen=True)
class Scene:
    """Places of the stores, and the ellipses in them: ``(n, 4)`` y, x and half axes."""

    folder: Path
    side: int
    truth: NDArray[np.int64]
    found: NDArray[np.int64]

    @property
    def normalized(self) -> Path:
        """Normalised image."""
        return self.folder / "normalized" / "large.zarr"

    @property
    def probability(self) -> Path:
        """Its map."""
        return self.folder / "probability" / "unet" / "gaussian" / "large.zarr"

    @property
    def segmentation(self) -> Path:
        """Folder of its segmentation."""
        return self.folder / "segmentation" / "unet" / "gaussian"

    @property
    def images(self) -> Path:
        """Table of images."""
        return self.folder / "images.parquet"

    @property
    def result(self) -> Result:
        """Paths of everything that is written of the map."""
        report = self.folder / "report"
        return Result(
            "unet",
            "gaussian",
            {"large": self.probability},
            {"large": self.segmentation / "large.zarr"},
            self.segmentation / "thresholds.json",
            report / "unet.gaussian.images.parquet",
            report / "unet.gaussian.classes.parquet",
        )


def _scene(folder: Path, *, side: int, lesions: int) -> Scene:
    rng = stream(0, "large map")
    cells = int(np.ceil(np.sqrt(lesions)))
    corners = rng.permutation(cells * cells)[:lesions]
    size = side / cells
    centres = (np.stack([corners // cells, corners % cells], axis=1) + 0.5) * size
    axes = rng.integers(5, min(31, int(size / 4)), (lesions, 2))
    truth = np.concatenate([centres, axes], axis=1).astype(np.int64)
    seen = truth[rng.random(lesions) < 0.9]
    moved = seen + np.concatenate([rng.integers(-3, 4, (len(seen), 2)), np.zeros((len(seen), 2), np.int64)], axis=1)
    false = truth[: lesions // 10] + np.array([int(size / 2), int(size / 2), 0, 0])
    return Scene(folder, side, truth, np.concatenate([moved, false]))


def _strips(shapes: NDArray[np.int64], *, side: int) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """Strips of the mask of ellipses, with their first row."""
    for y0 in range(0, side, ROWS):
        strip = np.zeros((min(ROWS, side - y0), side), np.uint8)
        near = shapes[(shapes[:, 0] > y0 - 64) & (shapes[:, 0] < y0 + ROWS + 64)]
        for y, x, a, b in near.tolist():
            cv2.ellipse(strip, (x, y - y0), (a, b), 0, 0, 360, 1, -1)
        yield y0, strip


def _write_normalized(scene: Scene) -> None:
    side, channels = scene.side, ["red", "green", "blue"]
    notes = {"image_id": "large", "classes": list(RECORD.codes), "mapping": {"factor_y": 1.0, "factor_x": 1.0}}
    shapes = level_shapes(side, side, smallest=512, most=8)
    group = create_pyramid(
        scene.normalized,
        channels=channels,
        shapes=shapes,
        dtype="uint8",
        storage=STORAGE,
        provenance={},
        extra={"lesionmap": notes},
    )
    planes = {
        name: create_plane(group, name, shape=shape, dtype="uint8", storage=STORAGE)
        for name, shape in (("truth", (1, side, side)), ("roi", (side, side)))
    }
    for y0, strip in _strips(scene.truth, side=side):
        write_box(planes["truth"], strip[None], y0=y0, x0=0)
        write_box(planes["roi"], np.ones_like(strip), y0=y0, x0=0)
        write_box(group["0"], np.broadcast_to(np.uint8(200) - 60 * strip, (3, *strip.shape)), y0=y0, x0=0)
    for level, (height, width) in enumerate(shapes[1:], start=1):
        write_box(group[str(level)], np.full((3, height, width), 200, np.uint8), y0=0, x0=0)
    seal(scene.normalized)


def _write_probability(scene: Scene) -> None:
    side = scene.side
    notes = {"image_id": "large", "mapping": {"factor_y": 1.0, "factor_x": 1.0}, "fusion": "gaussian", **WINDOWS}
    shapes = level_shapes(side, side, smallest=512, most=8)
    group = create_pyramid(
        scene.probability,
        channels=RECORD.codes,
        shapes=shapes,
        dtype="float16",
        storage=STORAGE,
        provenance={},
        extra={"lesionmap": notes},
    )
    for y0, strip in _strips(scene.found, side=side):
        soft = cv2.GaussianBlur(strip.astype(np.float32), (0, 0), 2)
        write_box(group["0"], soft.astype(np.float16)[None], y0=y0, x0=0)
    seal(scene.probability)


def _made(scene: Scene) -> None:
    for each in (scene.normalized, scene.probability, scene.segmentation / "x", scene.result.metrics_images):
        each.parent.mkdir(parents=True, exist_ok=True)
    _write_normalized(scene)
    _write_probability(scene)
    area = int(sum(int(strip.sum()) for _, strip in _strips(scene.truth, side=scene.side)))
    row = {"image_id": "large", "group_id": "large", "centre": "", "split": "validation", "fold": -1, "rejected": ""}
    write_table(pd.DataFrame([{**row, "pixels_LESION": area}]), scene.images, provenance={})


def _thresholds(scene: Scene) -> None:
    write_thresholds(
        scene.images,
        probability=[("large", scene.probability)],
        normalized={"large": scene.normalized},
        config=SegmentationConfig(),
        job=JOB,
        output=scene.result.thresholds,
    )


def _segmented(scene: Scene) -> None:
    segment_image(
        scene.probability,
        normalized=scene.normalized,
        thresholds=scene.result.thresholds,
        config=SegmentationConfig(),
        job=JOB,
        store=scene.result.segmentation["large"],
        geojson=scene.segmentation / "large.geojson",
    )


def _measured(scene: Scene) -> None:
    normalized = {"large": scene.normalized}
    write_metrics(scene.images, scene.result, normalized=normalized, config=ReportConfig(), job=JOB)


def _errors(scene: Scene) -> None:
    normalized = {"large": scene.normalized}
    write_errors(scene.images, scene.result, normalized=normalized, job=JOB, output=scene.result.metrics_errors)


def _borders(scene: Scene) -> None:
    write_borders(
        scene.images,
        probability={"gaussian": scene.result.probability},
        segmentation={"gaussian": scene.result.segmentation},
        normalized={"large": scene.normalized},
        folds=(-1,),
        job=JOB,
        output=scene.folder / "report" / "unet.borders.parquet",
    )


def _peak(step: Callable[[Scene], None], scene: Scene) -> None:
    start = time.perf_counter()
    step(scene)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    seconds = f"{time.perf_counter() - start:7.1f} s, {time.process_time():7.1f} s of processor time"
    print(f"{step.__name__.strip('_'):12} {seconds}, {peak:6.0f} MiB", flush=True)


def main() -> None:
    """Make the stores, and run each step."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--side", type=int, default=32_000)
    parser.add_argument("--lesions", type=int, default=10_000)
    parser.add_argument("--folder", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        scene = _scene(given.folder or Path(temporary), side=given.side, lesions=given.lesions)
        for step in (_made, _thresholds, _segmented, _measured, _errors, _borders):
            process = multiprocessing.get_context("spawn").Process(target=_peak, args=(step, scene))
            process.start()
            process.join()
            if process.exitcode:
                raise SystemExit(f"{step.__name__} ended with {process.exitcode}")
        table = pd.read_parquet(scene.result.metrics_images)
        print(table.T.to_string())


if __name__ == "__main__":
    main()
