"""The stages of a run called by hand on a handful of small image files, as the workflow calls them, in seconds."""

import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from pipeline.config import Augmentation, ModelSettings, NormalizedConfig, ProbabilityConfig, SegmentationConfig
from pipeline.config.manifest import DatasetRecord
from pipeline.geometry import starts_1d
from pipeline.model.ensemble import model_files
from pipeline.model.train import Inputs, train
from pipeline.normalized.fundus.image import normalise_fundus
from pipeline.normalized.stain.image import normalise_histology, write_estimate
from pipeline.normalized.stain.target import write_target
from pipeline.probability.predict import predict_image
from pipeline.raw.datasets.entry import ImageEntry
from pipeline.raw.phantom.fundus import fundus_phantom
from pipeline.raw.phantom.histology import histology_phantom
from pipeline.segmentation.segment import segment_image
from pipeline.segmentation.threshold_file import write_thresholds
from pipeline.stores import input_digest, open_array, write_table
from pipeline.stores.job import Job
from pipeline.stores.provenance import Provenance

STORAGE = {"chunk": 32, "shard": 64}
PATCH = 64
QUICK = ModelSettings(
    encoder="mobilenet_v2",
    encoder_weights="none",
    moving_crops=0.0,
    augmentation=Augmentation(),
    schedule="plateau",
    average_decay=0.0,
    select_by="dice_miou",
    epochs=1,
    batch_size=4,
    threads=1,
    device="cpu",
    learning_rate=3e-3,
)
BLOCKS = {"strip_rows": 64, "strip_columns": 128, "storage": STORAGE}
FUNDUS = {"chain": "fundus", "rescale": {"factor": 0.6}, "gaussian": {"sigma": 3.0}, **BLOCKS}
HISTOLOGY = {
    "chain": "histology",
    "rescale": {"factor": 0.75},
    "stain": {"target": "median", "least_tissue": 500, "sample": 4000},
    **BLOCKS,
}
INFERENCE = {"batch_size": 3, "threads": 1, "device": "cpu", "storage": STORAGE, "overlap": 0.5}
CLEANING = {"storage": STORAGE, "minimum_area": 2}
COLOURS = {"MA": "red", "OD": "magenta", "LESION": "cyan"}


def record_of(world: str, codes: tuple[str, ...]) -> DatasetRecord:
    """A folder of pictures."""
    classes = [{"code": code, "name": f"class {code}", "colour": COLOURS[code]} for code in codes]
    layout = {"images": "{image}.png", "masks": {code: f"{{image}}_{code}.png" for code in codes}}
    task = "binary" if len(codes) == 1 else "multiclass"
    tree = {"title": "tiny", "adaptor": "folder", "modality": world, "task": task, "classes": classes, "folder": layout}
    return DatasetRecord.model_validate(tree)


def bare(record: DatasetRecord) -> DatasetRecord:
    """The record without what only people look at, as training gets it."""
    classes = tuple(each.model_copy(update={"name": each.code, "colour": "red"}) for each in record.classes)
    return record.model_copy(update={"classes": classes})


@dataclass(frozen=True)
class TinyRun:
    """A finished run on a few images of one world."""

    files: Path
    root: Path
    """``results/{dataset}``."""
    record: DatasetRecord
    config: NormalizedConfig
    images: dict[str, str]
    """Image id → split."""

    def origin(self, stage: str, config: dict[str, Any], inputs: dict[str, Path] | None = None) -> Provenance:
        """A record of origin with the parts that are read from it later."""
        return Provenance(stage, config, "code", {name: input_digest(path) for name, path in (inputs or {}).items()})

    def entry(self, image: str) -> ImageEntry:
        """The image and its masks."""
        masks = tuple((code, self.files / f"{image}_{code}.png") for code in self.record.codes)
        return ImageEntry(image, self.files / f"{image}.png", masks)

    def store(self, image: str) -> Path:
        """Its normalised store."""
        return self.root / "normalized" / f"{image}.zarr"

    def model(self, name: str = "unet") -> Path:
        """The folder of a model."""
        return self.root / "model" / name

    def maps(self, image: str, fusion: str, *, model: str = "unet") -> Path:
        """A probability store."""
        return self.root / "probability" / model / fusion / f"{image}.zarr"

    def regions(self, image: str, fusion: str, suffix: str = ".zarr", *, model: str = "unet") -> Path:
        """A segmentation store, or its outlines."""
        return self.root / "segmentation" / model / fusion / f"{image}{suffix}"

    def normalise(self) -> Path | None:
        """Stage normalized; the stain target, where there is one."""
        dumped = self.config.model_dump(mode="json")
        provenance = self.origin("normalized", {"record": {}, "entry": {}, "normalized": dumped})
        common = {"config": self.config, "job": Job(self.record, provenance)}
        if self.config.chain == "fundus":
            for image in self.images:
                normalise_fundus(self.entry(image), output=self.store(image), **common)
            return None
        stains = {image: self.store(image).with_suffix(".stain.json") for image in self.images}
        for image, path in stains.items():
            write_estimate(self.entry(image), output=path, **common)
        target = self.root / "normalized" / "target.json"
        training = [stains[image] for image, split in self.images.items() if split == "train"]
        write_target(
            self.config,
            target=self.config.stain.target,
            file=None,
            estimates=training,
            output=target,
            provenance=provenance,
        )
        for image in self.images:
            normalise_histology(
                self.entry(image), stain=stains[image], target=target, output=self.store(image), **common
            )
        return target

    def index(self) -> Path:
        """A grid of patches over the images that train and validate."""
        rows = []
        for image, split in self.images.items():
            if split in ("train", "validation"):
                rows += self._rows(image, split, fold=len({row["image_id"] for row in rows}) % 2)
        frame = pd.DataFrame(rows)
        frame = frame.astype(dict.fromkeys(["dataset", "image_id", "group_id", "split", "strategy"], "category"))
        path = self.root / "index" / "grid.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_table(frame, path, provenance={})
        return path

    def _rows(self, image: str, split: str, *, fold: int) -> list[dict[str, Any]]:
        truth = np.asarray(open_array(self.store(image), "truth")[:])
        corners = [
            (y, x) for y in starts_1d(truth.shape[1], PATCH, PATCH) for x in starts_1d(truth.shape[2], PATCH, PATCH)
        ]
        rows = []
        for y, x in corners:
            tile = truth[:, y : y + PATCH, x : x + PATCH]
            pixels = {f"pixels_{code}": int(tile[at].sum()) for at, code in enumerate(self.record.codes)}
            rows.append(
                {
                    "patch_id": f"{image}-{y}-{x}",
                    "dataset": "tiny",
                    "image_id": image,
                    "group_id": image,
                    "split": split,
                    "fold": fold,
                    "strategy": "grid",
                    "y": y,
                    "x": x,
                    "height": tile.shape[1],
                    "width": tile.shape[2],
                    "roi_fraction": 1.0,
                    "is_positive": any(count > 0 for count in pixels.values()),
                    **pixels,
                }
            )
        return rows

    def train(self, name: str, *, settings: ModelSettings, target: Path | None, seed: int = 1) -> None:
        """Stage model."""
        train(
            Inputs(self.root / "index" / "grid.parquet", {image: self.store(image) for image in self.images}, target),
            name=name,
            settings=settings,
            patch=PATCH,
            job=Job(bare(self.record), replace(self.origin("model", {"name": name}), seed=seed)),
            output=self.model(name),
        )

    def predict(
        self, image: str, *, model: str = "unet", fusions: tuple[str, ...] = ("none", "max", "mean", "gaussian")
    ) -> None:
        """Stage probability."""
        settings = {"probability": INFERENCE, "window": PATCH}
        provenance = self.origin("probability", settings, model_files(self.model(model)))
        predict_image(
            self.store(image),
            model=self.model(model),
            outputs={each: self.maps(image, each, model=model) for each in fusions},
            config=ProbabilityConfig.model_validate(INFERENCE),
            window=PATCH,
            job=Job(self.record, provenance),
        )

    def table(self, folds: dict[str, int] | None = None) -> Path:
        """``raw/images.parquet``."""
        counts = dict.fromkeys((f"pixels_{each}" for each in self.record.codes), 1)
        rows = [
            {
                "image_id": image,
                "group_id": image,
                "split": split,
                "fold": (folds or {}).get(image, -1),
                "rejected": "",
                **counts,
            }
            for image, split in self.images.items()
        ]
        path = self.root / "raw" / "images.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_table(pd.DataFrame(rows), path, provenance={})
        return path

    def segment(self, *images: str, fusion: str, model: str = "unet") -> None:
        """Stage segmentation, with thresholds from the validation images."""
        held = [image for image, split in self.images.items() if split == "validation"]
        thresholds = self.root / "segmentation" / model / fusion / "thresholds.json"
        config = SegmentationConfig.model_validate(CLEANING)
        maps = {image: self.maps(image, fusion, model=model) for image in held}
        inputs = {f"{model}/{image}": path for image, path in maps.items()}
        origin = self.origin("segmentation", {"segmentation": CLEANING}, inputs)
        write_thresholds(
            self.table(),
            probability=list(maps.items()),
            normalized={image: self.store(image) for image in held},
            config=config,
            job=Job(bare(self.record), origin),
            output=thresholds,
        )
        for image in images:
            segment_image(
                self.maps(image, fusion, model=model),
                normalized=self.store(image),
                thresholds=thresholds,
                config=config,
                job=Job(self.record, origin),
                store=self.regions(image, fusion, model=model),
                geojson=self.regions(image, fusion, ".geojson", model=model),
            )


def write_images(run: TinyRun, world: str) -> None:
    """Pictures and masks of phantoms as files."""
    run.files.mkdir(parents=True, exist_ok=True)
    for at, name in enumerate(run.images):
        made = fundus_phantom(at, size=230, seed=3) if world == "fundus" else histology_phantom(at, size=190, seed=3)
        Image.fromarray(made.image).save(run.files / f"{name}.png")
        for code in run.record.codes:
            Image.fromarray(np.uint8(255) * made.masks[code].astype(np.uint8)).save(run.files / f"{name}_{code}.png")


def copied(run: TinyRun, folder: Path) -> TinyRun:
    """A finished run in a folder of its own, for a test that changes it."""
    shutil.copytree(run.files, folder / "files")
    shutil.copytree(run.root, folder / "results" / "tiny")
    return replace(run, files=folder / "files", root=folder / "results" / "tiny")


def described(folder: Path, world: str) -> TinyRun:
    """The tiny run of a world in a folder, whether it was made there or not: two train, one validates, one is the test."""
    codes = ("MA", "OD") if world == "fundus" else ("LESION",)
    images = {f"tiny_{at}": split for at, split in enumerate(("train", "train", "validation", "test"))}
    config = NormalizedConfig.model_validate(FUNDUS if world == "fundus" else HISTOLOGY)
    return TinyRun(folder / "files", folder / "results" / "tiny", record_of(world, codes), config, images)


def tiny_run(folder: Path, world: str) -> TinyRun:
    """Four images through all stages."""
    run = described(folder, world)
    write_images(run, world)
    target = run.normalise()
    run.index()
    run.train("unet", settings=QUICK, target=target)
    *_, validation, test = run.images
    for image in (validation, test):
        run.predict(image)
    run.segment(test, fusion="gaussian")
    return run
